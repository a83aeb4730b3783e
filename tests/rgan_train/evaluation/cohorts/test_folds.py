"""Folds: no patient, and no part of a single patient's scan, is both known and tested."""

import numpy as np

from rgan_train.evaluation.cohorts.folds import halve, make_folds


def repeat(*names, times=3):
    return np.repeat(names, times)


def test_patients_are_dealt_out_whole():
    first, second = repeat(*"abcdef"), repeat(*"uvwxyz", times=2)
    folds = make_folds(first, second)
    assert folds.by_patient
    assert folds.count == 6
    for patients, fold in ((first, folds.first), (second, folds.second)):
        assert set(fold) == set(range(6))
        assert all(len(set(fold[patients == name])) == 1 for name in patients)


def test_a_patient_of_both_groups_is_in_one_fold():
    first, second = repeat("d", "c", "z"), repeat("a", "z", "b", "c")
    folds = make_folds(first, second)
    for name in "cz":
        assert set(folds.first[first == name]) == set(folds.second[second == name])


def test_the_slices_of_one_patient_are_divided_by_position():
    folds = make_folds(repeat("a", times=9), repeat("b", times=4))
    assert not folds.by_patient
    assert folds.count == 4
    assert folds.first.tolist() == sorted(folds.first)
    assert folds.second.tolist() == [0, 1, 2, 3]


def test_halves_share_no_patient():
    patients = repeat(*"abcde")
    second = halve(patients)
    assert not set(patients[second]) & set(patients[~second])
    assert halve(repeat("a", times=16)).tolist() == [False, False, True, True] * 4
