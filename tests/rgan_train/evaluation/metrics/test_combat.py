import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from rgan_train.evaluation.metrics.combat import combat

pytestmark = pytest.mark.filterwarnings("error")

DIAGNOSIS = np.array([0.0, 0, 0, 1, 1, 1])
TARGET = np.array(
    [
        [0.00, 10.60, -3.14, 42.88],
        [-0.45, 8.02, -2.97, 60.72],
        [-0.49, 8.76, -2.76, 52.86],
        [0.11, 11.14, -2.51, 55.56],
        [-1.34, 12.08, -3.45, 39.68],
        [-1.84, 12.53, -3.13, 52.17],
    ]
)
SOURCE = np.array(
    [
        [1.24, 13.44, -5.01, 72.46],
        [0.93, 14.34, -4.61, 73.31],
        [-0.47, 11.57, -3.58, 68.69],
        [0.95, 20.65, -3.63, 78.44],
        [1.17, 18.19, -3.89, 81.07],
        [3.04, 13.36, -3.06, 81.67],
    ]
)
# neuroCombat 0.2.12 with ref_batch: all four features, without and with continuous_cols=diagnosis.
NEUROCOMBAT = np.array(
    [
        [-0.5882, 9.6174, -3.5551, 48.4588],
        [-0.7758, 10.1002, -3.3575, 49.0753],
        [-1.6230, 8.6143, -2.8488, 45.7240],
        [-0.7637, 13.4849, -2.8735, 52.7967],
        [-0.6306, 12.1653, -3.0019, 54.7045],
        [0.5010, 9.5745, -2.5920, 55.1397],
    ]
)
NEUROCOMBAT_DIAGNOSIS = np.array(
    [
        [-0.6316, 8.8216, -3.7769, 47.5847],
        [-0.8434, 9.2310, -3.5208, 48.3298],
        [-1.7998, 7.9708, -2.8613, 44.2799],
        [-0.7595, 14.0294, -2.7494, 53.1902],
        [-0.6092, 12.9102, -2.9159, 55.4957],
        [0.6684, 10.7129, -2.3844, 56.0216],
    ]
)


def batches(regions, features, seed=0):
    """Two batches whose features have the same distribution except for a shift and a scale."""
    rng = np.random.default_rng(seed)
    mean, sd = rng.normal(0, 50, features), rng.uniform(0.5, 5, features)
    shift, scale = rng.normal(0, 3, features), rng.uniform(0.5, 2, features)
    target = mean + sd * rng.normal(size=(regions, features))
    source = mean + sd * (shift + scale * rng.normal(size=(regions, features)))
    return source, target


@pytest.mark.parametrize(
    ("covariate", "expected"), [(None, NEUROCOMBAT), (DIAGNOSIS, NEUROCOMBAT_DIAGNOSIS)]
)
def test_against_neurocombat(covariate, expected):
    # neuroCombat stops at a relative change of 1e-4, we stop at 1e-9.
    np.testing.assert_allclose(combat(SOURCE, TARGET, covariate), expected, atol=2e-3)


def test_mean_and_variance_come_to_the_target_s():
    source, target = batches(500, 40)
    harmonized = combat(source, target)
    off = (harmonized.mean(axis=0) - target.mean(axis=0)) / target.std(axis=0)
    np.testing.assert_allclose(off, 0, atol=0.01)
    np.testing.assert_allclose(harmonized.std(axis=0) / target.std(axis=0), 1, atol=0.05)


def test_with_many_regions_it_is_the_location_scale_model():
    source, target = batches(20_000, 5)
    standard = (source - source.mean(axis=0)) / source.std(axis=0, ddof=1)
    expected = target.mean(axis=0) + target.std(axis=0) * standard
    off = (combat(source, target) - expected) / target.std(axis=0)
    np.testing.assert_allclose(off, 0, atol=0.002)


def test_a_single_feature_has_nothing_to_be_drawn_to():
    source, target = batches(12, 1)
    standard = (source - source.mean()) / source.std(ddof=1)
    expected = target.mean() + target.std() * standard
    np.testing.assert_allclose(combat(source, target), expected)


@pytest.mark.parametrize("factor", [1.0, 2.5])
def test_a_known_shift_and_scale_is_taken_off(factor):
    _, target = batches(80, 30)
    mean, sd = target.mean(axis=0), target.std(axis=0)
    source = mean + sd * 4 + factor * (target - mean)
    harmonized = combat(source, target)
    # The rest is the divisor: N in one variance, N - 1 in the other.
    np.testing.assert_allclose(harmonized, mean + (target - mean) * np.sqrt(79 / 80))


def test_shift_and_variance_are_the_most_probable_ones():
    """An independent computation: minimize the penalized deviance of Johnson et al."""
    source, target = batches(10, 6, seed=3)
    mean, sd = target.mean(axis=0), target.std(axis=0)
    standard = (source - mean) / sd
    found, variances = standard.mean(axis=0), standard.var(axis=0, ddof=1)
    m, s2 = variances.mean(), variances.var(ddof=1)
    a, b = m**2 / s2 + 2, m**3 / s2 + m

    def deviance(parameters, column):
        shift, log_variance = parameters
        variance = np.exp(log_variance)
        squares = ((standard[:, column] - shift) ** 2).sum()
        prior = (shift - found.mean()) ** 2 / found.var(ddof=1)
        return (squares / 2 + b) / variance + (len(source) / 2 + a - 1) * log_variance + prior / 2

    harmonized = (combat(source, target) - mean) / sd
    for column in range(6):
        start = (found[column], np.log(variances[column]))
        precisely = {"xatol": 1e-9, "fatol": 1e-12}
        best = minimize(deviance, start, (column,), method="Nelder-Mead", options=precisely)
        expected = (standard[:, column] - best.x[0]) / np.exp(best.x[1] / 2)
        np.testing.assert_allclose(harmonized[:, column], expected, atol=1e-6)


