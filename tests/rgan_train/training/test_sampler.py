from dataclasses import replace

import numpy as np
import pytest
from support.padding import corners, pad_files
from support.training import open_dataset, tiny_config, write_pair_of_scans

from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_sdk.errors import ConfigurationError
from rgan_train.pairs.samples import SliceReader
from rgan_train.simulation.augmentation import kernel_jitter
from rgan_train.training.sampler import make_sampler


@pytest.fixture(scope="module")
def dataset(scans):
    return open_dataset(scans)


def sampler_of(dataset, *assignments, world_size=1):
    config = tiny_config(*assignments).training
    return make_sampler(dataset.train, SliceReader(100), config, multiple=2, world_size=world_size)


def test_batches_are_a_pure_function_of_seed_epoch_step_and_rank(dataset):
    draws = [sampler_of(dataset, world_size=2).draw(1, 2, 1) for _ in range(2)]
    assert np.array_equal(draws[0].source_hu, draws[1].source_hu)
    others = [(0, 2, 1), (1, 1, 1), (1, 2, 0)]
    for other in others:
        drawn = sampler_of(dataset, world_size=2).draw(*other)
        assert not np.array_equal(drawn.source_hu, draws[0].source_hu)
    reseeded = sampler_of(dataset, "training.seed=1", world_size=2).draw(1, 2, 1)
    assert not np.array_equal(reseeded.source_hu, draws[0].source_hu)


def test_shapes_and_types(dataset):
    batch = sampler_of(dataset).draw(0, 0, 0)
    assert batch.source_hu.shape == batch.target_hu.shape == (2, 1, 32, 32)
    assert batch.source_hu.dtype == np.float32


def test_source_and_target_are_cut_alike(dataset):
    same = replace(dataset.train[0], target=dataset.train[0].source)
    sampler = make_sampler(
        (same,), SliceReader(100), tiny_config("training.flips=true").training, multiple=2
    )
    for step in range(8):
        batch = sampler.draw(0, step, 0)
        assert np.array_equal(batch.source_hu, batch.target_hu)


def test_flips_mirror_what_would_be_drawn_without(dataset):
    plain = sampler_of(dataset)
    flipped = sampler_of(dataset, "training.flips=true")
    seen = set()
    for step in range(24):
        image = plain.draw(0, step, 0).source_hu[0, 0]
        mirrored = flipped.draw(0, step, 0).source_hu[0, 0]
        for rows in (1, -1):
            for columns in (1, -1):
                if np.array_equal(mirrored, image[::rows, ::columns]):
                    seen.add((rows, columns))
    assert len(seen) == 4


def test_each_slice_comes_equally_often(dataset):
    sampler = sampler_of(
        dataset,
        "training.crop=0",
        "training.batch_size=1",
        "training.steps_per_epoch=0",
        world_size=2,
    )
    count = len(dataset.train)
    assert sampler.steps_per_epoch == -(-count // 2)
    assert (sampler.height, sampler.width) == (64, 64)
    drawn = [sampler.draw(3, step, rank).source_hu for step in range(count) for rank in (0, 1)]
    keys = [image.tobytes() for image in drawn]
    assert {keys.count(key) for key in keys} == {2}
    assert len(set(keys[:count])) == count


def test_batches_go_on_at_any_step(dataset):
    sampler = sampler_of(dataset)
    whole = [batch.source_hu for batch in sampler.batches(0, 0, 0)]
    rest = [batch.source_hu for batch in sampler.batches(0, 1, 0)]
    assert len(whole) == 3
    assert all(np.array_equal(a, b) for a, b in zip(whole[1:], rest, strict=True))


@pytest.mark.parametrize("crop", [33, 66])
def test_crops_that_do_not_fit(dataset, crop):
    with pytest.raises(ConfigurationError, match=f"training.crop = {crop}.*at most 64"):
        sampler_of(dataset, f"training.crop={crop}")


def test_padding_is_alike_in_source_and_target(tmp_path):
    root = write_pair_of_scans(tmp_path)
    pad_files(root / "1-B70f", corners(64), -2000)
    dataset = open_dataset(root)
    jitter = kernel_jitter(tiny_config("training.kernel_jitter=0.2", "training.source_mtf=[4,7]"))
    config = tiny_config("training.crop=64").training
    sampler = make_sampler(dataset.train, SliceReader(100), config, 2, jitter=jitter)
    batch = sampler.draw(0, 0, 0)
    assert (batch.padding == corners(64)).all()
    for hu in batch:
        assert (hu[batch.padding] == PADDING_HU).all()
    assert not np.array_equal(batch.source_hu, batch.target_hu)
