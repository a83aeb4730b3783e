"""One network for many kernels: its pairs, its condition, and its training."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "quality"))
import short_training
from many_kernels import simulate
from many_kernels.conditions import CYCLES, Curve, condition, filter_gain, pixel_frequencies
from many_kernels.network import ConditionedGAN
from many_kernels.pairs import RealPairs, harmonize
from many_kernels.series import KnownSeries
from many_kernels.simulate import MARGIN, SimulatedPairs, make_noise, random_factors
from short_training import Stage, train

from rgan_train.config import override, recommended_config
from rgan_train.pairs.samples import PairedSample

GRID = np.linspace(0, 0.75, 64)
SOFT, SHARP = (Curve(GRID, np.exp(-np.log(2) * (GRID / half) ** 2)) for half in (0.15, 0.4))
CONFIG = override(
    recommended_config("radiomicgan"),
    {"generator": {"encoder": "none", "widths": [4, 4]}, "data": {"window": [-1024.0, 2000.0]}},
)
FAST = override(CONFIG, {"optimizer": {"learning_rate": 0.01}})
SIZE = 32 + 2 * MARGIN


@pytest.fixture
def series():
    hu = np.random.default_rng(0).normal(40, 20, (3, 128, 128)).astype(np.float32)
    return KnownSeries("made", hu, SHARP)


def test_a_batch_is_a_function_of_seed_and_step(series):
    pairs = SimulatedPairs([series], seed=0, batch_size=2, size=SIZE)
    first, again, other = pairs.draw(3), pairs.draw(3), replace(pairs, seed=1).draw(3)
    assert first.source_hu.shape == first.target_hu.shape == (2, 1, 32, 32)
    assert all(np.array_equal(*both) for both in zip(first, again, strict=True))
    assert not np.array_equal(first.source_hu, other.source_hu)


def test_random_kernels_keep_the_mean_and_differ():
    rng = np.random.default_rng(0)
    factors = [random_factors(GRID, rng) for _ in range(50)]
    assert all(factor[0] == pytest.approx(1) for factor in factors)
    assert any((factor == 1).all() for factor in factors)
    assert any(factor.max() > 1.05 for factor in factors)
    assert min(factor[-1] for factor in factors) < 0.01


def test_the_filter_turns_one_kernel_into_the_other_where_the_source_holds_something():
    cycles = np.linspace(0, 0.2, 20)
    assert filter_gain(SHARP, SHARP, cycles) == pytest.approx(np.ones(20))
    assert filter_gain(SHARP, SOFT, cycles) == pytest.approx(SOFT.at(cycles) / SHARP.at(cycles))
    assert filter_gain(SOFT, SHARP, cycles) == pytest.approx(
        SHARP.at(cycles) / SOFT.at(cycles), rel=0.02
    )
    assert filter_gain(SOFT, SHARP, np.array([0.7]))[0] < 0.5  # nothing but noise


def test_a_condition_tells_kernels_and_pixels():
    frequency = np.linspace(0, 8, 50)
    value = np.exp(-((frequency / 5) ** 2))
    fine, coarse = (Curve.on_pixels(frequency, value, spacing) for spacing in (0.5, 1.0))
    told = condition(fine, coarse)
    assert told.shape == (2 * len(CYCLES),)
    assert told[: len(CYCLES)] == pytest.approx(np.log(fine.at(CYCLES)), abs=1e-5)
    assert (told[: len(CYCLES)] < told[len(CYCLES) :]).all()  # 0.2 cycles are 4 and 2 lp/cm


def test_the_network_is_told_of_kernels_as_they_are_measured(series, monkeypatch):
    pairs = SimulatedPairs([series], seed=0, batch_size=1, size=SIZE)
    measured = [pairs.draw(step).told for step in range(200)]
    monkeypatch.setattr(simulate, "MEASUREMENT_ERROR", 0.0)
    errors = np.array(measured) - [pairs.draw(step).told for step in range(200)]
    highest = errors[:, len(CYCLES) - 1]
    seen = highest[highest != 0]  # what is below the least transfer counts as that
    assert len(seen) > 50
    assert seen.std() == pytest.approx(0.3 * CYCLES[-1] / 0.5, rel=0.3)
    assert np.abs(errors[:, 0]).max() < np.abs(highest).max() / 5


def test_each_comparison_is_of_trainings_that_are_planned():
    one_network = pytest.importorskip(
        "one_network", reason="make eval-deps installs pyradiomics", exc_type=ImportError
    )
    tunings = {tuning.name for tuning in one_network.tunings()}
    alone = {one_network.name_of(cell) for cell in one_network.pair_cells()}
    sides = [side for _, *both in one_network.comparisons() for side in both]
    for way in one_network.WAYS:
        compared = {one_network.in_way(way, name) for side in sides for name in side}
        match = one_network.in_way(way, one_network.MATCH)
        there = {name for name in tunings | alone if name.startswith(one_network.in_way(way, ""))}
        assert compared == there | {match}


def test_noise_has_the_wanted_level_and_spectrum():
    cycles = pixel_frequencies((256, 256))
    noise = make_noise((256, 256), SOFT, cycles, 12.0, np.random.default_rng(0))
    assert noise.std() == pytest.approx(12)
    power = np.square(np.abs(np.fft.rfft2(noise)))
    expected = cycles * SOFT.at(cycles) ** 2
    bands = [(cycles > low) & (cycles < low + 0.02) for low in (0.02, 0.09, 0.3)]
    scales = [power[band].mean() / expected[band].mean() for band in bands]
    assert scales == pytest.approx([scales[1]] * 3, rel=0.2)


def test_a_new_network_is_the_filter_in_front(series):
    torch.manual_seed(0)
    network = ConditionedGAN.build_network(CONFIG).eval()
    hu = series.hu[0].copy()
    hu[:8] = 3000
    out = harmonize(network, hu, SHARP, SHARP)
    assert out == pytest.approx(hu, abs=0.01)
    softer = harmonize(network, hu, SHARP, SOFT)
    assert softer[20:-20].std() < 0.6 * hu[20:-20].std()
    assert (softer[:8] == 3000).all()


def test_conditions_change_the_weights_once_they_are_trained():
    torch.manual_seed(0)
    network = ConditionedGAN.build_network(CONFIG)
    one, two = (torch.from_numpy(condition(*ends)) for ends in ((SOFT, SHARP), (SHARP, SOFT)))
    name = "head.0.0.weight"
    assert torch.equal(network.weights_for(one)[name], network.weights_for(two)[name])
    with torch.no_grad():
        network.directions[name.replace(".", "/")].normal_()
    assert not torch.equal(network.weights_for(one)[name], network.weights_for(two)[name])


def test_training_goes_on_where_it_stood(series, tmp_path, monkeypatch):
    monkeypatch.setattr(short_training, "SAVE_EVERY", 2)
    draw = SimulatedPairs([series], seed=0, batch_size=1, size=SIZE).draw
    whole = Stage(ConditionedGAN, CONFIG, 4, draw, {}, tmp_path / "whole")

    def interrupted(step):
        if step == 3:
            raise KeyboardInterrupt
        return draw(step)

    with pytest.raises(KeyboardInterrupt):
        train(Stage(ConditionedGAN, CONFIG, 4, interrupted, {}, tmp_path / "parts"))
    expected, found = (
        train(whole),
        train(Stage(ConditionedGAN, CONFIG, 4, draw, {}, tmp_path / "parts")),
    )
    for name, tensor in expected.state_dict().items():
        assert torch.equal(tensor, found.state_dict()[name]), name
    assert expected.directions["head/0/0/weight"].any()


def test_a_checkpoint_of_other_settings_is_not_gone_on_with(series, tmp_path):
    draw = SimulatedPairs([series], seed=0, batch_size=1, size=SIZE).draw
    weight = "generator.head.0.0.weight"
    first, again, other = (
        train(Stage(ConditionedGAN, config, 2, draw, {"rate": rate}, tmp_path)).state_dict()[weight]
        for config, rate in ((CONFIG, 1), (CONFIG, 1), (FAST, 2))
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 1


def test_a_network_is_given_the_same_in_use_as_in_training(series, monkeypatch):
    hu = np.where(series.hu[0] > 40, 1900, -1020).astype(np.float32)
    network, given = ConditionedGAN.build_network(CONFIG).eval(), []
    monkeypatch.setattr(network, "forward", lambda image, told: given.append(image) or image)
    harmonize(network, hu, SOFT, SHARP)
    assert given[0].min() == 0
    assert given[0].max() == 1


def test_a_few_pairs_start_from_another_training(series, tmp_path):
    draw = SimulatedPairs([series], seed=0, batch_size=1, size=SIZE).draw
    first = Stage(ConditionedGAN, CONFIG, 2, draw, {}, tmp_path / "first")
    network = train(first)
    pair = PairedSample(series.hu[0], series.hu[1])
    tuned = RealPairs([pair], SHARP, SOFT, 0, 1, SIZE)
    same, other = (
        train(
            Stage(
                ConditionedGAN,
                CONFIG,
                steps,
                tuned.draw,
                {},
                tmp_path / f"{steps}",
                first.checkpoint,
            )
        )
        for steps in (0, 2)
    )
    weight = "generator.head.0.0.weight"
    assert torch.equal(network.state_dict()[weight], same.state_dict()[weight])
    assert not torch.equal(network.state_dict()[weight], other.state_dict()[weight])
