"""Harmonize one NIfTI file with a model, and say how."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.card import ModelCard
from rgan_sdk.dicom.domain import domain_notes, find_outside, noise_notes
from rgan_sdk.dicom.image_kind import kind_notes
from rgan_sdk.dicom.read.kernel_guard import SLICES, Verdict, judge_spectra
from rgan_sdk.dicom.write.clamping import Clamped
from rgan_sdk.errors import IneligibleError, NiftiError
from rgan_sdk.files import file_sha256
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.kernels import KernelSpectra, join_spectra, measure_kernel
from rgan_sdk.nifti.scan import MARK, NiftiScan, read_stored, unchanged, write_scan
from rgan_sdk.nifti.values import Values
from rgan_sdk.run.choosing.candidates import why_not_model
from rgan_sdk.run.observer import Observer
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.stages import measure_noise
from rgan_sdk.run.state.finished import FinishedSeries
from rgan_sdk.run.state.identity import SOFTWARE, Configuration

TAG: Final = re.compile(r" \([0-9A-F]{4},[0-9A-F]{4}\)")
RESAMPLED: Final = re.compile(r"_(Eq|Tilt)(_\d+)?\.nii(\.gz)?$")
"""Names of files that dcm2niix resampled, to slices at even distances or without gantry tilt. It
writes the slices as they were beside them."""
NOISE_SLICES: Final = 5
"""Of which the first and the last are not measured: they may lie outside the body."""


@dataclass(frozen=True)
class NiftiTask:
    """How files are harmonized.

    Attributes
    ----------
    kernel
        ConvolutionKernel, where the user gives it.
    timestamp
        Of the run.
    """

    harmonizer: Harmonizer
    options: RunOptions
    kernel: str | None
    timestamp: datetime
    observer: Observer

    @property
    def card(self) -> ModelCard:
        """The model's."""
        return self.harmonizer.model.card

    @property
    def harmonizes(self) -> bool:
        """Whether the pixels are harmonized, rather than copied by the identity engine."""
        return self.harmonizer.engine.name != "identity"


