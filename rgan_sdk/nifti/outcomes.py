"""The report of a run over NIfTI files, and its pictures."""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath

from rgan_sdk.dicom.write.clamping import clamped_shares
from rgan_sdk.errors import RganError, describe_unexpected
from rgan_sdk.nifti.job import NiftiJob, NiftiTask
from rgan_sdk.nifti.sidecar import SUFFIX, sidecar_path
from rgan_sdk.run.ledger import describe_environment, readable_sha256
from rgan_sdk.run.places.layout import make_folders
from rgan_sdk.run.preview import write_preview
from rgan_sdk.run.report import Report, SeriesEntry
from rgan_sdk.run.reports.files import FileEntry, Status
from rgan_sdk.run.state.identity import describe_engine, describe_model


class Outcomes:
    """Keeps the outcome of each file. A scan's sidecar shares the outcome of its scan.

    Parameters
    ----------
    root
        What names are relative to.

    Attributes
    ----------
    report
        What was recorded so far. The name of a file stands for its SeriesInstanceUID.
    """

    def __init__(self, task: NiftiTask, root: Path) -> None:
        self._task, self._root = task, root
        self._recorded: set[str] = set()
        self.report = Report(environment=describe_environment())
        self.report.model = describe_model(task.harmonizer.model)
        self.report.engine = describe_engine([task.harmonizer])

    def record(
        self,
        name: str,
        status: Status,
        reason: str = "",
        job: NiftiJob | None = None,
        output: str | None = None,
    ) -> None:
        """Record a scan. Its job is None if it was not taken, ``output`` unless it is done."""
        entry = SeriesEntry(
            series_instance_uid=name,
            group=0,
            convolution_kernel=job.scan.convolution_kernel if job else None,
            slices=job.scan.count if job else 0,
            status=status,
            reason=reason,
            clips=job.clips if job else 0,
            clamped=_shares(job) if job else {},
            output=output,
            pixel_spacing=job.scan.mean_pixel_spacing if job else None,
            outside=tuple(job.outside) if job else (),
            noise_hu=job.noise_hu if job else None,
            model=self._task.card.name if job and status != "skipped" else None,
            processed=self._task.harmonizes if status in ("done", "planned") else None,
            notes=job.notes() if job and status in ("done", "planned") else (),
        )
        self.report.series.append(entry)
        path = self._root / name
        self.record_file(path, status, reason)
        if sidecar_path(path).is_file():
            self.record_file(sidecar_path(path), status, reason)
        self._task.observer.on_finished(entry)

    def record_file(self, path: Path, status: Status, reason: str) -> None:
        """Record a file; one that has an outcome keeps it."""
        name = path.relative_to(self._root).as_posix()
        if name in self._recorded:
            return
        self._recorded.add(name)
        checksums = self._task.options.checksums
        sha256 = readable_sha256(path) if checksums else None
        self.report.files.append(FileEntry(name, status, reason, sha256))

    def paint(self, job: NiftiJob, folder: Path, picture: str) -> None:
        """Write the picture of a scan, before and after; what goes wrong is a warning."""
        kernel = job.scan.convolution_kernel or "kernel not given"
        after = f"{kernel} harmonized to {self._task.card.target_kernel}"
        captions = (kernel, after if self._task.harmonizes else "copied (identity engine)")
        try:
            make_folders(folder, PurePosixPath(picture).parent, durable=False)
            before, harmonized = job.middle
            title = f"{job.name}, slice {job.scan.count // 2 + 1} of {job.scan.count}"
            write_preview(folder / picture, before, harmonized, captions, title)
        except Exception as exc:  # a picture is not worth a night's batch
            self.report.warnings.append(f"{picture} cannot be made: {describe_error(exc)}")
        else:
            self.report.previews.append(picture)


def _shares(job: NiftiJob) -> dict[str, float]:
    return clamped_shares(job.clips, job.clamped, math.prod(job.scan.shape))


def picture_name(name: str) -> str:
    """Return the name of a scan's picture."""
    return SUFFIX.sub("", name) + ".png"


def describe_error(error: Exception) -> str:
    """Say what went wrong with a file."""
    return str(error) if isinstance(error, RganError) else describe_unexpected(error)
