"""A classifier that tells groups apart, and the limits of chance."""

import numpy as np
import pytest

from rgan_train.evaluation.cohorts import separation
from rgan_train.evaluation.cohorts.separation import tell_apart

FOLDS = np.repeat(np.arange(8), 5)


def draw(shift=0.0, by_patient=0.0, seed=0, features=200):
    """Return regions of eight patients, five of each, that may resemble each other."""
    rng = np.random.default_rng(seed)
    patients = by_patient * rng.normal(size=(8, features))
    return rng.normal(shift, 1, (40, features)) + patients[FOLDS]


def test_groups_that_differ_are_told_apart():
    found = tell_apart(draw(0.5), draw(seed=1), (FOLDS, FOLDS))
    assert found.auc > 0.95 > found.limits[1]
    assert found.arrangements == 128


@pytest.mark.parametrize("by_patient", [0.0, 3.0])
def test_equal_groups_stay_within_the_limits(by_patient):
    groups = (draw(by_patient=by_patient, seed=seed) for seed in (1, 2))
    found = tell_apart(*groups, (FOLDS, FOLDS))
    assert found.limits[0] <= found.auc <= found.limits[1]


def test_regions_that_resemble_each_other_widen_the_limits():
    width = [
        np.ptp(tell_apart(draw(0, by, 1), draw(0, by, 2), (FOLDS, FOLDS)).limits)
        for by in (0.0, 3.0)
    ]
    assert width[1] > 1.5 * width[0]


@pytest.mark.parametrize("folds", [2, 3, 6])
def test_few_arrangements_have_no_limits(folds):
    dealt = FOLDS % folds
    found = tell_apart(draw(0.5), draw(seed=1), (dealt, dealt))
    assert found.auc > 0.9
    assert (found.arrangements, found.limits) == (2 ** (folds - 1), None)


@pytest.mark.parametrize("folds", [7, 8])
def test_no_more_arrangements_are_beyond_the_limits_than_their_level(folds, monkeypatch):
    count = 2 ** (folds - 1)
    areas = np.arange(count) / count
    monkeypatch.setattr(separation, "_test", lambda *given: areas)
    low, high = tell_apart(draw(), draw(), (FOLDS % folds, FOLDS % folds)).limits
    assert 0 < (areas < low - 1e-9).mean() <= 0.025
    assert 0 < (areas > high + 1e-9).mean() <= 0.025


def test_exchanged_groups_have_the_same_area():
    one, other = draw(0.1), draw(seed=1)
    pair = (FOLDS, FOLDS)
    assert tell_apart(one, other, pair).auc == pytest.approx(tell_apart(other, one, pair).auc)


def test_a_long_tail_does_not_decide():
    values = draw(0.5)
    values[3, 7] = 1e12
    assert tell_apart(values, draw(seed=1), (FOLDS, FOLDS)).auc > 0.95


def test_one_common_fold_is_not_enough():
    zero = np.zeros(40, np.int64)
    assert tell_apart(draw(), draw(), (zero, zero)) is None
    assert tell_apart(draw(), draw(), (FOLDS, zero)) is None
