"""Keep the outcome of every series and every file of a run."""

from __future__ import annotations

import platform
import stat
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import rgan_sdk
from rgan_sdk.card import ModelCard
from rgan_sdk.dicom.discovery import path_prefix
from rgan_sdk.dicom.domain import domain_notes, find_outside
from rgan_sdk.dicom.geometry import geometry_notes
from rgan_sdk.dicom.image_kind import kind_notes
from rgan_sdk.dicom.inventory import Inventory
from rgan_sdk.dicom.read.kernel_guard import (
    MeasuredKernel,
    Verdict,
    judge_kernel,
)
from rgan_sdk.dicom.series import Series
from rgan_sdk.dicom.slices.table import SliceFile
from rgan_sdk.dicom.stamp import checksum
from rgan_sdk.dicom.write.clamping import Clamped, clamped_shares
from rgan_sdk.errors import DicomError
from rgan_sdk.files import file_sha256
from rgan_sdk.run.planning import Plan
from rgan_sdk.run.report import Report, SeriesEntry
from rgan_sdk.run.reports.files import FileEntry, Status

NOT_MEASURED: Final = MeasuredKernel({}, ())


class Ledger:
    """The outcomes of a plan, one for each series and each file.

    What the plan leaves aside is entered at once. The outcome of a chosen series is recorded when
    it is known.

    Parameters
    ----------
    checksums
        Whether to report the SHA-256 of each file.
    measured
        What was measured of the kernels of series, by SeriesInstanceUID and group.

    Attributes
    ----------
    report
        What was recorded so far.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        checksums: bool = False,
        measured: Mapping[tuple[str, int], MeasuredKernel] | None = None,
    ) -> None:
        self._measured = measured or {}
        self._prefix, self._checksums = path_prefix(plan.source), checksums
        self._common = plan.candidates[0].card if len(plan.candidates) == 1 else None
        self._takers = {
            _key(series): part.candidate.card
            for part in plan.parts
            for series in part.series
            if part.candidate
        }
        self.report = Report(environment=describe_environment())
        self._record_unusable(plan.inventory)
        for series, reason in plan.skipped:
            self.record(series, "skipped", reason)
        for series, reason in plan.ambiguous:
            self.record(series, "failed", reason)

    def record(
        self,
        series: Series,
        status: Status,
        reason: str = "",
        notes: tuple[str, ...] = (),
        **outcome: Any,
    ) -> SeriesEntry:
        """Record a series, and each of its files with the same status and reason.

        Parameters
        ----------
        notes
            Remarks beside those that the headers give.
        outcome
            Further fields of ``SeriesEntry``, such as ``output``; ``clips`` and ``clamped`` as
            ``make_entry`` takes them.
        """
        taker = self._takers.get(_key(series))
        card = taker or (self._common if status == "skipped" else None)
        kernel = self._kernel(series)
        entry = make_entry(
            series,
            card,
            status,
            reason,
            (*kernel.notes, *notes),
            model=taker.name if taker else None,
            mtf=kernel.mtf,
            **outcome,
        )
        self.report.series.append(entry)
        read = series.slices if self._checksums else ()
        sha256s = {str(file.path): _slice_sha256(file) for file in read}
        self.report.files.add(
            series.slices.paths, status, reason, prefix=self._prefix, sha256s=sha256s
        )
        return entry

    def plan(
        self, series: Series, reason: str = "", *, strict_kernel: bool = False, **outcome: Any
    ) -> SeriesEntry:
        """Record a series that is to be harmonized, or left aside if its kernel is suspect.

        Parameters
        ----------
        strict_kernel
            As in ``RunOptions``.
        outcome
            As for ``record``.
        """
        card = self._takers.get(_key(series))
        verdict = judge_kernel(series, card) if card else Verdict()
        if verdict.is_suspect and strict_kernel:
            return self.record(series, "skipped", verdict.text)
        return self.record(series, self.report.aim, reason, verdict.notes, **outcome)

    def _kernel(self, series: Series) -> MeasuredKernel:
        return self._measured.get(_key(series), NOT_MEASURED)

    def _record_unusable(self, inventory: Inventory) -> None:
        """Record what the search has skipped or failed already."""
        for failed in inventory.failed:
            entry = unusable_entry(
                failed.series_instance_uid, len(failed.outcomes), "failed", failed.reason
            )
            self.report.series.append(replace(entry, group=failed.group))
        outcomes = [*inventory.outcomes, *(o for one in inventory.failed for o in one.outcomes)]
        for outcome in outcomes:
            sha256 = readable_sha256(outcome.path) if self._checksums else None
            name = str(outcome.path).removeprefix(self._prefix)
            self.report.files.append(FileEntry(name, outcome.status, outcome.reason, sha256))


def make_entry(
    series: Series,
    card: ModelCard | None,
    status: Status,
    reason: str = "",
    notes: tuple[str, ...] = (),
    clips: int = 0,
    clamped: Clamped | None = None,
    **outcome: Any,
) -> SeriesEntry:
    """Return the outcome of a series, with the remarks that its headers give.

    Parameters
    ----------
    card
        Of the model, if there is one.
    clips, clamped
        How many pixels could not be stored as computed, and what they show where that is known.
    notes, outcome
        As for ``Ledger.record``.
    """
    outside = find_outside(series, card) if card else {}
    return SeriesEntry(
        series_instance_uid=series.series_instance_uid,
        group=series.group,
        convolution_kernel=series.convolution_kernel,
        reconstruction=series.reconstruction,
        slices=len(series.slices),
        status=status,
        reason=reason,
        pixel_spacing=series.mean_pixel_spacing,
        outside=tuple(outside),
        notes=(
            *series.notes,
            *kind_notes(series),
            *geometry_notes(series),
            *(_compared(series, card, outside.values()) if card and status != "skipped" else ()),
            *notes,
        ),
        clips=clips,
        clamped=clamped_shares(clips, clamped, len(series.slices) * series.rows * series.columns),
        **outcome,
    )


def unusable_entry(
    series_instance_uid: str, slices: int, status: Status, reason: str
) -> SeriesEntry:
    """Return the outcome of what could not be made into a series."""
    return SeriesEntry(
        series_instance_uid=series_instance_uid,
        group=0,
        convolution_kernel=None,
        slices=slices,
        status=status,
        reason=reason,
    )


def _compared(series: Series, card: ModelCard, outside: Iterable[str]) -> tuple[str, ...]:
    """Return what is to be said of the model's domain where a series is harmonized."""
    notes = domain_notes(series, card)
    accepted = "; ".join(outside)
    return (f"outside the model's stated domain: {accepted}", *notes) if accepted else notes


