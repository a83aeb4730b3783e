"""What validation measures, against figures computed by hand."""

import numpy as np
import pytest
import torch
from support.training import open_dataset

from rgan_sdk.hu import HUWindow
from rgan_train.evaluation.metrics.image_quality import psnr
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.pairs import SliceReader
from rgan_train.processes import make_fabric
from rgan_train.training.validation import Validator

RANGE = HUWindow(-1024.0, 1000.0)
READER = SliceReader(64)


class Shift(HarmonizationNetwork):
    """Adds a constant difference, in window units."""

    def __init__(self, difference):
        super().__init__()
        self.difference = difference

    def predict(self, normalized):
        return torch.full_like(normalized, self.difference)


@pytest.fixture(scope="module")
def slices(scans):
    return open_dataset(scans).train


def validator(slices, difference=0.0):
    return Validator(make_fabric(1, "32-true"), slices, READER, RANGE, Shift(difference))


def test_a_network_that_changes_nothing_scores_as_the_input(slices):
    unchanged = validator(slices)
    expected = np.mean([psnr(*READER.read(files), RANGE) for files in slices])
    assert unchanged.input_psnr() == pytest.approx(expected)
    scores = unchanged.scores()
    assert set(scores) == {"validation_psnr", "validation_mae_hu"}
    assert scores["validation_psnr"] == pytest.approx(expected, abs=1e-4)
    errors = [np.abs(np.subtract(*READER.read(files))).mean() for files in slices]
    assert scores["validation_mae_hu"] == pytest.approx(np.mean(errors), rel=0.01)


def test_scores_follow_the_network(slices):
    assert validator(slices, 0.1).scores()["validation_psnr"] < validator(slices).input_psnr()


def test_the_example_is_the_slice_in_the_middle(slices):
    shifted = validator(slices, 0.01)
    assert shifted.example is None
    shifted.scores()
    source, target = READER.read(slices[len(slices) // 2])
    assert np.array_equal(shifted.example.source_hu, source)
    assert np.array_equal(shifted.example.target_hu, target)
    inside = (source > -1000) & (source < 900)
    change = (shifted.example.harmonized_hu - source)[inside]
    assert change == pytest.approx(0.01 * 2040, abs=0.01)  # the network sees 2040 HU


def test_accuracy_is_in_units_of_the_window(slices):
    window = HUWindow(0.0, 100.0)
    errors = []
    for files in slices:
        source, target = (np.clip(hu, 0, 100) for hu in READER.read(files))
        errors.append(np.abs(source - target).mean())
    expected = 1 - np.mean(errors) / 100
    assert validator(slices).accuracy(window) == pytest.approx(expected, abs=1e-5)
