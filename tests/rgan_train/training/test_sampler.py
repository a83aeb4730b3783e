import time
from dataclasses import replace

import numpy as np
import pytest
from support.padding import corners, pad_files
from support.training import open_dataset, tiny_config, write_pair_of_scans

from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.pairs.noise import PairNoise
from rgan_train.pairs.samples import SliceReader
from rgan_train.simulation.augmentation import kernel_jitter
from rgan_train.training import sampler as sampling
from rgan_train.training.sampler import Sampler, make_sampler

WHITE = PairNoise(np.ones((2, 9)), step=0.1)


@pytest.fixture(scope="module")
def dataset(scans):
    return open_dataset(scans)


def sampler_of(dataset, *assignments, world_size=1):
    config = tiny_config(*assignments)
    return make_sampler(dataset.train, SliceReader(100), config, multiple=2, world_size=world_size)


def test_batches_are_a_pure_function_of_seed_epoch_step_and_rank(dataset):
    draws = [sampler_of(dataset, world_size=2).draw(1, 2, 1).sample for _ in range(2)]
    assert np.array_equal(draws[0].source_hu, draws[1].source_hu)
    others = [(0, 2, 1), (1, 1, 1), (1, 2, 0)]
    for other in others:
        drawn = sampler_of(dataset, world_size=2).draw(*other).sample
        assert not np.array_equal(drawn.source_hu, draws[0].source_hu)
    reseeded = sampler_of(dataset, "training.seed=1", world_size=2).draw(1, 2, 1).sample
    assert not np.array_equal(reseeded.source_hu, draws[0].source_hu)


def test_shapes_and_types(dataset):
    batch = sampler_of(dataset).draw(0, 0, 0).sample
    assert batch.source_hu.shape == batch.target_hu.shape == (2, 1, 32, 32)
    assert batch.source_hu.dtype == np.float32


def test_source_and_target_are_cut_alike(dataset):
    same = replace(dataset.train[0], target=dataset.train[0].source)
    sampler = make_sampler(
        (same,), SliceReader(100), tiny_config("training.flips=true"), multiple=2
    )
    for step in range(8):
        batch = sampler.draw(0, step, 0).sample
        assert np.array_equal(batch.source_hu, batch.target_hu)


def test_flips_mirror_what_would_be_drawn_without(dataset):
    plain = sampler_of(dataset)
    flipped = sampler_of(dataset, "training.flips=true")
    seen = set()
    for step in range(24):
        image = plain.draw(0, step, 0).sample.source_hu[0, 0]
        mirrored = flipped.draw(0, step, 0).sample.source_hu[0, 0]
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
    drawn = [
        sampler.draw(3, step, rank).sample.source_hu for step in range(count) for rank in (0, 1)
    ]
    keys = [image.tobytes() for image in drawn]
    assert {keys.count(key) for key in keys} == {2}
    assert len(set(keys[:count])) == count


def test_batches_go_on_at_any_step(dataset):
    sampler = sampler_of(dataset)
    whole = [batch.sample.source_hu for batch in sampler.batches(0, 0, 0)]
    rest = [batch.sample.source_hu for batch in sampler.batches(0, 1, 0)]
    assert len(whole) == 3
    assert all(np.array_equal(a, b) for a, b in zip(whole[1:], rest, strict=True))


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("cache_mb", [0, 100])
@pytest.mark.parametrize("first", [0, 7])
def test_neither_threads_nor_memory_nor_a_restart_changes_the_batches(
    dataset, monkeypatch, threads, cache_mb, first
):
    monkeypatch.setattr(sampling, "READERS", threads)
    monkeypatch.setattr(sampling, "AHEAD", 2 * threads)
    config = tiny_config("training.steps_per_epoch=12", *AWARE, "domain.added_noise=30")
    sampler = make_sampler(dataset.train, SliceReader(cache_mb), config, 2, noise=WHITE)
    batches = list(sampler.batches(1, first, 0))
    assert len(batches) == 12 - first
    for step, batch in enumerate(batches, start=first):
        drawn = sampler.draw(1, step, 0)
        assert batch.pixel_spacing == drawn.pixel_spacing
        assert all(map(np.array_equal, batch.sample, drawn.sample))


def test_few_batches_are_held_at_a_time(dataset, monkeypatch):
    draw, drawn = Sampler.draw, []

    def counted(self, epoch, step, rank):
        drawn.append(step)
        return draw(self, epoch, step, rank)

    monkeypatch.setattr(Sampler, "draw", counted)
    batches = sampler_of(dataset, "training.steps_per_epoch=50").batches(0, 0, 0)
    for trained in range(5):
        next(batches)
        time.sleep(0.05)  # enough to read many more
        assert len(drawn) <= trained + 1 + sampling.AHEAD
    batches.close()
    assert len(drawn) <= 5 + sampling.AHEAD


