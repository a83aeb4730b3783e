import pytest

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.config import DataConfig
from rgan_train.pairs.splits import (
    Split,
    make_splits,
    parse_ranges,
    split_patients,
    split_positions,
)


@pytest.mark.parametrize(
    ("count", "train", "validation", "test"),
    [
        (30, range(18), range(18, 21), range(22, 30)),
        (70, range(42), range(42, 49), range(50, 70)),
        (10, range(6), range(6, 7), range(8, 10)),
    ],
)
def test_positions(count, train, validation, test):
    assert split_positions(count) == Split(tuple(train), tuple(validation), tuple(test))


def test_too_few_slices():
    with pytest.raises(TrainingError, match="9 slices are too few"):
        split_positions(9)


def test_patients_fall_into_one_part_each_whatever_their_order():
    names = [f"p{index}" for index in range(20)]
    parts = split_patients(names)
    assert parts == split_patients(names[::-1])
    counts = [list(parts.values()).count(part) for part in ("train", "validation", "test")]
    assert counts == [12, 2, 6]


def test_three_patients_are_enough_and_two_are_not():
    assert sorted(split_patients(["a", "b", "c"]).values()) == ["test", "train", "validation"]
    with pytest.raises(TrainingError, match="2 patients"):
        split_patients(["a", "b"])


def test_auto_splits_by_patient_from_three_on():
    by_position = make_splits(["a", "b"], [10, 10], ["", ""], DataConfig())
    assert all(split.train and split.test for split in by_position)
    by_patient = make_splits(["a", "b", "c"], [2, 2, 2], [""] * 3, DataConfig())
    assert sorted(len(split.train) for split in by_patient) == [0, 0, 2]


def test_position_can_be_asked_for():
    splits = make_splits(["a", "b", "c"], [10] * 3, [""] * 3, DataConfig(split="position"))
    assert splits == [split_positions(10)] * 3


def test_the_list_of_pairs_can_assign_patients():
    splits = make_splits(["a", "a", "b"], [4, 4, 3], ["train", "train", "validation"], DataConfig())
    assert [len(split.train) for split in splits] == [4, 4, 0]
    assert splits[2].validation == (0, 1, 2)


def test_a_patient_in_two_parts():
    with pytest.raises(TrainingError, match="patient a is in both train and test"):
        make_splits(["a", "a"], [4, 4], ["train", "test"], DataConfig())


def test_half_filled_column():
    with pytest.raises(TrainingError, match="column split"):
        make_splits(["a", "b"], [4, 4], ["train", ""], DataConfig())


def test_explicit_ranges():
    config = DataConfig(train_slices="0-10,25-29", validation_slices="23-24", test_slices="12-21")
    (split,) = make_splits(["a"], [30], [""], config)
    assert split.train == (*range(11), *range(25, 30))
    assert split.test == tuple(range(12, 22))


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        (("0-5", "5-6", "8"), r"share slices \[5\]"),
        (("0-5", "6", "12"), r"a pair has only slices 0 to 11"),
        (("0-5", "six", ""), "write FIRST-LAST"),
        (("5-0", "6", ""), "write FIRST-LAST"),
    ],
)
def test_bad_ranges(ranges, message):
    config = DataConfig(train_slices=ranges[0], validation_slices=ranges[1], test_slices=ranges[2])
    with pytest.raises(ConfigurationError, match=message):
        make_splits(["a"], [12], [""], config)


def test_parse_ranges():
    assert parse_ranges(" 3 , 0-1 ") == (3, 0, 1)
    assert parse_ranges("") == ()
