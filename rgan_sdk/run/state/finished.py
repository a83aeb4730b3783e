"""A series that was written as a whole, as a journal notes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple, Self

from rgan_sdk.card import ModelCard
from rgan_sdk.dicom.domain import noise_notes
from rgan_sdk.dicom.read.kernel_guard import Verdict
from rgan_sdk.dicom.write.clamping import Clamped


class OutputFile(NamedTuple):
    """A file of a finished series: its size in bytes, its CRC-32C as 8 hexadecimal digits."""

    name: str
    size: int
    crc32c: str


@dataclass(frozen=True)
class FinishedSeries:
    """A series that was written as a whole.

    Attributes
    ----------
    source
        SeriesInstanceUID of the series that it was made of.
    model
        SHA-256 of the model that made it; empty for a copy.
    output
        Its folder, relative to OUTPUT.
    files
        All that is in that folder.
    sources
        Hash of the slices that it was made of.
    clips
        Pixels that could not be stored as computed.
    outside
        In what it is outside the domain that the model's card states, such as ``spacing``.
    noise_hu
        Of the source; None where it was not measured.
    processed
        False where its pixels are those of its source.
    clamped
        These pixels by what they show; None in journals of earlier versions.
    kernel_note
        What its images give reason to remark on its kernel; empty if there is nothing to say, and
        in journals of earlier versions.
    knows_noise
        False in journals of earlier versions, if they do not say whether noise was measured.
    """

    source: str
    model: str
    output: str
    files: tuple[OutputFile, ...]
    sources: str
    clips: int
    outside: tuple[str, ...] = ()
    noise_hu: float | None = None
    processed: bool = True
    clamped: Clamped | None = None
    kernel_note: str = ""
    knows_noise: bool = True

    @property
    def uid(self) -> str:
        """Name of its folder."""
        return PurePosixPath(self.output).name

    @property
    def clamping(self) -> dict[str, Any]:
        """Return ``clips`` and ``clamped``."""
        return {"clips": self.clips, "clamped": self.clamped}

    def notes(self, card: ModelCard) -> tuple[str, ...]:
        """Return what its pixels gave reason to remark."""
        noise = noise_notes(self.noise_hu, card) if self.knows_noise else ()
        return (*noise, *Verdict(self.kernel_note).notes)

    def to_record(self) -> dict[str, Any]:
        """Return what its line holds."""
        record = {**vars(self), "files": [file._asdict() for file in self.files]}
        clamped = record.pop("clamped")
        if not record.pop("knows_noise"):
            del record["noise_hu"]
        if not self.kernel_note:
            del record["kernel_note"]
        return record if clamped is None else {**record, "clamped": clamped._asdict()}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Return what ``to_record`` was made of."""
        files = tuple(OutputFile(**file) for file in record["files"])
        clamped = Clamped(**record["clamped"]) if "clamped" in record else None
        outside = tuple(record.get("outside", ()))
        changed = {"files": files, "outside": outside, "clamped": clamped}
        return cls(**{**record, **changed}, knows_noise="noise_hu" in record)