def test_a_slice_that_cannot_be_read_ends_the_batches(dataset):
    lost = replace(dataset.train[0], source=dataset.train[0].source.with_name("lost.dcm"))
    sampler = make_sampler((lost,), SliceReader(0), tiny_config(), multiple=2)
    with pytest.raises(TrainingError, match=r"lost\.dcm"):
        next(sampler.batches(0, 0, 0))


def test_processes_train_on_slices_of_their_own(dataset, monkeypatch):
    slices = dataset.train * 2
    slices = tuple(replace(item, position=float(index)) for index, item in enumerate(slices))
    crop, drawn = Sampler._crop, {}

    def noted(self, item, *others):
        drawn[rank].append(item.position)
        return crop(self, item, *others)

    monkeypatch.setattr(Sampler, "_crop", noted)
    config = tiny_config("training.batch_size=1", "training.steps_per_epoch=0")
    sampler = make_sampler(slices, SliceReader(100), config, 2, world_size=2)
    for rank, first in ((0, 0), (1, 0), (2, 3), (3, 3)):  # 2 and 3: both resumed at step 3
        drawn[rank] = []
        for step in range(first, sampler.steps_per_epoch):
            sampler.draw(0, step, rank % 2)
    assert not set(drawn[0]) & set(drawn[1])
    assert sorted(drawn[0] + drawn[1]) == [item.position for item in slices]
    assert (drawn[2], drawn[3]) == (drawn[0][3:], drawn[1][3:])


def places(dataset, crops):
    """Return which slice each crop of its source is from, and where it begins in it."""
    read, found = SliceReader(100).read, []
    for crop in crops:
        for number, item in enumerate(dataset.train):
            views = np.lib.stride_tricks.sliding_window_view(read(item).source_hu, crop.shape)
            found += [(number, *at) for at in np.argwhere((views == crop).all((2, 3))).tolist()]
    return found


def test_crops_without_resampling_and_noise_are_those_of_earlier_versions(dataset):
    """A run of a network that knows no spacing can be repeated with any version."""
    sampler = sampler_of(dataset, "domain.finest=0.5")
    drawn = [sampler.draw(0, step, 0).sample.source_hu[:, 0] for step in range(3)]
    first, second, third = (
        [(2, 0, 23), (4, 27, 21)],
        [(3, 27, 10), (6, 15, 6)],
        [(5, 31, 32), (0, 30, 6)],
    )
    assert places(dataset, np.concatenate(drawn)) == first + second + third


@pytest.mark.parametrize("crop", [33, 66])
def test_crops_that_do_not_fit(dataset, crop):
    with pytest.raises(ConfigurationError, match=f"training.crop = {crop}.*at most 64"):
        sampler_of(dataset, f"training.crop={crop}")


def test_padding_is_alike_in_source_and_target(tmp_path):
    root = write_pair_of_scans(tmp_path)
    pad_files(root / "1-B70f", corners(64), -2000)
    dataset = open_dataset(root)
    jitter = kernel_jitter(tiny_config("training.kernel_jitter=0.2", "training.source_mtf=[4,7]"))
    config = tiny_config("training.crop=64")
    sampler = make_sampler(dataset.train, SliceReader(100), config, 2, jitter=jitter)
    batch = sampler.draw(0, 0, 0).sample
    assert (batch.padding == corners(64)).all()
    for hu in batch:
        assert (hu[batch.padding] == PADDING_HU).all()
    assert not np.array_equal(batch.source_hu, batch.target_hu)


AWARE = ("domain.spacing_aware=true", "domain.finest=0.8", "domain.coarsest=1.5")


def test_a_batch_has_one_pixel_spacing_within_the_domain(dataset):
    sampler, own = sampler_of(dataset, *AWARE), dataset.train[0].spacing
    drawn = [sampler.draw(0, step, 0) for step in range(200)]
    factors = np.array([batch.pixel_spacing / own for batch in drawn])
    assert {batch.sample.source_hu.shape for batch in drawn} == {(2, 1, 32, 32)}
    assert 0.8 <= factors.min() < 0.85
    assert 1.4 < factors.max() <= 1.5
    assert 0.15 < (factors == 1).mean() < 0.35  # domain.native_share


def test_crops_of_an_aware_network_are_resampled(dataset):
    plain = sampler_of(dataset).draw(0, 0, 0)
    drawn = [sampler_of(dataset, *AWARE).draw(0, step, 0) for step in range(20)]
    assert plain.pixel_spacing == dataset.train[0].spacing
    coarse = max(drawn, key=lambda batch: batch.pixel_spacing).sample.target_hu
    fine = min(drawn, key=lambda batch: batch.pixel_spacing).sample.target_hu
    roughness = [np.abs(np.diff(hu)).mean() for hu in (fine, coarse)]
    assert roughness[0] < roughness[1]