def report_plan(
    plan: Plan,
    *,
    checksums: bool = False,
    measured: Mapping[tuple[str, int], MeasuredKernel] | None = None,
    strict_kernel: bool = False,
    aim: Status = "planned",
) -> Report:
    """Report a plan as it is.

    Parameters
    ----------
    checksums, measured
        As ``Ledger`` takes them.
    strict_kernel
        As in ``RunOptions``.
    aim
        What the chosen series are: ``planned``, or ``found`` where there is no model.
    """
    ledger = Ledger(plan, checksums=checksums, measured=measured)
    ledger.report.aim = aim
    for series in plan.chosen:
        if len(plan.candidates) > 1:  # the kernel of each would have to be measured
            ledger.record(series, aim)
        else:
            ledger.plan(series, strict_kernel=strict_kernel)
    return ledger.report


def _key(series: Series) -> tuple[str, int]:
    return series.series_instance_uid, series.group


def _slice_sha256(file: SliceFile) -> str | None:
    """Hash a slice; None if it is not the file any more that was found."""
    try:
        return checksum(file.path, file.stamp)
    except DicomError:
        return None


def readable_sha256(path: Path) -> str | None:
    """Hash any other file; None for what is not a readable regular file."""
    try:
        return file_sha256(path) if stat.S_ISREG(path.lstat().st_mode) else None
    except OSError:
        return None


def describe_environment() -> dict[str, str]:
    """Return what a report says of the software around it."""
    return {
        "rgan-sdk": rgan_sdk.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
