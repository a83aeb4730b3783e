"""How a series is harmonized, and the UIDs that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from rgan_sdk.dicom import uids
from rgan_sdk.errors import ConfigurationError


@dataclass(frozen=True)
class Derivation:
    """How a series is harmonized.

    A derived object depends on its source and on this, and on nothing else.

    Attributes
    ----------
    target_kernel
        The convolution kernel that the model imitates.
    model_name, model_version
        As on the model's card.
    model_sha256
        Of the model file, hexadecimal.
    configuration
        Canonical text of every choice that changes pixels or header.
    engine
        Name of the engine. Objects written with ``identity`` are marked as copies, not as
        harmonized.
    software
        Name and version, for example ``rgan-sdk 0.1.0``.
    timestamp
        When the run began, with a time zone. A resumed run must give the same one.
    group
        ``Series.group``.
    outside
        In what the series is outside the domain that the model's card states, such as ``spacing``.

    Raises
    ------
    ConfigurationError
        If ``timestamp`` has no time zone.
    """

    target_kernel: str
    model_name: str
    model_version: str
    model_sha256: str
    configuration: str
    engine: str
    software: str
    timestamp: datetime
    group: int = 0
    outside: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.timestamp.tzinfo is None:
            raise ConfigurationError("the timestamp of a derivation needs a time zone")

    @property
    def harmonizes(self) -> bool:
        """Whether the pixels are harmonized, rather than copied by the identity engine."""
        return self.engine != "identity"


def derived_series_uid(series_instance_uid: str, derivation: Derivation) -> str:
    """Return the SeriesInstanceUID of the derived series."""
    return _derived_uid("series", series_instance_uid, derivation)


def derived_sop_uid(sop_instance_uid: str, derivation: Derivation) -> str:
    """Return the SOPInstanceUID of the derived slice."""
    return _derived_uid("instance", sop_instance_uid, derivation)


def unmarked_series_uid(series_instance_uid: str, derivation: Derivation) -> str:
    """Return the SeriesInstanceUID as versions gave it whose UIDs carried no mark."""
    return uids.hashed_uid(*_parts("series", series_instance_uid, derivation))


def _derived_uid(kind: str, source_uid: str, derivation: Derivation) -> str:
    code = uids.HARMONIZED_CODE if derivation.harmonizes else uids.IDENTITY_CODE
    return uids.marked_uid(code, *_parts(kind, source_uid, derivation))


def _parts(kind: str, source_uid: str, derivation: Derivation) -> tuple[str, ...]:
    return (
        kind,
        source_uid,
        str(derivation.group),
        derivation.model_sha256,
        derivation.configuration,
        derivation.software,
        derivation.timestamp.astimezone(UTC).isoformat(),
    )
