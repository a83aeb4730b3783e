"""Bootstrap samples of slices."""

import numpy as np
import pytest

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.metrics.bootstrap import bootstrap_ccc, bootstrap_interval
from rgan_train.evaluation.metrics.concordance import ccc, ccc_interval

pytestmark = pytest.mark.filterwarnings("error")


def make_clusters(slices=25, regions=12, features=4):
    """Return features whose error is mostly the same in all regions of a slice."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(slices), regions)
    reference = rng.normal(size=(len(labels), features))
    error = rng.normal(0, 0.6, (slices, features))[labels]
    return reference, reference + error + rng.normal(0, 0.1, reference.shape), labels


def make_uneven():
    """Return difficult features on four slices of unequal size, with regions in random order."""
    rng = np.random.default_rng(1)
    labels = rng.permutation(np.repeat([70, -2, 9, 10], [3, 8, 1, 20]))
    reference = rng.normal(size=(len(labels), 6))
    other = reference + rng.normal(0, 0.5, reference.shape)
    pair = np.stack([reference, other])
    pair[..., 1] += 1e7
    pair[:, labels == 9, 2] = 1e6  # one region far from all
    pair[1, :, 3] += 40  # hardly any agreement
    pair[:, labels == 70, 4] = 0.1  # constant in one slice
    pair[1, :, 5] = 0.1  # constant in one column
    return pair, labels


def slow_bootstrap(pair, labels, replicates, seed):
    """Draw the same slices, build each sample and measure it."""
    rows = [np.flatnonzero(labels == number) for number in np.unique(labels)]
    shares = np.full(len(rows), 1 / len(rows))
    counts = np.random.default_rng(seed).multinomial(len(rows), shares, replicates)
    chosen = [
        np.concatenate([np.tile(part, times) for part, times in zip(rows, count, strict=True)])
        for count in counts
    ]
    # Each sample three times: the moments stay, and there are at least the 3 regions ccc needs.
    return np.array([ccc(*pair[:, np.tile(sample, 3)]) for sample in chosen])


def test_the_bootstrap_is_that_of_samples_built_one_by_one():
    pair, labels = make_uneven()
    samples = bootstrap_ccc(*pair, labels, replicates=500, seed=3)
    expected = slow_bootstrap(pair, labels, 500, seed=3)
    assert 0 < np.isnan(expected[:, 4]).sum() < 50  # slice 70 only
    np.testing.assert_allclose(samples, expected, rtol=0, atol=1e-7)


def test_a_sample_that_is_constant_is_nan_in_spite_of_rounding():
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1], [7, 20])
    pair = rng.normal(size=(2, 27, 100))
    pair[:, labels == 0] = rng.normal(size=100)
    samples = bootstrap_ccc(*pair, labels, replicates=200)
    first_only = np.isnan(samples[:, 0])
    assert 30 < first_only.sum() < 70  # a quarter is expected
    np.testing.assert_array_equal(np.isnan(samples), np.tile(first_only[:, np.newaxis], 100))


def test_one_feature_has_one_axis_less():
    (reference, other), labels = make_uneven()
    samples = bootstrap_ccc(reference, other, labels, replicates=20)
    single = bootstrap_ccc(reference[:, 0], other[:, 0], labels, replicates=20)
    np.testing.assert_allclose(single, samples[:, 0], rtol=1e-12)
    np.testing.assert_allclose(bootstrap_interval(single), bootstrap_interval(samples)[0])


def test_samples_depend_on_the_seed_and_the_slices_only():
    (reference, other), labels = make_uneven()
    samples = bootstrap_ccc(reference, other, labels)
    assert samples.shape == (1000, 6)
    again = bootstrap_ccc(reference[:, :2], other[:, :2], labels)
    np.testing.assert_allclose(again, samples[:, :2], rtol=1e-12)
    assert (bootstrap_ccc(reference, other, labels, seed=1) != samples).any()


def test_to_resample_slices_is_wider_than_to_resample_regions():
    reference, other, labels = make_clusters()
    by_slice, by_region = (
        np.ptp(bootstrap_interval(bootstrap_ccc(reference, other, unit)), axis=1)
        for unit in (labels, np.arange(len(labels)))
    )
    assert (by_slice > 1.5 * by_region).all()


def test_of_independent_regions_the_bootstrap_has_the_asymptotic_limits():
    rng = np.random.default_rng(5)
    reference = rng.normal(size=(600, 3))
    other = 0.2 + 0.9 * reference + rng.normal(0, [0.2, 0.6, 2], reference.shape)
    samples = bootstrap_ccc(reference, other, np.arange(600), replicates=4000)
    expected = ccc_interval(reference, other)
    width = np.ptp(expected, axis=1, keepdims=True)
    assert (abs(bootstrap_interval(samples) - expected) < 0.2 * width).all()


def test_one_slice_is_refused():
    reference, other, labels = make_clusters(slices=1)
    with pytest.raises(ConfigurationError, match="says nothing about other slices"):
        bootstrap_ccc(reference, other, labels)


def test_percentiles_do_not_count_nan():
    samples = np.tile(np.arange(101.0)[:, np.newaxis], 3)
    samples[:, 1] = np.nan
    samples[::2, 2] = np.nan  # 1, 3, ... 99 stay
    expected = [[5, 95], [np.nan, np.nan], [1 + 98 * 0.05, 1 + 98 * 0.95]]
    np.testing.assert_allclose(bootstrap_interval(samples, 0.9), expected)


def test_each_region_has_a_slice():
    with pytest.raises(ValueError, match="do not number 5 regions"):
        bootstrap_ccc(np.zeros((5, 2)), np.zeros((5, 2)), np.arange(4))
