"""Which features are stable: limits from blocks of slices or from patients."""

import numpy as np
import pytest
from support.evaluations import NAMES, RANGE, make_evaluation

from rgan_train.evaluation.metrics.blocks import Place
from rgan_train.evaluation.metrics.stability import measure_stability
from rgan_train.evaluation.regions.rois import Roi
from rgan_train.evaluation.results import FeatureTable

MASK = np.ones((2, 2), np.bool_)


def places(slices, patients=1):
    return [
        Place(f"patient {number * patients // slices}", "1", number) for number in range(slices)
    ]


def make_table(slices, noise, per_slice=4, shift=0.0):
    """Return a table with a method that adds noise, and a shift that slices of a block share."""
    rng = np.random.default_rng(0)
    rois = [Roi("a", number, MASK) for number in range(slices) for _ in range(per_slice)]
    target = rng.normal(size=(len(rois), 2))
    found = target + rng.normal(0, noise, target.shape)
    found += np.repeat(rng.normal(0, shift, (slices // 3 + 1, 2)), 3 * per_slice, axis=0)[
        : len(rois)
    ]
    return FeatureTable(rois, ("a_b_c", "a_b_d"), {"target": target, "mine": found})


def test_the_same_ccc_as_in_the_agreements():
    evaluation = make_evaluation()
    assert len(evaluation.stability) == 2 * len(evaluation.methods)
    for one in evaluation.stability:
        agreement = evaluation.agreement(one.group, one.method)
        defined = np.isfinite(one.ccc)
        assert np.array_equal(one.ccc[defined], agreement.ccc[defined])
    (group,) = (one for one in evaluation.stability if (one.group, one.method) == (RANGE, "good"))
    assert (group.slices, group.block) == (4, 2)
    assert np.isnan(group.ccc[5])  # undefined on the target in one of its regions
    assert len(group.ccc) == len(NAMES)


def test_a_good_method_is_stable_and_a_bad_one_is_not():
    for noise, expected in ((0.05, True), (0.6, False)):
        (found,) = measure_stability(make_table(20, noise), places(20), ["mine"])
        assert found.stable.tolist() == [expected] * 2
        assert np.all(found.limits[:, 0] < found.ccc)
        assert np.all(found.ccc < found.limits[:, 1])
        assert np.all(np.abs(found.limits) <= 1)


def test_many_patients_are_drawn_whole():
    table = make_table(30, 0.1, shift=0.5)
    (slices,) = measure_stability(table, places(30), ["mine"])
    (patients,) = measure_stability(table, places(30, patients=10), ["mine"])
    assert (slices.block, patients.block) == (4, 0)
    assert (slices.patients, patients.patients) == (1, 10)
    assert not np.array_equal(slices.limits, patients.limits)


@pytest.mark.parametrize("slices", [1, 3])
def test_few_slices_have_no_limits_and_so_nothing_is_stable(slices):
    (found,) = measure_stability(make_table(slices, 0.01), places(slices), ["mine"])
    assert np.all(found.ccc > 0.99)
    assert np.isnan(found.limits).all()
    assert not found.stable.any()


def test_a_feature_that_the_method_makes_undefined_is_not_stable():
    table = make_table(20, 0.05)
    table.values["mine"][0, 1] = np.nan
    (found,) = measure_stability(table, places(20), ["mine"])
    assert found.stable.tolist() == [True, False]


@pytest.mark.parametrize("known", [1, 30])
def test_patients_known_from_training_are_not_drawn(known):
    where = places(30, patients=10)
    where[:known] = [place._replace(known=True) for place in where[:known]]
    (found,) = measure_stability(make_table(30, 0.1), where, ["mine"])
    assert (found.block, found.patients, found.exploratory) == (4, 10, True)
    (new,) = measure_stability(make_table(30, 0.1), places(30, patients=10), ["mine"])
    assert not new.exploratory
