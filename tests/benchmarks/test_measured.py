"""What was measured of a training, kept in a file, and compared."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("radiomics", reason="make eval-deps installs pyradiomics")
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "quality"))
import measured
from cells import measure_noise
from contrasts import contrast, measure_slices
from measured import Measured, Record, read_all
from stacks import Stack

from rgan_train.pairs.samples import PairedSample


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "FOLDER", tmp_path)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(40, 5, 8)


def as_measures(values):
    return {"PSNR, dB": measure_slices(values)}


def test_what_was_written_is_read_and_gives_the_same_limits(values):
    one = Measured({"PSNR, dB": float(values.mean())}, as_measures(values))
    record = Record("losses", "L1 + adversarial, 0.05, seed 0", {"steps": 3, "slices": (0, 1)})
    assert record.read() is None
    record.write(one)
    assert record.path.name == "L1-+-adversarial-0.05-seed-0.json"
    found = record.read()
    assert found.figures == one.figures
    other = as_measures(values[::-1])
    before, after = (contrast([m.measures], [other])["PSNR, dB"] for m in (one, found))
    assert after["interval"] == pytest.approx(before["interval"], abs=1e-3)
    assert list(read_all([record, Record("losses", "another", {})])) == [record.name]


def test_figures_of_another_configuration_count_as_missing(values):
    Record("losses", "L1", {"steps": 3}).write(Measured({}, as_measures(values)))
    assert Record("losses", "L1", {"steps": 3}).read() is not None
    assert Record("losses", "L1", {"steps": 4}).read() is None


def test_limits_of_a_contrast_come_from_the_same_slices_of_both_sides(values):
    base, better = as_measures(values), as_measures(values + 1)
    found = contrast([better, better], [base, base])["PSNR, dB"]
    assert found["value"] == pytest.approx(1)
    assert found["interval"] == pytest.approx([1, 1])

    low, high = contrast([base], [as_measures(values[::-1])])["PSNR, dB"]["interval"]
    assert low < -1 < 1 < high


def test_a_record_that_was_not_finished_is_no_record(values, tmp_path, monkeypatch):
    record = Record("losses", "L1", {})

    def broken(path, text):
        path.write_bytes(text.encode()[:10])
        raise OSError("killed")

    monkeypatch.setattr(Path, "write_text", broken)
    with pytest.raises(OSError, match="killed"):
        record.write(Measured({}, as_measures(values)))
    assert record.read() is None


def test_slices_of_air_have_no_noise_power():
    air = np.full((3, 128, 128), -1000, np.float32)
    assert measure_noise(air, air)["nps_distance_db"] is None


def test_slices_are_whole_hu_and_none_is_below_the_sources_lowest(tmp_path):
    hu = np.full((128, 128), -1000, np.float32)
    stack = Stack([PairedSample(hu, hu)], 0.7, tmp_path)
    assert (stack.as_written(stack.source_hu - 700.4) == -1000).all()
    assert (stack.as_written(stack.source_hu + 700.4) == -300).all()


def test_models_that_were_measured_on_other_slices_are_not_compared(values):
    with pytest.raises(ValueError, match="too many values"):
        contrast([as_measures(values)], [as_measures(values[1:])])
