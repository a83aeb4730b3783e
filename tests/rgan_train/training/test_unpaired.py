"""Crops of real slices that show the same tissue."""

from dataclasses import replace

import numpy as np
import pytest
from support.training import tiny_config

from rgan_sdk.errors import ConfigurationError
from rgan_train.pairs import SliceReader
from rgan_train.pairs.dataset import PairedFiles
from rgan_train.pairs.unpaired import Gain, RealSlice, Unpaired
from rgan_train.training.unpaired import make_real_sampler, tissue_shares

SIZE, CROP = 160, 48
NOTHING = Gain((0.0,), (1.0,))
TWICE = Gain((0.0, 2.0, 3.0), (1.0, 1.0, 2.0))


def write_slice(path, seed, padded=0):
    """Write a slice, one half of which is lung and the other soft tissue."""
    rng = np.random.default_rng(seed)
    hu = rng.normal(0, 20, (SIZE, SIZE))
    hu += np.where(np.arange(SIZE) < SIZE // 2, -850, 40)[:: 1 if seed % 2 else -1]
    hu[:padded] = -3024
    np.save(path, hu.astype(np.float32))
    return path


def make_sampler(folder, *assignments, own=0.7, other=0.7, gain=NOTHING, padded=0):
    """Return what draws from a slice of pairs with pixels of ``own`` mm, and a source slice."""
    config = tiny_config(f"training.crop={CROP}", *assignments)
    files = [write_slice(folder / f"{seed}.npy", seed, padded) for seed in range(3)]
    pair = PairedFiles(
        "p", files[0], files[1], "1", "2", ("4", "5"), "3", 0.0, SIZE, SIZE, (own, own)
    )
    slices = (RealSlice(files[2], SIZE, SIZE, other),)
    unpaired = Unpaired("source", slices, gain, "")
    return make_real_sampler(unpaired, [pair], SliceReader(10), config, (CROP, CROP))


def test_shares_of_tissue():
    hu = np.full((48, 16), -3024.0)
    for number, value in enumerate((-1000, -850, -100, 40, 600), start=1):
        hu[number * 8 : number * 8 + 8] = value
    assert np.allclose(tissue_shares(hu), 1 / 6)


def test_the_slices_of_the_other_group_are_in_the_pairs(tmp_path):
    sampler = make_sampler(tmp_path)
    assert [item.path.name for item in sampler.source] == ["2.npy"]
    assert [item.path.name for item in sampler.target] == ["1.npy"]


def test_a_crop_of_lung_is_compared_with_a_crop_of_lung(tmp_path):
    """The lung is at the left of source slices and at the right of target slices, or reversed."""
    sampler = make_sampler(tmp_path)
    means = []
    for step in range(20):
        crops = sampler.draw(0.7, 0, step, 0)
        assert crops.source_hu.shape == crops.target_hu.shape == (2, 1, CROP, CROP)
        means += zip(crops.source_hu.mean((1, 2, 3)), crops.target_hu.mean((1, 2, 3)), strict=True)
    sources, targets = np.transpose(means)
    assert sources.min() < -800
    assert sources.max() > 0
    assert np.abs(sources - targets).mean() < 60
    assert np.corrcoef(sources, targets)[0, 1] > 0.95


def test_crops_are_a_function_of_seed_epoch_step_and_process(tmp_path):
    sampler = make_sampler(tmp_path)
    first = sampler.draw(0.7, 1, 2, 0).source_hu
    assert np.array_equal(first, make_sampler(tmp_path).draw(0.7, 1, 2, 0).source_hu)
    others = [(0, 2, 0), (1, 3, 0), (1, 2, 1)]
    assert not any(np.array_equal(first, sampler.draw(0.7, *one).source_hu) for one in others)
    reseeded = make_sampler(tmp_path, "training.seed=1")
    assert not np.array_equal(first, reseeded.draw(0.7, 1, 2, 0).source_hu)


def test_what_is_expected_of_a_crop_is_the_measured_transfer(tmp_path):
    same = make_sampler(tmp_path).draw(0.7, 0, 0, 0)
    assert np.allclose(same.expected_hu, same.source_hu, atol=0.01)
    sharper = make_sampler(tmp_path, gain=TWICE).draw(0.7, 0, 0, 0)
    assert sharper.expected_hu.std() > sharper.source_hu.std() + 1


def test_both_groups_are_on_the_pixels_of_the_batch(tmp_path):
    sampler = make_sampler(tmp_path, own=0.7, other=0.9)
    crops = sampler.draw(0.8, 0, 0, 0)
    assert crops.coarsest == 0.9
    assert crops.source_hu.shape == (2, 1, CROP, CROP)


def test_slices_that_may_not_be_resampled_so_far_are_not_drawn(tmp_path):
    """From 0.9 to 0.6 mm is a factor of two thirds, and domain.finest is 0.75."""
    sampler = make_sampler(tmp_path, own=0.7, other=0.9)
    assert sampler.draw(0.6, 0, 0, 0) is None
    assert make_sampler(tmp_path, "domain.finest=0.6", other=0.9).draw(0.6, 0, 0, 0)


@pytest.mark.parametrize("sizes", [{"other": 1.2, "own": 0.6}, {"other": 1.8, "own": 1.8}])
def test_groups_whose_slices_can_never_be_compared(tmp_path, sizes):
    with pytest.raises(ConfigurationError, match=r"set loss\.adversarial_weight = 0"):
        make_sampler(tmp_path, **sizes)


def test_padding_and_air_are_not_what_is_compared(tmp_path):
    sampler = make_sampler(tmp_path, padded=SIZE // 3)
    crops = [sampler.draw(0.7, 0, step, 0) for step in range(8)]
    assert max((one.source_hu < -1500).mean() for one in crops) == 0
    assert max((one.target_hu < -1500).mean() for one in crops) < 0.05


def test_crops_are_mirrored_if_pairs_are(tmp_path):
    """In source slices the lung is at the right; mirrored it is at the left."""

    def sides(flips):
        sampler = make_sampler(tmp_path, "training.crop=160", f"training.flips={flips}")
        sampler = replace(sampler, height=SIZE, width=SIZE)
        crops = [sampler.draw(0.7, 0, step, 0).source_hu for step in range(6)]
        return {one[..., :40].mean() < -500 for batch in crops for one in batch}

    assert len(sides("false")) == 1
    assert len(sides("true")) == 2
