"""A small index with the columns of the Imaging Data Commons' own, and what is downloaded of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rgan_train.public.index import Index, IndexedSeries, Tables, read_index

DOI = "10.0000/made-up"
CITATION = "Nobody &amp; Nobody. (2026).\n<i>Made-up scans</i> [Data set]."
SOFT_AND_SHARP = {"SIEMENS": ("B30f", "B50f"), "GE MEDICAL SYSTEMS": ("STANDARD", "BONE")}
SLICES, MEGABYTES = 60, 0.00006


def row(number: int, study: int, description: str, **changes: object) -> dict[str, Any]:
    """Return a row of the index, for patient ``study // 10``."""
    return {
        "collection_id": "nlst",
        "PatientID": f"1000{study // 10}",
        "StudyInstanceUID": f"1.2.{study}",
        "SeriesInstanceUID": f"1.2.{study}.{number}",
        "Manufacturer": "SIEMENS",
        "ManufacturerModelName": "Sensation 16",
        "SeriesDescription": description,
        "instanceCount": SLICES,
        "series_size_MB": MEGABYTES,
        "license_short_name": "CC BY 4.0",
        "source_DOI": DOI,
        **changes,
    }


def rows(more: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the series of six patients, three of each manufacturer, two of whom came twice.

    And of more patients of Siemens, if asked for.
    """
    for study in (10, 11, 20, 21, 30, 40, 50, 60, *range(1000, 1000 + 10 * more, 10)):
        maker = "GE MEDICAL SYSTEMS" if study in (40, 50, 60) else "SIEMENS"
        yield row(0, study, "0,OPL,SE,SEN16,T20s,512,1,80,266.5,266,1", Manufacturer=maker)
        for number, kernel in enumerate(SOFT_AND_SHARP[maker], start=1):
            text = f"0,OPA,XX,MODEL,{kernel},3{study},2,120,40,20,1.5"
            yield row(number, study, text, Manufacturer=maker)


def make_tables(collection: str = "nlst", series: list[dict[str, Any]] | None = None) -> Tables:
    """Return what stands in for ``read_tables``."""
    found = list(rows()) if series is None else series
    source = {"source_doi": DOI, "citation": CITATION}
    collections = [
        {"collection_id": "nlst", "sources": [source]},
        {"collection_id": "lung_scans", "sources": [{"source_doi": None, "citation": None}]},
    ]
    of_collection = [one for one in found if one["collection_id"] == collection]
    return Tables(of_collection, collections, "0.0.0")


def make_index(monkeypatch: pytest.MonkeyPatch, more: int = 0) -> Index:
    """Return the small index, and let ``read_index`` find it."""
    series = list(rows(more))
    monkeypatch.setattr(
        "rgan_train.public.index.read_tables", lambda name: make_tables(name, series)
    )
    return read_index("nlst")


def write_series(series: IndexedSeries, folder: Path, files: int | None = None) -> None:
    """Write files of the number and the size that the index says, or fewer."""
    folder.mkdir(parents=True)
    size = series.size // series.slices
    for number in range(series.slices if files is None else files):
        (folder / f"{number}.dcm").write_bytes(bytes(size))


class FakeClient:
    """Stands in for ``idc_index.IDCClient``: it writes files, and says nothing of what fails.

    Attributes
    ----------
    asked
        The series of each call.
    broken
        Series of which half the files come.
    """

    def __init__(self, index: Index, broken: tuple[str, ...] = ()) -> None:
        self.series = {one.series_instance_uid: one for one in index.series}
        self.asked: list[list[str]] = []
        self.broken = set(broken)

    def download_from_selection(
        self,
        downloadDir: str,
        *,
        seriesInstanceUID: list[str],
        dirTemplate: str,
        quiet: bool,
        show_progress_bar: bool,
    ) -> None:
        assert dirTemplate == "%SeriesInstanceUID"
        self.asked.append(seriesInstanceUID)
        for uid in seriesInstanceUID:
            series = self.series[uid]
            files = series.slices // 2 if uid in self.broken else None
            write_series(series, Path(downloadDir) / uid, files)
