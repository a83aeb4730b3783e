"""The report of an evaluation, read back from its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rgan_sdk.errors import ConfigurationError

NAME: Final = "results.json"
SCHEMA: Final = 1


@dataclass(frozen=True)
class Report:
    """What ``rgan-train evaluate`` found, as ``results.json`` holds it.

    Attributes
    ----------
    data
        All of it. Reports of older versions lack some of what newer ones have.
    """

    data: Mapping[str, Any]

    @property
    def is_paired(self) -> bool:
        """Whether it compares pairs; otherwise it compares two groups without pairs."""
        return "agreement" in self.data

    def get(self, *keys: str) -> Any:
        """Return what lies under nested keys; None if the report does not have it."""
        found: Any = self.data
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def provenance(self, *keys: str) -> Any:
        """Return what lies under nested keys of ``provenance``; None if it is not there."""
        return self.get("provenance", *keys)

    @property
    def patients(self) -> int:
        """Number of patients: of pairs, or of both groups together."""
        if self.is_paired:
            return int(self.data["patients"])
        return sum(self.group_patients) - int(self.data["shared_patients"])

    @property
    def group_patients(self) -> list[int]:
        """Number of patients: of pairs, or of each group."""
        if self.is_paired:
            return [self.patients]
        return [int(self.data[side]["patients"]) for side in ("source", "target")]


def read_report(folder: Path) -> Report:
    """Read the report in a folder.

    Raises
    ------
    ConfigurationError
        If ``rgan-train evaluate`` did not write one there, or another version did.
    """
    path = folder / NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise ConfigurationError(
            f"{folder}: has no {NAME}; give the folder that `rgan-train evaluate` wrote"
        ) from exc
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"{path}: cannot be read ({exc})") from exc
    needed = ({"agreement", "patients", "slices"}, {"groups", "source", "target"})
    if not isinstance(data, dict) or not any(keys <= set(data) for keys in needed):
        raise ConfigurationError(f"{path}: is not a report of `rgan-train evaluate`")
    if data.get("schema") != SCHEMA:
        raise ConfigurationError(
            f"{path}: has schema {data.get('schema')}, and this version reads {SCHEMA}; use the "
            "version of rgan-sdk that wrote it"
        )
    return Report(data)
