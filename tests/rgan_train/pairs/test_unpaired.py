"""The list of real slices without a partner."""

import json
import shutil

import numpy as np
import pytest
from support.training import write_scan

from rgan_sdk.errors import TrainingError
from rgan_train.pairs.find import search_folder
from rgan_train.pairs.unpaired import Gain, read_unpaired, write_unpaired

GAIN = Gain((0.0, 2.0, 4.0), (1.0, 1.5, 3.0))


@pytest.fixture
def listed(tmp_path):
    folder = write_scan(tmp_path / "scans" / "one", "B40f", slices=3)
    write_unpaired("source", search_folder(folder).series, GAIN, tmp_path / "unpaired.json")
    return tmp_path


def test_a_list_comes_back(listed):
    found = read_unpaired(listed / "unpaired.json")
    assert (found.side, found.gain) == ("source", GAIN)
    assert [item.path.name for item in found.slices] == [f"1-1-0{n}.dcm" for n in range(3)]
    assert {(item.rows, item.columns) for item in found.slices} == {(64, 64)}
    assert {item.spacing for item in found.slices} == {0.7}


def test_a_gain_holds_on_beyond_what_was_measured():
    assert np.allclose(GAIN(np.array([1.0, 9.0])), [1.25, 3.0])


def test_a_folder_that_is_not_utf_8(tmp_path):
    folder = write_scan(tmp_path / "scans \udcff", "B40f", slices=3)
    write_unpaired("target", search_folder(folder).series, GAIN, tmp_path / "unpaired.json")
    assert len(read_unpaired(tmp_path / "unpaired.json").slices) == 3


def test_a_series_that_lost_a_slice(listed):
    next((listed / "scans" / "one").iterdir()).unlink()
    with pytest.raises(TrainingError, match=r"has no series \S+ with the 3 slices that the run"):
        read_unpaired(listed / "unpaired.json")


def test_a_series_that_has_other_slices_now(listed):
    shutil.rmtree(listed / "scans" / "one")
    write_scan(listed / "scans" / "one", "B40f", slices=4)
    (listed / "scans" / "one" / "1-1-00.dcm").unlink()
    with pytest.raises(TrainingError, match="was it moved or changed"):
        read_unpaired(listed / "unpaired.json")


def test_a_series_that_is_gone(listed):
    shutil.rmtree(listed / "scans")
    with pytest.raises(TrainingError, match="scans/one: cannot be searched"):
        read_unpaired(listed / "unpaired.json")


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"side": "source", "series": []})])
def test_a_list_that_cannot_be_read(tmp_path, content):
    (tmp_path / "unpaired.json").write_text(content)
    with pytest.raises(TrainingError, match="not a readable list of real slices"):
        read_unpaired(tmp_path / "unpaired.json")
