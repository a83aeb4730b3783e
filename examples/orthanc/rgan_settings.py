"""What the section "Rgan" of Orthanc's configuration may hold: docs/orthanc.md has a table."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SELF: Final = "self"
"""As a clinical destination: the Orthanc that holds the originals."""

METADATA: Final = "Rgan"
"""What became of a series is kept in Orthanc under this name."""


class SettingsError(Exception):
    """Orthanc's configuration cannot be used."""


@dataclass(frozen=True)
class Settings:
    """The section, and what else matters of the configuration."""

    destination: str
    is_clinical: bool
    models: tuple[str, ...]
    options: tuple[str, ...]
    state_folder: Path
    command: str
    stable_age: float
    own_aet: str

    @classmethod
    def read(cls, configuration: dict[str, Any]) -> Settings:
        """Check Orthanc's configuration.

        Raises
        ------
        SettingsError
            If something is missing, wrong or unknown.
        """
        given = dict(configuration.get("Rgan", {}))
        destination, is_clinical = _take_destination(given)
        if METADATA not in configuration.get("UserMetadata", {}):
            raise SettingsError(f'add "UserMetadata": {{"{METADATA}": 4096}} to the configuration')
        settings = cls(
            destination,
            is_clinical,
            models=_take_list(given, "Models"),
            options=_take_list(given, "Options"),
            state_folder=Path(given.pop("StateFolder", "")),
            command=given.pop("Command", "rgan-harmonize"),
            stable_age=configuration.get("StableAge", 60),
            own_aet=configuration.get("DicomAet", "ORTHANC"),
        )
        if given:
            raise SettingsError(f"unknown settings: {', '.join(sorted(given))}")
        settings._check()
        return settings

    def _check(self) -> None:
        if not self.models:
            raise SettingsError('"Models" is missing')
        if not self.state_folder.is_absolute():
            raise SettingsError('"StateFolder" is missing, or is no full path')
        if shutil.which(self.command) is None:
            raise SettingsError(f'"Command": there is no {self.command} here; give its full path')


def _take_destination(given: dict[str, Any]) -> tuple[str, bool]:
    """Return the destination, and whether it is a clinical one."""
    research, clinical = (given.pop(f"{kind}Destination", "") for kind in ("Research", "Clinical"))
    if bool(research) == bool(clinical):
        raise SettingsError(
            'give either "ResearchDestination" or "ClinicalDestination", the name of one of the '
            "DicomModalities"
        )
    if research == SELF:
        raise SettingsError(
            f'"{SELF}" would put research images beside the originals; if that is meant, make it '
            'the "ClinicalDestination"'
        )
    return research or clinical, bool(clinical)


def _take_list(given: dict[str, Any], name: str) -> tuple[str, ...]:
    values = given.pop(name, [])
    if not isinstance(values, list):
        raise SettingsError(f'"{name}" is not a list')
    return tuple(values)
