"""Expected values: reference/agreement.json, which the R script beside it wrote."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import f

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.metrics.bootstrap import bootstrap_ccc, bootstrap_interval
from rgan_train.evaluation.metrics.concordance import ccc, ccc_interval
from rgan_train.evaluation.metrics.intraclass import icc, icc_interval

pytestmark = pytest.mark.filterwarnings("error")

REFERENCE = Path(__file__).parent / "reference"
EXPECTED = json.loads((REFERENCE / "agreement.json").read_text())["features"]
MEASURES = {"ccc": (ccc, ccc_interval), "icc": (icc, icc_interval)}
ALL = (ccc, ccc_interval, icc, icc_interval)

finite = st.floats(allow_nan=False, allow_infinity=False)
moderate = st.integers(-1000, 1000).map(float)


def pairs(elements):
    shape = st.tuples(st.just(2), st.integers(3, 12))
    return shape.flatmap(lambda sizes: arrays(np.float64, sizes, elements=elements))


@pytest.fixture(scope="module")
def published():
    columns = {}
    with (REFERENCE / "agreement.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            values = float(row["reference"]), float(row["other"])
            columns.setdefault(row["feature"], []).append(values)
    return {name: np.array(values).T for name, values in columns.items()}


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("feature", EXPECTED)
def test_against_epir_and_psych(published, feature, measure):
    value, limits = MEASURES[measure]
    expected = EXPECTED[feature][measure]
    assert value(*published[feature]) == pytest.approx(expected["value"], abs=1e-6)
    for level, ends in expected["limits"].items():
        found = limits(*published[feature], float(level))
        np.testing.assert_allclose(found, ends, rtol=0, atol=1e-6)


@pytest.mark.parametrize("measure", ALL)
def test_features_are_measured_column_by_column(published, measure):
    features = [pair for pair in published.values() if pair.shape == (2, 30)]
    reference, other = np.stack(features, axis=-1)
    expected = [measure(*pair) for pair in features]
    np.testing.assert_allclose(measure(reference, other), expected, rtol=1e-12)
    assert isinstance(ccc(*features[0]), float)


def test_by_hand():
    reference, other = np.array([1.0, 2, 3, 4]), np.array([2.0, 2, 4, 4])
    # Variances 5/4 and 1, covariance 1, means 1/2 apart.
    assert ccc(reference, other) == pytest.approx(2 / (5 / 4 + 1 + 1 / 4))
    # Mean squares: rows 17/6, columns 1/2, residual 1/6.
    expected = (17 / 6 - 1 / 6) / (17 / 6 + 1 / 6 + 2 * (1 / 2 - 1 / 6) / 4)
    assert icc(reference, other) == pytest.approx(expected)


@pytest.mark.parametrize("feature", EXPECTED)
def test_the_limits_as_mcgraw_and_wong_write_them(published, feature):
    x, y = published[feature]
    n, rho = len(x), icc(x, y)
    msr, msc = np.var((x + y) / 2, ddof=1) * 2, n * (x.mean() - y.mean()) ** 2 / 2
    mse = np.var(x - y, ddof=1) / 2
    a, b = 2 * rho / (n * (1 - rho)), 1 + 2 * rho * (n - 1) / (n * (1 - rho))
    v = (a * msc + b * mse) ** 2 / ((a * msc) ** 2 + (b * mse) ** 2 / (n - 1))
    above, below = f.ppf(0.975, n - 1, v), f.ppf(0.975, v, n - 1)
    expected = (
        n * (msr - above * mse) / (above * (2 * msc + (n - 2) * mse) + n * msr),
        n * (below * msr - mse) / (2 * msc + (n - 2) * mse + n * below * msr),
    )
    np.testing.assert_allclose(icc_interval(x, y), expected, rtol=0, atol=1e-8)


@given(pairs(finite))
def test_ccc_is_symmetric_and_bounded_whatever_the_values(pair):
    value = ccc(*pair)
    np.testing.assert_equal(ccc(*pair[::-1]), value)
    assert np.isnan(value) == (pair == pair[0, 0]).all()
    assert np.isnan(value) or -1 <= value <= 1


@given(pairs(finite))
def test_equal_columns_agree_perfectly(pair):
    values = pair[0]
    expected = np.nan if (values == values[0]).all() else 1
    for measure in ALL:
        found = measure(values, values)
        np.testing.assert_array_equal(found, np.full_like(found, expected))


@given(pairs(moderate))
def test_ccc_is_not_farther_from_zero_than_pearson(pair):
    if (np.ptp(pair, axis=1) == 0).any():
        return
    assert abs(ccc(*pair)) <= abs(np.corrcoef(*pair)[0, 1]) + 1e-12


@given(pairs(finite))
def test_limits_enclose_the_coefficient_or_are_nan(pair):
    for value, limits in MEASURES.values():
        lower, upper = limits(*pair)
        assert np.isnan(lower) == np.isnan(upper)
        if not np.isnan(lower) and value(*pair) > 0:
            assert lower <= value(*pair) + 1e-9
            assert upper >= value(*pair) - 1e-9


@pytest.mark.parametrize("limits", [ccc_interval, icc_interval])
def test_a_higher_level_is_wider(published, limits):
    (low, high), (lower, higher) = (limits(*published["close"], level) for level in (0.5, 0.99))
    assert lower < low < high < higher


@pytest.mark.parametrize("scale", [2.0**900, 2.0**-900])
def test_the_unit_of_a_feature_does_not_matter(published, scale):
    pair = published["moderate"]
    for measure in ALL:
        np.testing.assert_array_equal(measure(*(pair * scale)), measure(*pair))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 1])
def test_a_feature_that_is_not_finite_is_nan_and_the_next_is_not(published, value, column):
    pair = np.stack([published["close"]] * 2, axis=-1)
    expected = [measure(*pair)[1] for measure in ALL]
    pair[column, 3, 0] = value
    for measure, other in zip(ALL, expected, strict=True):
        assert np.isnan(measure(*pair)[0]).all()
        np.testing.assert_array_equal(measure(*pair)[1], other)
    samples = bootstrap_ccc(*pair, np.arange(30))
    assert np.isnan(samples[:, 0]).all()
    assert not np.isnan(samples[:, 1]).any()


@pytest.mark.parametrize("measure", ALL)
def test_constant_and_equal_is_nan(measure):
    constant = np.full(7, 0.1)  # whose mean is not exactly 0.1
    assert np.isnan(measure(constant, constant)).all()


@pytest.mark.parametrize("other", [np.full(7, 0.3), np.arange(7) / 3])
def test_a_constant_does_not_agree_with_anything_else(other):
    constant = np.full(7, 0.1)
    for pair in ((constant, other), (other, constant)):
        assert ccc(*pair) == 0
        assert np.isnan(ccc_interval(*pair)).all()


def test_perfect_disagreement():
    values = np.array([-3.0, -1, 1, 3])
    assert ccc(values, -values) == -1
    assert ccc_interval(values, -values).tolist() == [-1, -1]


def test_rounding_leads_to_no_impossible_value():
    values = np.random.default_rng(0).normal(size=(10, 500))
    values -= values.mean(axis=0)
    assert ccc(values, np.nextafter(values, 9)).max() == 1
    np.testing.assert_allclose(ccc_interval(values, 1.1 * values), 1 / (1 + 0.1**2 / 2.2))
    twice = np.tile(values, (2, 1))
    samples = bootstrap_ccc(twice, -twice, np.repeat([0, 1], 10), replicates=50)
    assert samples.min() == -1


@pytest.mark.parametrize("measure", [*ALL, lambda x, y: bootstrap_ccc(x, y, np.arange(len(x)))])
def test_what_cannot_be_measured(measure):
    with pytest.raises(ValueError, match="differ in shape"):
        measure(np.zeros((5, 2)), np.zeros((5, 3)))
    with pytest.raises(ConfigurationError, match="at least 3 regions of interest, got 2"):
        measure(np.zeros((2, 4)), np.zeros((2, 4)))


@pytest.mark.parametrize("level", [0, 1, 95, float("nan")])
def test_a_level_is_a_probability(level):
    values = np.arange(5.0)
    for limits in (ccc_interval, icc_interval):
        with pytest.raises(ValueError, match="lies between 0 and 1"):
            limits(values, values, level)
    with pytest.raises(ValueError, match="lies between 0 and 1"):
        bootstrap_interval(values, level)
