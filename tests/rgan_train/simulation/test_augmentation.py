import numpy as np
import pytest
from support.training import open_dataset, tiny_config

from rgan_sdk.errors import ConfigurationError
from rgan_train.pairs.samples import SliceReader
from rgan_train.simulation.augmentation import kernel_jitter
from rgan_train.training.sampler import make_sampler


def sampler(scans, *assignments):
    config = tiny_config(*assignments)
    dataset = open_dataset(scans)
    reader = SliceReader(100)
    jitter = kernel_jitter(config)
    return make_sampler(dataset.train, reader, config, multiple=2, jitter=jitter)


def test_it_is_off_by_default():
    assert kernel_jitter(tiny_config()) is None


def test_the_source_changes_and_the_target_does_not(scans):
    plain = sampler(scans).draw(0, 0, 0).sample
    jittered = sampler(scans, "training.kernel_jitter=0.1").draw(0, 0, 0).sample
    assert np.array_equal(plain.target_hu[0], jittered.target_hu[0])
    change = jittered.source_hu[0] - plain.source_hu[0]
    assert 0.5 < change.std() < 60
    assert abs(change.mean()) < 2
    again = sampler(scans, "training.kernel_jitter=0.1").draw(0, 0, 0).sample
    assert np.array_equal(jittered.source_hu, again.source_hu)


def test_crops_become_softer_and_sharper(scans):
    jitter = kernel_jitter(tiny_config("training.kernel_jitter=0.2"))
    rng = np.random.default_rng(0)
    hu = rng.normal(0, 50, (64, 64)).astype(np.float32)
    spread = [jitter(hu, (0.7, 0.7), rng).std() / hu.std() for _ in range(20)]
    assert min(spread) < 0.95
    assert max(spread) > 1.0


def test_a_kernel_that_nobody_measured():
    unknown = ("training.kernel_jitter=0.1", "data.source_kernel=Qr59")
    with pytest.raises(ConfigurationError, match=r"set training\.source_mtf"):
        kernel_jitter(tiny_config(*unknown))
    given = kernel_jitter(tiny_config(*unknown, "training.source_mtf=[5, 8]"))
    assert (given.source.f50, given.source.f10) == (5, 8)


@pytest.mark.parametrize("assignment", ["training.kernel_jitter=0.5", "training.source_mtf=[5]"])
def test_what_makes_no_sense(assignment):
    with pytest.raises(ConfigurationError, match="must be"):
        tiny_config(assignment)
