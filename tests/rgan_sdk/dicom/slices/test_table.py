"""A table of slices gives back what it was made of, and takes little room."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from support.dicom_phantoms import write_series

from rgan_sdk.dicom.header import read_header
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.slices.table import SliceFile, SliceTable
from rgan_sdk.dicom.stamp import Stamp


@pytest.fixture
def files() -> list[SliceFile]:
    return [
        SliceFile(
            path=Path(f"/scans/{number}.dcm"),
            sop_instance_uid=f"1.2.{number}",
            position=1.25 * number,
            origin=(-150.5, 0.1, 1.25 * number),
            rows=16,
            columns=12,
            stamp=Stamp(1000 + number, -5, 2**64 - 1),
        )
        for number in range(3)
    ]


def test_slices_come_back_as_they_were(files):
    table = SliceTable.of(files)
    assert list(table) == files
    assert table[-1] == files[-1]
    assert table[1:] == tuple(files[1:])
    assert len(table) == 3
    assert table.sizes == [1000, 1001, 1002]
    with pytest.raises(IndexError):
        table[3]


def test_a_table_equals_one_of_the_same_slices(files):
    table = SliceTable.of(files)
    assert table == SliceTable.of(files)
    assert hash(table) == hash(SliceTable.of(files))
    assert table != SliceTable.of(files[:2])
    assert table != files
    moved = [*files[:2], SliceFile(**{**vars(files[2]), "position": 9.0})]
    assert table != SliceTable.of(moved)


def test_a_table_goes_to_another_process(files):
    table = pickle.loads(pickle.dumps(SliceTable.of(files)))
    assert list(table) == files


def test_what_a_search_finds_is_what_the_headers_say(tmp_path: Path):
    paths = write_series(tmp_path, 4)
    (series,) = find_series(tmp_path).series
    headers = {path: read_header(path) for path in paths}
    for file in series.slices:
        header = headers[file.path]
        assert file.sop_instance_uid == header.sop_instance_uid
        assert (file.origin, file.stamp) == (header.origin, header.stamp)
        assert (file.rows, file.columns) == (header.rows, header.columns)


def test_a_slice_takes_little_room():
    count, path = 1000, "/archive/site/patient/series/IM-0001-{:04}.dcm"
    table = SliceTable.of(
        SliceFile(
            Path(path.format(n)), f"1.2.{n}", float(n), (0.0, 0.0, float(n)), 8, 8, Stamp(1, 2, 3)
        )
        for n in range(count)
    )
    assert len(pickle.dumps(table)) < 150 * count
    assert isinstance(table.positions, np.ndarray)
