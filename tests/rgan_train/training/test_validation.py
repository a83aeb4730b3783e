"""What validation measures, against figures computed by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.padding import corners, pad_files
from support.training import open_dataset, write_pair_of_scans

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


def test_slices_count_on_coarser_pixels_too(slices):
    fabric = make_fabric(1, "32-true")
    both = Validator(fabric, slices, READER, RANGE, Shift(0.0), coarsest=1.4)
    own, coarse = (
        [psnr(*READER.read(files).resample(factor), RANGE) for files in slices]
        for factor in (1.0, 1.4)
    )
    expected = (np.mean(own) + np.mean(coarse)) / 2
    assert both.input_psnr() == pytest.approx(expected)
    assert both.scores()["validation_psnr"] == pytest.approx(expected, abs=1e-4)
    assert both.example.source_hu.shape == READER.read(slices[0]).source_hu.shape


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


def test_padding_does_not_count(tmp_path):
    root = write_pair_of_scans(tmp_path)
    plain = open_dataset(root).train
    padding = corners(64)
    samples = [SliceReader(64).read(files) for files in plain]
    pad_files(root / "1-B70f", padding, -2000, PixelPaddingValue=-2000)
    padded = Validator(make_fabric(1, "32-true"), plain, SliceReader(64), RANGE, Shift(0.0))
    inside = [[hu[~padding] for hu in sample] for sample in samples]
    expected = np.mean([psnr(*images, RANGE) for images in inside])
    assert padded.input_psnr() == pytest.approx(expected)
    scores = padded.scores()
    assert scores["validation_psnr"] == pytest.approx(expected, abs=1e-4)
    errors = [np.abs(np.subtract(*images)).mean() for images in inside]
    assert scores["validation_mae_hu"] == pytest.approx(np.mean(errors), rel=0.01)
    assert 0.9 < padded.accuracy(RANGE) < 1


def test_a_slice_of_padding_alone_does_not_count(tmp_path):
    root = write_pair_of_scans(tmp_path)
    slices = open_dataset(root).train
    expected = Validator(make_fabric(1, "32-true"), slices[1:], SliceReader(64), RANGE, Shift(0.0))
    scores = expected.scores()
    blank = tmp_path / "blank"
    blank.mkdir()
    files = [path.rename(blank / path.name) for path in (slices[0].source, slices[0].target)]
    pad_files(blank, np.ones((64, 64), np.bool_), -2000)
    whole = (replace(slices[0], source=files[0], target=files[1]), *slices[1:])
    found = Validator(make_fabric(1, "32-true"), whole, SliceReader(64), RANGE, Shift(0.0))
    assert found.scores() == pytest.approx(scores)
    assert found.input_psnr() == pytest.approx(expected.input_psnr())