def test_slices_of_other_networks_keep_their_own_spacing(dataset):
    slices = several_spacings(dataset, [0.5 + index / 10 for index in range(len(dataset.train))])
    config = tiny_config("training.crop=0", "training.batch_size=1")
    sampler = make_sampler(slices, SliceReader(100), config, multiple=2)
    read = SliceReader(100).read
    wholes = {read(item).source_hu.tobytes() for item in slices}
    assert {sampler.draw(0, step, 0).sample.source_hu.tobytes() for step in range(7)} == wholes


def several_spacings(dataset, spacings):
    """Return the training slices as if they had other pixel spacings, in turn."""
    return tuple(
        replace(item, pixel_spacing=(spacings[index % len(spacings)],) * 2)
        for index, item in enumerate(dataset.train)
    )


@pytest.mark.parametrize(("share", "lowest", "highest"), [(1, 1, 1), (0, 0.8, 1.5)])
def test_slices_of_very_different_spacings_do_not_share_a_batch(
    dataset, monkeypatch, share, lowest, highest
):
    slices, seen = several_spacings(dataset, (0.5, 0.7, 0.98)), []
    config = tiny_config(*AWARE, f"domain.native_share={share}", "training.batch_size=4")
    sampler = make_sampler(slices, SliceReader(100), config, multiple=2)
    crop = Sampler._crop

    def spy(self, item, spacing, *others):
        seen.append((item.spacing, spacing / item.spacing))
        return crop(self, item, spacing, *others)

    monkeypatch.setattr(Sampler, "_crop", spy)
    for step in range(30):
        sampler.draw(0, step, 0)
    assert {spacing for spacing, _ in seen} == {0.5, 0.7, 0.98}
    factors = [factor for _, factor in seen]
    assert len(factors) == 120
    assert min(factors) >= lowest - 1e-9
    assert max(factors) <= highest + 1e-9


def test_added_noise_has_its_level_on_the_pixels_of_the_batch(dataset):
    settings = (*AWARE, "domain.native_share=0", "domain.finest=1", "domain.coarsest=1.4")
    config = tiny_config(*settings, "domain.added_noise=30", "training.batch_size=1")
    samplers = [
        make_sampler(dataset.train, SliceReader(100), config, 2, noise=noise)
        for noise in (None, WHITE)
    ]
    levels = []
    for step in range(60):
        plain, noisy = (sampler.draw(0, step, 0).sample.target_hu for sampler in samplers)
        levels.append((noisy - plain).std())
    assert 28 < max(levels) < 31


def test_noise_is_resampled_as_its_crop_is(dataset):
    config = tiny_config(*AWARE, "domain.added_noise=30")
    sampler = make_sampler(dataset.train, SliceReader(100), config, 2, noise=WHITE)

    def roughness(factor, low_pass):
        rng = np.random.default_rng(0)
        noise = sampler._draw_noise(WHITE, 0.7, factor, low_pass, rng).source_hu
        assert noise.shape == (32, 32)
        return np.abs(np.diff(noise)).mean() / noise.std()

    assert roughness(0.8, 1.0) < 0.9 * roughness(1.0, 1.0)  # nothing beyond the old Nyquist
    assert roughness(1.4, 1.0) < roughness(1.4, 0.0)


def test_most_of_the_resampled_batches_have_the_full_low_pass(dataset):
    sampler = sampler_of(dataset, *AWARE, "domain.native_share=0")
    drawn = [
        sampler._draw_spacing(dataset.train[0], np.random.default_rng(seed)) for seed in range(200)
    ]
    low_passes = np.array([low_pass for _, low_pass in drawn])
    assert 140 < np.count_nonzero(low_passes == 1) < 180
    assert low_passes.min() < 0.1


def test_the_coarsest_pixels_must_fill_a_crop(dataset):
    with pytest.raises(ConfigurationError, match="at most 42, the smallest edge of the slices on"):
        sampler_of(dataset, *AWARE, "training.crop=44")


def test_noise_is_added_to_half_of_the_crops_of_both_images(dataset):
    config = tiny_config("domain.added_noise=30", "training.batch_size=1")
    slices = dataset.train
    plain = make_sampler(slices, SliceReader(100), config, 2)
    noisy = make_sampler(slices, SliceReader(100), config, 2, noise=WHITE)
    levels = []
    for step in range(100):
        before, after = (sampler.draw(0, step, 0).sample for sampler in (plain, noisy))
        added = [(new - old).std() for new, old in zip(after, before, strict=True)]
        assert (added[0] > 0) == (added[1] > 0)
        levels.append(added[0])
    assert 30 < np.count_nonzero(levels) < 70
    assert 20 < max(levels) < 33


def test_subsets_are_neither_resampled_nor_noisy(dataset):
    config = tiny_config(*AWARE, "domain.added_noise=30", "training.batch_size=1")
    sampler = make_sampler(dataset.train, SliceReader(100), config, 2, noise=WHITE)
    subsets = list(sampler.subsets(0, 6, 0))
    assert {batch.pixel_spacing for batch in subsets} == {dataset.train[0].spacing}
    assert len(places(dataset, [batch.sample.source_hu[0, 0] for batch in subsets])) == 6
