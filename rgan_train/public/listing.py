"""The list of public pairs: a CSV file with one row per pair, its licence and its citation."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from rgan_sdk.errors import OutputError
from rgan_sdk.files import atomic_write
from rgan_train.public.index import MEGABYTE, Index
from rgan_train.public.select import PublicPair

COLUMNS = (
    "collection",
    "patient",
    "manufacturer",
    "model",
    "kernel_a",
    "kernel_b",
    "slices",
    "thickness",
    "field_of_view",
    "size_mb",
    "study_instance_uid",
    "series_a",
    "series_b",
    "licence",
    "doi",
    "citation",
    "index",
)


def write_list(pairs: Iterable[PublicPair], index: Index, path: Path) -> None:
    """Write a list of public pairs.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            atomic_write(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(_row(pair, index) for pair in pairs)
    except OSError as exc:
        raise OutputError(f"{path}: the list cannot be written ({exc.strerror})") from exc


def sources(pairs: Iterable[PublicPair], index: Index) -> list[str]:
    """Return the licence and the citation of each data set that the pairs are of."""
    found = {
        f"{one.licence}: {index.citations.get(one.doi, one.doi)}": None
        for pair in pairs
        for one in (pair.a, pair.b)
    }
    return list(found)


def _row(pair: PublicPair, index: Index) -> Sequence[object]:
    a, b = pair.a, pair.b
    return (
        a.collection,
        a.patient,
        a.manufacturer,
        a.model,
        pair.kernel_a,
        pair.kernel_b,
        a.slices,
        pair.thickness,
        pair.field_of_view,
        f"{(a.size + b.size) / MEGABYTE:.1f}",
        a.study_instance_uid,
        a.series_instance_uid,
        b.series_instance_uid,
        _both(a.licence, b.licence),
        _both(a.doi, b.doi),
        _both(*(index.citations.get(one.doi, "") for one in (a, b))),
        index.version,
    )


def _both(*texts: str) -> str:
    """Return what is said of both series, once where it is the same."""
    return "; ".join(dict.fromkeys(filter(None, texts)))
