"""Decide what a run will harmonize, and what it will leave aside."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from rgan_sdk.card import ModelCard
from rgan_sdk.dicom.discovery import walk
from rgan_sdk.dicom.domain import find_outside
from rgan_sdk.dicom.geometry import why_not_square
from rgan_sdk.dicom.inventory import Inventory, find_series, sort_files
from rgan_sdk.dicom.series import Described, Series
from rgan_sdk.errors import ConfigurationError
from rgan_sdk.files import as_path
from rgan_sdk.run.observer import Observer, SilentObserver
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.worklist import WorkList
from rgan_sdk.run.worklist.search import find_listed


class SkippedSeries(NamedTuple):
    """A valid series that will not be harmonized, and why."""

    series: Series
    reason: str


@dataclass(frozen=True)
class Plan:
    """What a run will do with a folder. It is only a plan: a ``Ledger`` keeps the outcomes.

    Attributes
    ----------
    source
        The folder, or that of the one file.
    inventory
        Everything that lies below it, or the one file.
    chosen
        The series to harmonize, by ascending pixel spacing, because a batch holds one spacing.
    skipped
        The valid series to leave aside.
    card
        Of the model that they were compared with; None if there was none.
    """

    source: Path
    inventory: Inventory
    chosen: tuple[Series, ...]
    skipped: tuple[SkippedSeries, ...]
    card: ModelCard | None = None

    @property
    def slices(self) -> int:
        """How many slices will be harmonized."""
        return sum(len(series.slices) for series in self.chosen)


def make_plan(
    source: Path | WorkList,
    card: ModelCard | None = None,
    options: RunOptions | None = None,
    observer: Observer | None = None,
) -> Plan:
    """Look at each file below a folder, or at those of a list, and choose what to harmonize.

    Parameters
    ----------
    source
        A folder, one file, or a list of series of a folder.
    card
        The model's card; None chooses every valid series.
    options
        ``outside_domain``, ``assume_hu`` and ``shard`` matter here.

    Raises
    ------
    ConfigurationError
        If ``source`` is neither a folder nor a file, or cannot be read.
    """
    options = options or RunOptions()
    inventory = _find(source, _counter(observer or SilentObserver()), options)
    reasons = [_why_not(series, card, options) for series in inventory.series]
    judged = list(zip(inventory.series, reasons, strict=True))
    chosen = [series for series, reason in judged if not reason]
    return Plan(
        root_of(source),
        inventory,
        chosen=tuple(sorted(chosen, key=lambda series: series.mean_pixel_spacing)),
        skipped=tuple(SkippedSeries(series, reason) for series, reason in judged if reason),
        card=card,
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


def _find(source: Path | WorkList, counter: Callable[[], None], options: RunOptions) -> Inventory:
    if isinstance(source, WorkList):
        return find_listed(source, counter, assume_hu=options.assume_hu)
    try:
        if source.is_file():
            listing = [entry for entry in walk(source.parent, deep=False) if entry[0] == source]
            return sort_files(source.parent, listing, counter, assume_hu=options.assume_hu)
        return find_series(source, counter, assume_hu=options.assume_hu)
    except OSError as exc:
        raise ConfigurationError(
            f"{source}: INPUT must be a folder of DICOM files, or one file, that can be read "
            f"({exc.strerror})"
        ) from exc


def _counter(observer: Observer) -> Callable[[], None]:
    counts = itertools.count(1)
    return lambda: observer.on_found(next(counts))


def _why_not(series: Series, card: ModelCard | None, options: RunOptions) -> str:
    """Return why a series will not be harmonized; an empty text if it will."""
    if card is not None and (reason := why_not_model(series, card, options)):
        return reason
    if options.shard is not None and not options.shard.holds(series.series_instance_uid):
        return f"belongs to another shard than {options.shard}"
    return ""


def why_not_model(series: Described, card: ModelCard, options: RunOptions) -> str:
    """Return why a model does not take a series, with what would help; empty if it does."""
    reasons = why_outside(series, card, options)
    names = [name for name, _ in reasons if name]
    text = "; ".join(reason for _, reason in reasons)
    if len(names) < len(reasons) or not names:  # to accept the others would not help
        return text
    return f"{text} (or use --outside-domain {','.join(names)})"


def why_outside(
    series: Described, card: ModelCard, options: RunOptions
) -> tuple[tuple[str, str], ...]:
    """Return why a model does not take a series; nothing if it does.

    Returns
    -------
    tuple of (name, reason)
        The name is one of ``rgan_sdk.harmonizer.DOMAINS``, which ``outside_domain`` may accept, or
        empty where nothing helps.
    """
    not_square = why_not_square(series) if card.format > 1 else ""
    outside = find_outside(series, card).items()
    refused = [(name, text) for name, text in outside if name not in options.outside_domain]
    return (*([("", not_square)] if not_square else []), *refused)