def test_few_regions_are_drawn_together():
    source, target = batches(5, 200, seed=1)
    spread = combat(source, target).std(axis=0) / target.std(axis=0)
    alone = np.hstack([combat(source[:, [i]], target[:, [i]]) for i in range(200)])
    assert np.ptp(spread) > 0.1 > np.ptp(alone.std(axis=0, ddof=1) / target.std(axis=0))


def test_a_covariate_keeps_what_it_explains():
    rng = np.random.default_rng(0)
    malignant = np.repeat([0.0, 1.0], 200)
    effect = 3 * malignant[:, np.newaxis]
    target = rng.normal(0, 1, (400, 20)) + effect
    source = 10 + rng.normal(0, 2, (400, 20)) + effect
    harmonized = combat(source, target, malignant)
    kept = (harmonized[200:] - harmonized[:200]).mean()
    lost = combat(source, target)
    assert kept == pytest.approx(3, abs=0.1)
    assert (lost[200:] - lost[:200]).mean() < 2.6
    noise = harmonized - effect
    np.testing.assert_allclose(noise.std(axis=0), 1, atol=0.15)


@given(st.permutations(range(6)), st.floats(0.01, 100), st.floats(-50, 50))
def test_neither_the_order_of_the_target_nor_units_matter(order, factor, offset):
    harmonized = combat(SOURCE, TARGET)
    np.testing.assert_allclose(combat(SOURCE, TARGET[list(order)]), harmonized, rtol=1e-6)
    other = combat(factor * SOURCE + offset, factor * TARGET + offset)
    np.testing.assert_allclose(other, factor * harmonized + offset, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("batch", [0, 1])
def test_what_is_not_finite_is_not_a_number(bad, batch):
    columns = [SOURCE.copy(), TARGET.copy()]
    columns[batch][2, 1] = bad
    harmonized = combat(*columns)
    others = [0, 2, 3]
    assert np.isnan(harmonized[:, 1]).all()
    expected = combat(SOURCE[:, others], TARGET[:, others])
    np.testing.assert_allclose(harmonized[:, others], expected, rtol=1e-12)


@pytest.mark.parametrize("covariate", [None, DIAGNOSIS])
@pytest.mark.parametrize("batch", [0, 1])
def test_what_is_constant_is_left_alone(batch, covariate):
    columns = [SOURCE.copy(), TARGET.copy()]
    columns[batch][:, 1] = 1e6 / 3
    harmonized = combat(*columns, covariate)
    others = [0, 2, 3]
    np.testing.assert_array_equal(harmonized[:, 1], columns[0][:, 1])
    expected = combat(SOURCE[:, others], TARGET[:, others], covariate)
    np.testing.assert_allclose(harmonized[:, others], expected, rtol=1e-12)


def test_constant_without_the_covariate():
    source, target = SOURCE.copy(), TARGET.copy()
    source[:, 1], target[:, 1] = 0.1 + DIAGNOSIS / 3, 0.7 + DIAGNOSIS / 3
    np.testing.assert_array_equal(combat(source, target, DIAGNOSIS)[:, 1], source[:, 1])


def test_nothing_to_do():
    assert np.isnan(combat(np.full((3, 2), np.nan), np.ones((3, 2)))).all()
    constant = np.ones((3, 2))
    np.testing.assert_array_equal(combat(constant, 2 * constant), constant)
    assert combat(np.empty((3, 0)), np.empty((3, 0))).shape == (3, 0)


def test_a_batch_far_away_ends():
    target = 1e9 + 1e-3 * TARGET
    assert np.isfinite(combat(1e12 * SOURCE, target)).all()


def test_inputs_are_left_alone():
    source, target = SOURCE.copy(), TARGET.copy()
    combat(source, target)
    np.testing.assert_array_equal(source, SOURCE)
    np.testing.assert_array_equal(target, TARGET)


@pytest.mark.parametrize(
    ("source", "target", "covariate", "reason"),
    [
        (SOURCE, TARGET[:, :3], None, "are not two"),
        (SOURCE[0], TARGET[0], None, "are not two"),
        (SOURCE[:1], TARGET[:1], None, "a variance needs two"),
        (SOURCE, TARGET, DIAGNOSIS[:5], "for 6 regions"),
        (SOURCE, TARGET, np.ones(6), "explains nothing"),
        (SOURCE, TARGET, np.array([0, 1, np.nan, 1, 1, 0]), "explains nothing"),
    ],
)
def test_refusals(source, target, covariate, reason):
    with pytest.raises(ValueError, match=reason):
        combat(source, target, covariate)


def test_the_groups_need_not_be_of_the_same_regions():
    rng = np.random.default_rng(0)
    source, target = rng.normal(3, 2, (50, 4)), rng.normal(-1, 0.5, (31, 4))
    found = combat(source, target, empirical_bayes=False)
    assert found.mean(axis=0) == pytest.approx(target.mean(axis=0))
    assert found.std(axis=0, ddof=1) == pytest.approx(target.std(axis=0))
