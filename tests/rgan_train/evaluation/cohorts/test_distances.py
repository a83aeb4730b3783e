"""Distances of distributions of features."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from rgan_train.evaluation.cohorts.distances import (
    kolmogorov_smirnov,
    measure_distance,
    standardised_difference,
    usable,
)


def test_kolmogorov_smirnov_is_that_of_scipy():
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, (31, 4)), rng.normal(0.5, 2, (17, 4))
    first[:, 3], second[:, 3] = first[:, 3].round(), second[:, 3].round()  # equal values
    expected = [ks_2samp(first[:, n], second[:, n]).statistic for n in range(4)]
    assert kolmogorov_smirnov(first, second) == pytest.approx(expected)


def test_a_difference_in_standard_deviations():
    first = np.array([[0.0], [2.0], [4.0]])
    assert standardised_difference(first, first + 6) == pytest.approx(3)


def test_features_that_differ_are_counted():
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, (60, 10)), rng.normal(0, 1, (80, 10))
    second[:, :4] += 5
    units = np.repeat(np.arange(20), 3).astype(str), np.repeat(np.arange(20), 4).astype(str)
    found = measure_distance(first, second, units)
    assert found.alike == pytest.approx(0.6)
    assert found.features == 10


def test_constant_and_undefined_features_do_not_count():
    first, second = np.random.default_rng(0).normal(size=(2, 9, 3))
    first[:, 1], second[2, 2] = 7, np.nan
    assert usable(first, second).tolist() == [True, False, False]