@dataclass
class NiftiJob:
    """A file that the model takes.

    Attributes
    ----------
    name
        For people: its path relative to INPUT.
    clips
        Values that could not be stored as computed.
    clamped
        The same by what they show; None where that is not known.
    middle
        ``[H, W]`` HU of the middle slice, before and after; empty unless pictures are wanted.
    noise_hu
        Standard deviation in soft tissue; None if it was not measured.
    kernel
        What its images show of its kernel.
    """

    task: NiftiTask
    name: str
    scan: NiftiScan
    clips: int = 0
    clamped: Clamped | None = None
    middle: tuple[NDArray[np.float32], ...] = ()
    noise_hu: float | None = None
    kernel: Verdict = field(default_factory=Verdict)

    @cached_property
    def source_sha256(self) -> str:
        """Of the file."""
        try:
            with unchanged(self.scan.path, self.scan.stamp):
                return file_sha256(self.scan.path)
        except OSError as exc:
            raise NiftiError(f"cannot be read ({exc.strerror})") from exc

    @property
    def outside(self) -> dict[str, str]:
        """In what it is outside the model's card, as ``find_outside`` tells it."""
        return find_outside(self.scan, self.task.card)

    def notes(self) -> tuple[str, ...]:
        """Return what a careful reader should know."""
        card = self.task.card
        accepted = "; ".join(self.outside.values())
        found = [
            f"outside the model's stated domain: {accepted}" if accepted else "",
            *kind_notes(self.scan),
            *domain_notes(self.scan, card),
            *noise_notes(self.noise_hu, card),
            *self.kernel.notes,
        ]
        return tuple(without_tags(note) for note in found if note)

    def take_over(self, finished: FinishedSeries) -> None:
        """Keep what the run that has finished it found."""
        self.clips, self.clamped = finished.clips, finished.clamped
        self.noise_hu, self.kernel = finished.noise_hu, Verdict(finished.kernel_note)

    def check_eligible(self) -> None:
        """Compare what header and sidecar say with the model's card.

        Raises
        ------
        IneligibleError
            If the model does not take the file, or it has been harmonized already.
        """
        if self.scan.is_harmonized:
            raise IneligibleError("already harmonized")
        if RESAMPLED.search(self.scan.path.name):
            raise IneligibleError(
                "its name says that dcm2niix resampled it (_Eq, _Tilt); take the file beside it"
            )
        if reason := why_not_model(self.scan, self.task.card, self.task.options):
            hint = "" if self.scan.convolution_kernel else "; --kernel states it"
            raise IneligibleError(without_tags(reason) + hint)

    def read(self) -> Values:
        """Read the values, and look at them.

        Raises
        ------
        NiftiError
            If they cannot be read, or are no HU.
        IneligibleError
            If they show another kernel than the model's, and that is not to be accepted.
        """
        values = Values(self.scan, read_stored(self.scan))
        if not self.task.options.assume_hu:
            values.check_units()
        self.kernel = judge_spectra(lambda: self._measure_kernel(values), self.task.card)
        if self.kernel.is_suspect and self.task.options.strict_kernel:
            raise IneligibleError(self.kernel.text)
        if self.task.card.noise_hu is not None:
            self.noise_hu = self._measure_noise(values)
        return values

    def harmonize(self, values: Values, target: Path, sidecar: Path, *, compress: bool) -> None:
        """Write the new file and its sidecar.

        Raises
        ------
        OSError
            If they cannot be written.
        InferenceError
            If the engine fails.
        """
        self.task.observer.on_started(self.name, self.scan.count)
        new = values.harmonize(self.task.harmonizer, self.task.observer.on_written)
        self.clips, self.clamped = new.clips, new.clamped
        if self.task.options.preview:
            half = self.scan.count // 2
            after = Values(self.scan, new.stored)
            self.middle = (values.hu(half, half + 1)[0], after.hu(half, half + 1)[0])
        write_scan(self.scan, new.stored, target, compress=compress, comment=self._comment())
        kernel, task = self.scan.convolution_kernel, self.task
        made = task.card.target_kernel if task.harmonizes else "IDENTITY"
        text = self.scan.sidecar.derive(kernel, f"RGAN>{made}", self._record())
        # JSON spells half a surrogate pair as this does; UTF-8 has no bytes for it.
        sidecar.write_text(text, "utf-8", "backslashreplace")

    def _measure_noise(self, values: Values) -> float | None:
        spacing = self.scan.mean_pixel_spacing
        slices = values.spread(NOISE_SLICES)[1:-1]
        noise = [found for hu in slices for found in measure_noise(hu, spacing)]
        return median(noise) if noise else None

    def _measure_kernel(self, values: Values) -> KernelSpectra:
        rows, columns = self.scan.pixel_spacing
        return join_spectra(
            [measure_kernel(hu[np.newaxis], (rows, columns)) for hu in values.spread(SLICES)]
        )

    def _comment(self) -> str:
        if not self.task.harmonizes:
            return ""
        model = self.task.harmonizer.model
        return (
            f"{MARK.decode()} to {self.task.card.target_kernel} by {model.card.name} "
            f"(SHA-256 {model.sha256}), {SOFTWARE}"
        )

    def _record(self) -> dict[str, Any]:
        """Return what the sidecar says of how the file was made."""
        harmonizer = self.task.harmonizer
        return {
            "software": SOFTWARE,
            "engine": harmonizer.engine.name,
            "configuration": json.loads(Configuration.of(harmonizer).to_json()),
            "model": self.task.card.name,
            "model_version": self.task.card.version,
            "model_sha256": harmonizer.model.sha256,
            "source": self.scan.path.name,
            "source_sha256": self.source_sha256,
            "source_kernel": self.scan.convolution_kernel,
            "target_kernel": self.task.card.target_kernel,
            "outside": list(self.outside),
            "clamped": self.clips,
            "timestamp": self.task.timestamp.isoformat(),
        }


def without_tags(text: str) -> str:
    """Leave out the tags of DICOM attributes: NIfTI sidecars name them by their keywords."""
    return TAG.sub("", text)
