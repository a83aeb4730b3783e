"""What was measured of a training, kept in a file, and compared."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("radiomics", reason="make eval-deps installs pyradiomics")
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "quality"))
import measured
from contrasts import contrast, measure_slices
from measured import Measured, Record, read_all


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


def test_models_that_were_measured_on_other_slices_are_not_compared(values):
    with pytest.raises(ValueError, match="too many values"):
        contrast([as_measures(values)], [as_measures(values[1:])])
