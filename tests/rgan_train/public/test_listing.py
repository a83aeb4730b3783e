import csv

import pytest
from support.public_index import DOI, make_index

from rgan_sdk.errors import OutputError
from rgan_train.public.listing import COLUMNS, sources, write_list
from rgan_train.public.select import find_public_pairs

CITATION = "Nobody & Nobody. (2026). Made-up scans [Data set]."


def test_a_row_names_both_series_licence_and_citation(monkeypatch, tmp_path):
    index = make_index(monkeypatch)
    pairs = find_public_pairs(index.series)
    write_list(pairs, index, tmp_path / "lists" / "list.csv")
    with (tmp_path / "lists" / "list.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert tuple(rows[0]) == COLUMNS
    for row, pair in zip(rows, pairs, strict=True):
        assert row["series_a"] == pair.a.series_instance_uid
        assert row["series_b"] == pair.b.series_instance_uid
        assert row["patient"] == pair.patient
        assert (row["licence"], row["doi"], row["citation"]) == ("CC BY 4.0", DOI, CITATION)
        assert (row["slices"], row["thickness"], row["index"]) == ("60", "2", "0.0.0")
    assert sources(pairs, index) == [f"CC BY 4.0: {CITATION}"]


def test_a_list_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "list.csv").mkdir()
    with pytest.raises(OutputError, match=r"list.csv: the list cannot be written"):
        write_list([], make_index(monkeypatch), tmp_path / "list.csv")
