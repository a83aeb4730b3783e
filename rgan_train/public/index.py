"""The index of the Imaging Data Commons, which the package ``idc-index-data`` holds.

It has a row for each series, without the ConvolutionKernel: ``descriptions`` says what can be told
of that.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple

from rgan_sdk.errors import ConfigurationError

COLUMNS = {
    "collection_id": "collection",
    "PatientID": "patient",
    "StudyInstanceUID": "study_instance_uid",
    "SeriesInstanceUID": "series_instance_uid",
    "Manufacturer": "manufacturer",
    "ManufacturerModelName": "model",
    "SeriesDescription": "description",
    "instanceCount": "slices",
    "series_size_MB": "megabytes",
    "license_short_name": "licence",
    "source_DOI": "doi",
}
"""Columns of the index that are read, and the field that each becomes."""

MEGABYTE = 1_000_000
"""Bytes, as the index counts them."""


@dataclass(frozen=True, slots=True)
class IndexedSeries:
    """A CT series of the index.

    Attributes
    ----------
    patient
        PatientID, which the collection has made up.
    slices
        Number of files.
    size
        Of all files together, in bytes.
    licence
        Short name, such as ``CC BY 4.0``.
    doi
        Of the data set that the series belongs to.
    """

    collection: str
    patient: str
    study_instance_uid: str
    series_instance_uid: str
    manufacturer: str
    model: str
    description: str
    slices: int
    size: int
    licence: str
    doi: str


class Index(NamedTuple):
    """The CT series of one collection.

    Attributes
    ----------
    citations
        How to cite each data set, by its DOI.
    version
        Of ``idc-index-data``.
    """

    series: list[IndexedSeries]
    citations: dict[str, str]
    version: str


class Tables(NamedTuple):
    """What is read of the package: rows of series and of collections, and the version."""

    series: list[dict[str, Any]]
    collections: list[dict[str, Any]]
    version: str


def read_index(collection: str) -> Index:
    """Return the CT series of a collection.

    Raises
    ------
    ConfigurationError
        If the extra ``[public]`` is not installed, or the index has no such collection.
    """
    tables = read_tables(collection)
    if not tables.series:
        names = [row["collection_id"] for row in tables.collections]
        near = " or ".join(get_close_matches(collection, names)) or "one such as nlst"
        raise ConfigurationError(
            f"collection {collection!r}: idc-index-data {tables.version} has no CT series of it; "
            f"did you mean {near}?"
        )
    citations = {
        source["source_doi"]: _plain(source["citation"] or "")
        for row in tables.collections
        for source in row["sources"]
        if source["source_doi"]
    }
    return Index([_make_series(row) for row in tables.series], citations, tables.version)


def read_tables(collection: str) -> Tables:
    """Read the package's tables: the CT series of a collection, and all collections.

    Raises
    ------
    ConfigurationError
        If the extra ``[public]`` is not installed.
    """
    try:
        import idc_index_data
        from pyarrow import parquet
    except ImportError as exc:
        raise ConfigurationError(
            f"the index of the Imaging Data Commons needs {exc.name}, which is not installed: "
            "pip install 'rgan-sdk[public]'"
        ) from exc

    series = parquet.read_table(
        idc_index_data.IDC_INDEX_PARQUET_FILEPATH,
        columns=list(COLUMNS),
        filters=[("Modality", "==", "CT"), ("collection_id", "==", collection)],
    )
    collections = parquet.read_table(
        idc_index_data.INDEX_METADATA["collections_index"]["parquet_filepath"],
        columns=["collection_id", "sources"],
    )
    return Tables(series.to_pylist(), collections.to_pylist(), idc_index_data.__version__)


def _make_series(row: Mapping[str, Any]) -> IndexedSeries:
    fields = {field: row[column] for column, field in COLUMNS.items()}
    size = round(fields.pop("megabytes") * MEGABYTE)
    slices = fields.pop("slices")
    texts = {name: text or "" for name, text in fields.items()}
    return IndexedSeries(**texts, slices=slices, size=size)


def _plain(text: str) -> str:
    """Return a citation without HTML, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split())
