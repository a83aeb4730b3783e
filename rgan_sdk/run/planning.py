"""Decide what a run will harmonize, and what it will leave aside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from rgan_sdk.dicom.discovery import walk
from rgan_sdk.dicom.inventory import Inventory, find_series, sort_files
from rgan_sdk.dicom.series import Series
from rgan_sdk.errors import ConfigurationError
from rgan_sdk.files import as_path
from rgan_sdk.run.choosing.candidates import Candidate
from rgan_sdk.run.choosing.chooser import Chooser, Fate
from rgan_sdk.run.observer import Observer, SilentObserver
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.worklist import WorkList
from rgan_sdk.run.worklist.search import find_listed


class SkippedSeries(NamedTuple):
    """A valid series that will not be harmonized, and why."""

    series: Series
    reason: str


class Part(NamedTuple):
    """Series that are treated alike.

    Attributes
    ----------
    candidate
        The model that takes them; None for copies, and where no model was asked.
    series
        By ascending pixel spacing, because a batch holds one spacing.
    are_copies
        Whether they have the target kernel already, and are copied as they are.
    """

    candidate: Candidate | None
    series: tuple[Series, ...]
    are_copies: bool = False


@dataclass(frozen=True)
class Plan:
    """What a run will do with a folder. It is only a plan: a ``Ledger`` keeps the outcomes.

    Attributes
    ----------
    source
        The folder, or that of the one file.
    inventory
        Everything that lies below it, or the one file.
    parts
        The series to harmonize, by model in the order of ``candidates``, and then those to copy.
    skipped
        The valid series to leave aside.
    ambiguous
        The series that fail because it is not clear which model is to take them.
    candidates
        The models that the series were compared with.
    """

    source: Path
    inventory: Inventory
    parts: tuple[Part, ...]
    skipped: tuple[SkippedSeries, ...]
    ambiguous: tuple[SkippedSeries, ...] = ()
    candidates: tuple[Candidate, ...] = ()

    @property
    def chosen(self) -> tuple[Series, ...]:
        """The series of all parts."""
        return tuple(series for part in self.parts for series in part.series)

    @property
    def slices(self) -> int:
        """How many slices will be harmonized or copied."""
        return sum(len(series.slices) for series in self.chosen)


def make_plan(
    source: Path | WorkList,
    candidates: Sequence[Candidate] = (),
    options: RunOptions | None = None,
    observer: Observer | None = None,
    made: Mapping[tuple[str, str], str] | None = None,
) -> Plan:
    """Look at each file below a folder, or at those of a list, and choose what to harmonize.

    Parameters
    ----------
    source
        A folder, one file, or a list of series of a folder.
    candidates
        The models; without any, every valid series is chosen.
    options
        ``outside_domain``, ``assume_hu``, ``shard`` and ``include_target`` matter here.
    made
        What OUTPUT holds already; see ``Chooser``.

    Raises
    ------
    ConfigurationError
        If ``source`` is neither a folder nor a file, or cannot be read.
    """
    options = options or RunOptions()
    inventory = _find(source, _counter(observer or SilentObserver()), options)
    rows = source.rows if isinstance(source, WorkList) else ()
    listed = {(row.series, row.group): row.model for row in rows if row.model}
    chooser = Chooser(tuple(candidates), options, listed, made or {})
    choices = [(series, chooser.choose(series)) for series in inventory.series]

    def told(fate: Fate) -> tuple[SkippedSeries, ...]:
        return tuple(
            SkippedSeries(one, choice.reason) for one, choice in choices if choice.fate is fate
        )

    def part(fate: Fate, candidate: Candidate | None) -> Part:
        series = [
            one for one, choice in choices if choice.fate is fate and choice.candidate is candidate
        ]
        ordered = tuple(sorted(series, key=lambda one: one.mean_pixel_spacing))
        return Part(candidate, ordered, are_copies=fate is Fate.COPY)

    parts = [part(Fate.HARMONIZE, candidate) for candidate in candidates or (None,)]
    parts.append(part(Fate.COPY, None))
    return Plan(
        root_of(source),
        inventory,
        parts=tuple(one for one in parts if one.series),
        skipped=told(Fate.SKIP),
        ambiguous=told(Fate.FAIL),
        candidates=tuple(candidates),
    )


def as_source(source: str | Path | WorkList) -> Path | WorkList:
    """Return INPUT, which may be a list, or raise as ``as_path`` does."""
    return source if isinstance(source, WorkList) else as_path("source", source)


def fixed_time(source: Path | WorkList) -> datetime | None:
    """Return the time that a list gives to its run; None for a folder."""
    return source.timestamp if isinstance(source, WorkList) else None


def path_of(source: Path | WorkList) -> Path:
    """Return INPUT itself; of a list the folder that was scanned."""
    return source.root if isinstance(source, WorkList) else source


def root_of(source: Path | WorkList) -> Path:
    """Return the folder that paths in reports are relative to."""
    path = path_of(source)
    return path.parent if path.is_file() else path


def _find(
    source: Path | WorkList, counter: Callable[[int], None], options: RunOptions
) -> Inventory:
    if isinstance(source, WorkList):
        return find_listed(source.deal(options.shard), counter, assume_hu=options.assume_hu)
    try:
        if source.is_file():
            beside = walk(source.parent, deep=False)
            listing = [entry for entry in beside if entry[0] == str(source)]
            return sort_files(source.parent, listing, counter, assume_hu=options.assume_hu)
        return find_series(source, counter, assume_hu=options.assume_hu)
    except OSError as exc:
        raise ConfigurationError(
            f"{source}: INPUT cannot be read ({exc.strerror}); give a folder of DICOM files"
        ) from exc


def _counter(observer: Observer) -> Callable[[int], None]:
    found = 0

    def count(files: int) -> None:
        nonlocal found
        found += files
        observer.on_found(found)

    return count
