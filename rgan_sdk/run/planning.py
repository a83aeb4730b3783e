"""Decide what a run would harmonize, and account for everything else."""

from __future__ import annotations

import hashlib
import itertools
import platform
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import rgan_sdk
from rgan_sdk.card import ModelCard
from rgan_sdk.dicom.geometry import geometry_notes
from rgan_sdk.dicom.inventory import Inventory, find_series
from rgan_sdk.dicom.series import Series, SliceFile
from rgan_sdk.dicom.stamp import checksum
from rgan_sdk.errors import ConfigurationError, DicomError
from rgan_sdk.files import file_sha256
from rgan_sdk.run.report import FileEntry, Report, SeriesEntry, Status


class Observer(Protocol):
    """What wants to follow a run; each method is called from the calling thread."""

    def found(self, files: int) -> None:
        """Hear that so many files were found and looked at so far."""

    def planned(self, series: int, slices: int) -> None:
        """Hear that discovery is over, and what is to be harmonized."""

    def written(self, slices: int) -> None:
        """Hear that so many more slices were written."""

    def finished(self, entry: SeriesEntry) -> None:
        """Hear the outcome of one series."""


class SilentObserver:
    """An observer that does nothing."""

    def found(self, files: int) -> None: ...  # noqa: D102

    def planned(self, series: int, slices: int) -> None: ...  # noqa: D102

    def written(self, slices: int) -> None: ...  # noqa: D102

    def finished(self, entry: SeriesEntry) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class Shard:
    """One of several parts into which series are dealt, each whole, always in the same way.

    Attributes
    ----------
    number, count
        The first of four is 1 of 4.

    Raises
    ------
    ConfigurationError
        If there is no such part.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ConfigurationError(f"shard {self}: the number must be from 1 to {self.count}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def holds(self, series_instance_uid: str) -> bool:
        """Whether a series is of this part."""
        digest = hashlib.sha256(series_instance_uid.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1


@dataclass
class Plan:
    """The series to harmonize, and a report that holds the outcome of all the rest."""

    source: Path
    report: Report
    checksums: bool = False
    chosen: list[Series] = field(default_factory=list)

    def conclude(
        self, series: Series, status: Status, reason: str = "", **outcome: Any
    ) -> SeriesEntry:
        """Report a series, and each of its files with the same status and reason."""
        entry = SeriesEntry(
            series_instance_uid=series.series_instance_uid,
            group=series.group,
            convolution_kernel=series.convolution_kernel,
            slices=len(series.slices),
            status=status,
            reason=reason,
            notes=geometry_notes(series),
            **outcome,
        )
        self.report.series.append(entry)
        for file in series.slices:
            path = file.path.relative_to(self.source).as_posix()
            sha256 = self._checksum(file) if self.checksums else None
            self.report.files.append(FileEntry(path, status, reason, sha256))
        return entry

    def _checksum(self, file: SliceFile) -> str | None:
        try:
            return checksum(file.path, file.stamp)
        except DicomError:
            return None

    def as_report(self) -> Report:
        """Report the chosen series as ``planned``."""
        for series in self.chosen:
            self.conclude(series, "planned")
        return self.report


def make_plan(
    source: Path,
    card: ModelCard | None = None,
    *,
    any_kernel: bool = False,
    shard: Shard | None = None,
    checksums: bool = False,
    observer: Observer | None = None,
) -> Plan:
    """Look at each file below ``source`` and choose the series to harmonize.

    Parameters
    ----------
    card
        The card of the model; None chooses each valid series.
    any_kernel
        Also choose series whose kernel the card does not name.
    shard
        Choose only series of this part.
    checksums
        Also report the SHA-256 of each file, which reads all of them.

    Raises
    ------
    ConfigurationError
        If ``source`` is no folder, or cannot be read.
    """
    plan = Plan(source, Report(environment=_environment()), checksums)
    try:
        inventory = find_series(source, _counter(observer or SilentObserver()))
    except OSError as exc:
        raise ConfigurationError(
            f"{source}: INPUT must be a folder of DICOM files that can be read ({exc.strerror})"
        ) from exc
    _report_unusable(plan, inventory)
    for series in inventory.series:
        reason = None if card is None or any_kernel else _why_not(series, card)
        if reason is None and shard is not None and not shard.holds(series.series_instance_uid):
            reason = f"of another shard than {shard}"
        if reason is None:
            plan.chosen.append(series)
        else:
            plan.conclude(series, "skipped", reason)
    return plan


def _counter(observer: Observer) -> Callable[[], None]:
    counts = itertools.count(1)
    return lambda: observer.found(next(counts))


def _report_unusable(plan: Plan, inventory: Inventory) -> None:
    """Report what discovery skipped or failed."""
    for failed in inventory.failed:
        entry = SeriesEntry(
            series_instance_uid=failed.series_instance_uid,
            group=0,
            convolution_kernel=None,
            slices=len(failed.outcomes),
            status="failed",
            reason=failed.reason,
        )
        plan.report.series.append(entry)
    outcomes = [*inventory.outcomes, *(o for failed in inventory.failed for o in failed.outcomes)]
    for outcome in outcomes:
        path = outcome.path.relative_to(plan.source).as_posix()
        sha256 = _sha256(outcome.path) if plan.checksums else None
        plan.report.files.append(FileEntry(path, outcome.status, outcome.reason, sha256))


def _sha256(path: Path) -> str | None:
    """Hash a file that discovery did not; None for what is no readable regular file."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        return file_sha256(path)
    except OSError:
        return None


def _why_not(series: Series, card: ModelCard) -> str | None:
    if card.accepts_kernel(series.convolution_kernel):
        return None
    kernels = ", ".join(card.source_kernels)
    if series.convolution_kernel is None:
        return f"no ConvolutionKernel (0018,1210); the model takes {kernels} (or use --any-kernel)"
    return (
        f"ConvolutionKernel (0018,1210) is {series.convolution_kernel}; the model takes "
        f"{kernels} (or use --any-kernel)"
    )


def _environment() -> dict[str, str]:
    return {
        "rgan-sdk": rgan_sdk.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
