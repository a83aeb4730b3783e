"""Series on their way through a run, and the batches that their slices are dealt into."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import groupby
from pathlib import Path, PurePosixPath
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgan_sdk import _core
from rgan_sdk.card import ModelCard
from rgan_sdk.cores import look_ahead
from rgan_sdk.dicom.domain import noise_notes
from rgan_sdk.dicom.read.kernel_guard import Verdict, judge_kernel
from rgan_sdk.dicom.series import Series
from rgan_sdk.dicom.slices.table import SliceFile
from rgan_sdk.dicom.write.clamping import Clamped
from rgan_sdk.dicom.write.copier import SeriesCopier
from rgan_sdk.dicom.write.derivation import Derivation
from rgan_sdk.dicom.write.memory_writer import MemoryWriter
from rgan_sdk.dicom.write.series_writer import SeriesWriter
from rgan_sdk.dicom.write.writer import WrittenFile
from rgan_sdk.errors import IneligibleError, RganError, describe_unexpected


@dataclass
class SeriesJob:
    """A series on its way through the stages.

    Attributes
    ----------
    derivation
        How it is harmonized; None if its files are copied.
    folder
        Where its files are written; it exists already. Where the series stays in memory, a name.
    above
        The folder of OUTPUT that its own will lie in, relative to OUTPUT.
    names
        Of its files, by SOPInstanceUID of their sources; empty where their own UIDs name them.
    error
        The first error of the series; None while there is none.
    left
        How many slices have not passed the last stage yet.
    files
        What was written so far.
    kernel
        What its images show of its kernel.
    damage
        What is wrong with the finished series in OUTPUT that this one will replace; empty where
        there is none.
    middle
        ``[H, W]`` HU of its middle slice, before and after; None unless pictures are wanted.
    noise
        Standard deviation in HU in soft tissue, of each of ``noise_uids`` where it was measured.
    writer
        What takes its slices; None until the first one is to be written to ``folder``.
    """

    series: Series
    derivation: Derivation | None
    folder: Path
    above: PurePosixPath = field(default_factory=PurePosixPath)
    names: Mapping[str, str] = field(default_factory=dict)
    error: Exception | None = None
    left: int = 0
    kernel: Verdict = field(default_factory=Verdict)
    damage: str = ""
    files: list[WrittenFile] = field(default_factory=list)
    middle: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    noise: list[float] = field(default_factory=list)
    writer: SeriesWriter | SeriesCopier | MemoryWriter | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.left = self.slices

    @property
    def output(self) -> str:
        """Its folder, relative to OUTPUT."""
        return str(self.above / self.folder.name)

    @property
    def clips(self) -> int:
        """How many pixels could not be stored as computed."""
        return sum(file.clips for file in self.files)

    @property
    def clamping(self) -> dict[str, Any]:
        """Return ``clips``, and as ``clamped`` the same by what they show."""
        places = reduce(Clamped.plus, (file.clamped for file in self.files), Clamped())
        return {"clips": self.clips, "clamped": places}

    @property
    def middle_uid(self) -> str:
        """SOPInstanceUID of the slice that the series' picture shows."""
        return self.series.slices.sop_instance_uids[self.slices // 2]

    @property
    def noise_uids(self) -> frozenset[str]:
        """SOPInstanceUIDs of up to three slices from its middle half that stand for its noise."""
        uids = self.series.slices.sop_instance_uids
        return frozenset(uids[self.slices * part // 4] for part in (1, 2, 3))

    @property
    def noise_hu(self) -> float | None:
        """Standard deviation in HU in soft tissue; None if it was not measured."""
        return median(self.noise) if self.noise else None

    def open_writer(
        self, pool: _core.ThreadPool, *, durable: bool
    ) -> SeriesWriter | SeriesCopier | MemoryWriter:
        """Return what takes its slices; the first call chooses it, unless there is one."""
        if self.writer is None:
            self.writer = (
                SeriesWriter(self.derivation, self.folder, pool, durable=durable, names=self.names)
                if self.derivation
                else SeriesCopier(self.folder, durable=durable, names=self.names)
            )
        return self.writer

    def notes(self, card: ModelCard) -> tuple[str, ...]:
        """Return what its pixels give reason to remark."""
        return (*noise_notes(self.noise_hu, card), *self.kernel.notes)

    @property
    def slices(self) -> int:
        """How many slices it has."""
        return len(self.series.slices)

    @property
    def is_new(self) -> bool:
        """Whether no slice has passed the last stage yet."""
        return self.left == self.slices

    def attempt(self, folder: Path) -> SeriesJob:
        """Return a new job for the same work, which writes to a folder of its own."""
        return SeriesJob(self.series, self.derivation, folder, names=self.names, error=self.error)

    def fail(self, error: Exception) -> None:
        """Mark the series as failed; the first error stays."""
        self.error = self.error or error

    @property
    def is_left_aside(self) -> bool:
        """Whether it ended because it is nothing to harmonize, and not because something failed."""
        return isinstance(self.error, IneligibleError)

    @property
    def problem(self) -> str:
        """What went wrong, without patient data; empty if nothing did."""
        if self.error is None or isinstance(self.error, RganError):
            return str(self.error or "")
        return describe_unexpected(self.error)

    def explain(self, *folders: Path) -> str:
        """Say what went wrong, with paths relative to some folders."""
        text = self.problem
        for folder in folders:
            text = text.replace(f"{folder}{os.sep}", "")
        if self.damage:
            text += f"; it was to be done again, {self.damage}"
        return text


def is_processed(derivation: Derivation | None) -> bool:
    """Return whether pixels are changed, rather than copied or left to the identity engine."""
    return derivation is not None and derivation.harmonizes


@dataclass(frozen=True)
class BatchItem:
    """The place of one slice in a batch."""

    job: SeriesJob
    file: SliceFile

    @property
    def pixel_spacing(self) -> float:
        """In mm."""
        return self.job.series.mean_pixel_spacing

    @property
    def kind(self) -> tuple[int, int, float]:
        """What all slices of a batch have in common: rows, columns and pixel spacing."""
        return self.file.rows, self.file.columns, self.pixel_spacing


def judged(
    jobs: Iterable[SeriesJob], card: ModelCard | None, *, strict: bool
) -> Iterator[SeriesJob]:
    """Yield each job once its images were compared with the kernels on a model's card.

    Parameters
    ----------
    card
        Of the model that takes them; None compares nothing.
    strict
        Whether a series fails that shows another kernel.
    """
    if card is None:
        yield from jobs
        return
    for job, verdict in look_ahead(jobs, lambda job: judge_kernel(job.series, card)):
        job.kernel = verdict
        if verdict.is_suspect and strict:
            job.fail(IneligibleError(verdict.text))
        yield job


def deal_batches(jobs: Iterable[SeriesJob], size: int) -> Iterator[list[BatchItem]]:
    """Deal slices into batches of one matrix size and pixel spacing, in the order of the series.

    Parameters
    ----------
    jobs
        Taken one by one, when their first slice is needed.
    size
        Slices per batch; the last one of its kind may be smaller.
    """
    batch: list[BatchItem] = []
    for job in jobs:
        for file in job.series.slices:
            item = BatchItem(job, file)
            if batch and (len(batch) == size or batch[0].kind != item.kind):
                yield batch
                batch = []
            batch.append(item)
    if batch:
        yield batch


def group_by_job(items: Sequence[BatchItem]) -> Iterator[tuple[SeriesJob, slice]]:
    """Yield each job of a batch with the part of the batch that belongs to it."""
    start = 0
    for _, group in groupby(items, key=lambda item: id(item.job)):
        count = len(list(group))
        yield items[start].job, slice(start, start + count)
        start += count
