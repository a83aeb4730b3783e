"""Pairs with noise of their own on both sides, and losses that may suit them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "quality"))
from noise_losses.losses import CELL, MatchingGAN, TextureGAN, texture_loss
from noise_losses.scans import NoisyPairs, add_independent_noise
from short_training import Stage, train

from rgan_train.config import override, recommended_config
from rgan_train.pairs.noise import BLOCK, PairNoise
from rgan_train.pairs.samples import PairedSample
from rgan_train.training.run import _check_curriculum

CONFIG = override(
    recommended_config("radiomicgan"),
    {"generator": {"encoder": "none", "widths": [4, 4]}, "domain": {"spacing_aware": False}},
)


@pytest.fixture
def noise():
    """A target's kernel that passes twice as much of all frequencies."""
    power = np.ones((2, BLOCK))
    power[1] = 4
    return PairNoise(power, 1 / (BLOCK * 0.7))


@pytest.fixture
def sample():
    return PairedSample(*np.full((2, 128, 128), 40, np.float32))


def test_source_and_target_get_noise_that_the_other_has_not(noise, sample):
    first, second = add_independent_noise([sample, sample], noise, 0.7, 15, seed=0)
    source, target = (hu.ravel() - 40 for hu in first)
    assert source.std() == pytest.approx(15, rel=0.05)
    assert target.std() == pytest.approx(30, rel=0.05)
    assert abs(np.corrcoef(source, target)[0, 1]) < 0.05
    assert not np.array_equal(first.source_hu, second.source_hu)
    assert np.array_equal(first.source_hu, np.rint(first.source_hu))


def test_texture_is_alike_where_noise_is_as_strong_wherever_its_pixels_are():
    images = torch.randn(3, 1, 96, 96, generator=torch.Generator().manual_seed(0))
    one, two, three = images
    assert texture_loss(one[None], one[None]) == 0
    another, weaker = texture_loss(one[None], two[None]), texture_loss(one[None], 0.5 * three[None])
    assert another < weaker / 5
    assert texture_loss(one[None], one[None] + 7) == pytest.approx(0, abs=1e-5)
    assert CELL < 96


def test_without_a_level_slices_stay_as_they_are(noise, sample):
    (same,) = add_independent_noise([sample], noise, 0.7, 0, seed=0)
    assert all(map(np.array_equal, same, sample))


def test_a_slope_has_no_texture():
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    slope = (20 * rows - 7 * columns)[None, None]
    assert texture_loss(slope, torch.zeros(1, 1, 64, 64)) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("method", [MatchingGAN, TextureGAN])
def test_a_loss_trains_the_generator(method, noise, sample, tmp_path):
    noisy = add_independent_noise([sample], noise, 0.7, 15, seed=0)
    draw = NoisyPairs(noisy, 0.7, 0, 1, 64).draw
    network = train(Stage(method, CONFIG, 2, draw, {}, tmp_path))
    assert network.get_parameter("head.1.weight").any()  # it begins as zeros


def test_lesions_are_looked_for_in_slices_as_files_hold_them(tmp_path, monkeypatch):
    judge = pytest.importorskip(
        "noise_losses.judge", reason="make eval-deps installs pyradiomics", exc_type=ImportError
    )
    hu = np.random.default_rng(0).integers(-1000, 100, (64, 64)).astype(np.float32)
    stack, seen = judge.Stack([PairedSample(hu, hu)], 0.7, tmp_path), []
    monkeypatch.setattr(judge.Stack, "measure", lambda self, hu: judge.Measured({}, {}))
    monkeypatch.setattr(judge.Slices, "see", lambda self, method: seen.append(method(self.hu)))
    monkeypatch.setattr(judge, "summarize", lambda lesions: {})
    judge.Judge(stack, (None, None), ("B40f", "B70f"))._measure(lambda hu: hu - 500.4)
    assert np.array_equal(seen[0][0], np.maximum(np.rint(hu - 500.4), hu.min()))


def test_losses_without_pairs_can_be_trained():
    losses = pytest.importorskip(
        "unpaired_losses", reason="make eval-deps installs pyradiomics", exc_type=ImportError
    )
    for training in losses.TRAININGS:
        config = override(recommended_config("radiomicgan"), training.settings)
        _check_curriculum(config, has_discriminator=True)
        assert config.curriculum.schedule == "none"
