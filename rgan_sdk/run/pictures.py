"""The pictures of a run: one per series, painted while the run goes on, and a contact sheet."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.write.derivation import Derivation, derived_sop_uid
from rgan_sdk.errors import describe_unexpected
from rgan_sdk.run.jobs import SeriesJob
from rgan_sdk.run.preview import write_contact_sheet, write_preview
from rgan_sdk.run.report import Report

FOLDER = "previews"
CONTACT_SHEET = "contact-sheet.png"
MAX_PENDING = 16  # each holds two slices in memory until it is painted


def _title(job: SeriesJob) -> str:
    """Name a series by its folder in OUTPUT and pseudonyms, so that pictures may be passed on."""
    count = len(job.series.slices)
    return f"{job.folder.name}, patient {job.series.patient}, slice {count // 2 + 1} of {count}"


def _read_middle(
    job: SeriesJob, derivation: Derivation, folder: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return ``[H, W]`` HU of the middle slice of a finished series, before and after."""
    uid = job.middle_uid
    source = next(file for file in job.series.slices if file.sop_instance_uid == uid)
    name = job.names.get(uid, f"{derived_sop_uid(uid, derivation)}.dcm")
    return read_slice(source.path, source.stamp).hu, read_slice(folder / name).hu


class Pictures:
    """Paints pictures into ``OUTPUT/previews``. One that cannot be made is a warning.

    Parameters
    ----------
    report
        Gets the names of the pictures, and the warnings.
    """

    def __init__(self, output: Path, report: Report) -> None:
        self._output, self._report = output, report
        self._painter = ThreadPoolExecutor(1, "rgan-preview")
        self._pending: deque[Future[None]] = deque()

    def paint(self, job: SeriesJob) -> None:
        """Have the middle slice of a series painted, before and after, in another thread."""
        if len(self._pending) == MAX_PENDING:
            self._pending.popleft().result()
        try:
            self._pending.append(self._painter.submit(self._write_preview, job))
        except RuntimeError:  # a picture is not worth a night's batch
            name = f"{job.folder.name}.png"
            self._report.warnings.append(f"{name} cannot be made: no thread can be started")

    def paint_missing(self, job: SeriesJob) -> None:
        """Have a finished series painted from its files, unless it has a picture."""
        if not self._path(job).exists():
            self.paint(job)

    def _path(self, job: SeriesJob) -> Path:
        return self._output / FOLDER / f"{job.folder.name}.png"

    def _write_preview(self, job: SeriesJob) -> None:
        path = self._path(job)
        kernel = job.series.convolution_kernel or "kernel not given"
        try:
            assert job.derivation is not None
            middle = job.middle or _read_middle(job, job.derivation, self._output / job.output)
            after = f"{kernel} harmonized to {job.derivation.target_kernel}"
            captions = kernel, after if job.derivation.harmonizes else "copied (identity engine)"
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_preview(path, *middle, captions, _title(job))
        except Exception as exc:  # a picture is not worth a night's batch
            self._report.warnings.append(f"{path.name} cannot be made: {describe_unexpected(exc)}")
        else:
            self._note(path)

    def write_contact_sheet(self) -> None:
        """Show all previews of OUTPUT on one sheet, also those of earlier runs."""
        folder = self._output / FOLDER
        sheet = folder / CONTACT_SHEET
        pictures = sorted(path for path in folder.glob("*.png") if path != sheet)
        if not pictures:
            return
        try:
            write_contact_sheet(sheet, pictures)
        except Exception as exc:  # a picture is not worth a night's batch
            self._report.warnings.append(f"{sheet.name} cannot be made: {describe_unexpected(exc)}")
        else:
            self._note(sheet)

    def _note(self, path: Path) -> None:
        self._report.previews.append(path.relative_to(self._output).as_posix())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._painter.shutdown()
