"""The map of what a model gains, and the warning where it loses."""

from collections import Counter

import numpy as np
import pytest
import torch
from support.training import open_dataset, tiny_config

from rgan_sdk.card import SpacingRange, ValidityMap
from rgan_sdk.errors import TrainingError
from rgan_train.export.validity import (
    ADDED_NOISE,
    FACTORS,
    describe_losses,
    measure_validity,
    noise_without_loss,
)
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.graph import HarmonizationGraph
from rgan_train.networks.window import network_window
from rgan_train.pairs import PairedSample, SliceReader
from rgan_train.pairs.noise import PairNoise


class Constant(HarmonizationNetwork):
    """Adds the same number of window units everywhere, more of it on coarser pixels."""

    def __init__(self, difference):
        super().__init__()
        self.difference = difference

    def predict_at(self, normalized, pixel_spacing):
        return torch.zeros_like(normalized) + self.difference * pixel_spacing


class Pairs(SliceReader):
    """Stands for files: a smooth source, and a target that is brighter by 10 HU."""

    def __init__(self, difference=10.0):
        super().__init__(1)
        self.difference = difference

    def read(self, files):
        rows, columns = np.mgrid[: files.rows, : files.columns]
        source = (100 * np.sin(rows / 9) * np.cos(columns / 7)).astype(np.float32)
        return PairedSample(source, source + np.float32(self.difference))


CONFIG = tiny_config()


def measure(dataset, network, reader):
    graph = HarmonizationGraph(network, network_window(CONFIG.data.hu_range))
    return measure_validity(graph, dataset, reader, CONFIG.data)


@pytest.fixture(scope="module")
def dataset(scans):
    return open_dataset(scans)


def test_gains_are_those_of_the_model_at_each_spacing(dataset):
    own = dataset.train[0].spacing
    width = network_window(CONFIG.data.hu_range).width
    validity = measure(dataset, Constant(5 / width / own), Pairs())
    assert validity.pixel_spacing == tuple(round(own * factor, 4) for factor in FACTORS)
    assert validity.added_noise == (0.0,)  # the slices show none
    assert validity.over_linear == ()  # too small for a filter
    for factor, (gain,) in zip(FACTORS, validity.over_input, strict=True):
        assert gain == pytest.approx(20 * np.log10(10 / (10 - 5 * factor)), abs=0.05)


def test_a_model_that_is_exact_gains_a_finite_number(dataset):
    validity = measure(dataset, Constant(0.0), Pairs(difference=0.001))
    assert np.isfinite(validity.over_input).all()


def test_slices_without_any_difference(dataset):
    with pytest.raises(TrainingError, match=r"choose others with data\.validation_slices"):
        measure(dataset, Constant(0.0), Pairs(difference=0.0))


def test_noise_has_its_level_at_each_spacing(dataset, monkeypatch):
    seen = []

    def draw(self, shape, pixel_spacing, rng):
        seen.append(pixel_spacing)
        return PairedSample(*rng.standard_normal((2, *shape)).astype(np.float32))

    noise = PairNoise(np.ones((2, 9)), 0.1)
    monkeypatch.setattr(PairNoise, "measure", lambda samples, pixel_spacing: noise)
    monkeypatch.setattr(PairNoise, "draw", draw)
    validity = measure(dataset, Constant(0.0), Pairs())
    assert validity.added_noise == ADDED_NOISE
    assert Counter(seen).keys() == set(validity.pixel_spacing)


MAP = ValidityMap(
    data="validation slices of a phantom",
    pixel_spacing=(0.5, 0.7, 0.9, 1.1, 1.3),
    added_noise=(0.0, 20.0),
    over_input=((-3.0, -4.0), (2.0, -0.5), (1.0, 1.0), (2.0, 2.0), (2.0, 2.0)),
    over_linear=((0.0, 0.0), (0.5, 0.5), (0.5, -1.25), (0.2, 0.05), (0.2, 0.2)),
)


def test_losses_inside_the_range_are_named():
    told = describe_losses(MAP, SpacingRange(0.68, 0.95, 0.7))
    assert "than the source, by up to 0.5 dB (at 0.7 mm and 20 HU of added noise)" in told
    assert "than the linear filter, by up to 1.2 dB (at 0.9 mm and 20 HU of added noise)" in told


@pytest.mark.parametrize(
    ("lowest", "highest", "level"),
    [(0.68, 0.75, 0.0), (0.85, 0.95, 0.0), (1.0, 1.2, 0.0), (1.2, 1.4, 20.0)],
)
def test_noise_is_claimed_as_far_as_nothing_is_lost(lowest, highest, level):
    assert noise_without_loss(MAP, SpacingRange(lowest, highest, highest)) == level


def test_losses_outside_the_range_are_not():
    assert describe_losses(MAP, SpacingRange(0.6, 0.61, 0.6)) == ""
