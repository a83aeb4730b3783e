import numpy as np
import pytest

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.config import DataConfig
from rgan_train.pairs.splits import (
    PARTS,
    Split,
    make_splits,
    parse_ranges,
    split_fold,
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
        ((",", "", ""), "slice ranges ',' name no slice"),
        (("0-5", "6", " "), "slice ranges ' ' name no slice"),
    ],
)
def test_bad_ranges(ranges, message):
    config = DataConfig(train_slices=ranges[0], validation_slices=ranges[1], test_slices=ranges[2])
    with pytest.raises(ConfigurationError, match=message):
        make_splits(["a"], [12], [""], config)


def test_parse_ranges():
    assert parse_ranges(" 3 , 0-1 ") == (3, 0, 1)
    assert parse_ranges("") == ()


@pytest.mark.parametrize(
    ("fold", "test", "gaps", "validation"),
    [
        (1, range(6), (29, 6), (7, 8, 9)),
        (2, range(6, 12), (5, 12), (13, 14, 15)),
        (3, range(12, 18), (11, 18), (19, 20, 21)),
        (4, range(18, 24), (17, 24), (25, 26, 27)),
        (5, range(24, 30), (23, 0), (1, 2, 3)),
    ],
)
def test_the_folds_of_thirty_slices(fold, test, gaps, validation):
    (split,) = make_splits(["a"], [30], [""], DataConfig(fold=fold))
    used = {*test, *gaps, *validation}
    assert split == Split(tuple(set(range(30)) - used), validation, tuple(test))


@pytest.mark.parametrize("count", [10, 11, 29, 30, 70, 133])
def test_each_slice_is_tested_in_one_fold_and_has_no_neighbour_in_training(count):
    splits = [make_splits(["a"], [count], [""], DataConfig(fold=n))[0] for n in range(1, 6)]
    assert sorted(number for split in splits for number in split.test) == list(range(count))
    for split in splits:
        assert not set(split.train) & set(split.validation)
        assert split.train
        assert split.validation
        learned = {*split.train, *split.validation}
        assert not learned & {*range(split.test[0] - 1, split.test[-1] + 2)}
        assert len(learned) == count - len(split.test) - 2


def test_folds_of_seventy_slices_validate_on_five():
    split = split_fold(1, 5, 70, gap=1)
    assert split.test == tuple(range(14))
    assert split.validation == (15, 16, 17, 18, 19)


def test_folds_of_patients():
    names = [f"p{index}" for index in range(7)]
    tested = []
    for fold in range(1, 6):
        config = DataConfig(fold=fold)
        splits = make_splits([*names, "p0"], [4] * 8, [""] * 8, config)
        assert splits[0] == splits[-1]
        assert all(sum(map(bool, (s.train, s.validation, s.test))) == 1 for s in splits)
        assert sum(bool(split.validation) for split in splits[:7]) == 1
        tested += [name for name, split in zip(names, splits, strict=False) if split.test]
    assert sorted(tested) == names


def test_three_patients_make_three_folds():
    parts = [make_splits(list("abc"), [2] * 3, [""] * 3, DataConfig(fold=n)) for n in (1, 2, 3)]
    assert [sum(bool(split.test) for split in splits) for splits in zip(*parts, strict=True)] == [
        1,
        1,
        1,
    ]
    with pytest.raises(ConfigurationError, match="fold = 4, but 3 patients make 3 folds"):
        make_splits(list("abc"), [2] * 3, [""] * 3, DataConfig(fold=4))


def test_a_fold_needs_slices_and_no_column_split():
    with pytest.raises(TrainingError, match="9 slices are too few"):
        make_splits(["a"], [9], [""], DataConfig(fold=1))
    with pytest.raises(ConfigurationError, match=r"data\.fold = 1, but the list of pairs"):
        make_splits(["a"], [30], ["test"], DataConfig(fold=1))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"train_slices": "0-5", "validation_slices": "6-7", "test_slices": "8-9"}, "train_slices"),
        ({"test_slices": "8-9"}, "test_slices"),
        ({"split": "position"}, "split"),
    ],
)
def test_the_column_split_never_overrides_a_setting_silently(settings, name):
    message = rf"data\.{name} = .* column split .*; empty that column, or leave data\.{name} out"
    with pytest.raises(ConfigurationError, match=message):
        make_splits(["a", "b"], [20, 20], ["test", "train"], DataConfig(**settings))


def test_the_column_split_is_a_split_by_patient():
    config = DataConfig(split="patient")
    parts = ["test", "train"]
    splits = make_splits(["a", "b"], [4, 4], parts, config)
    assert splits == make_splits(["a", "b"], [4, 4], parts, DataConfig())


@pytest.mark.parametrize(
    "settings",
    [{"fold": 6}, {"fold": -1}, {"fold": 1, "split": "position"}, {"fold": 1, "test_slices": "3"}],
)
def test_folds_that_are_refused(settings):
    with pytest.raises(ConfigurationError, match=r"data\.fold = "):
        DataConfig(**settings)


def random_patients(seed):
    """Return the patient and the number of slices of each pair: many patients have several."""
    rng = np.random.default_rng(seed)
    patients = [f"{number:012x}" for number in range(int(rng.integers(3, 60)))]
    extra = rng.choice(patients, int(rng.integers(0, 40))).tolist()
    rows = rng.permutation([*patients, *extra]).tolist()
    return rows, rng.integers(1, 30, len(rows)).tolist()


def parts_of_patients(patients, splits):
    """Return in which parts each patient has slices."""
    found = {}
    for patient, split in zip(patients, splits, strict=True):
        found.setdefault(patient, set()).update(part for part in PARTS if getattr(split, part))
    return found


@pytest.mark.parametrize("seed", range(100))
def test_no_patient_is_in_two_parts(seed):
    patients, counts = random_patients(seed)
    nowhere = [""] * len(patients)
    folds = min(5, len(set(patients)))
    ways = [{}, {"split": "patient"}, *({"fold": fold} for fold in range(1, folds + 1))]
    for way in ways:
        splits = make_splits(patients, counts, nowhere, DataConfig(**way))
        assert {len(parts) for parts in parts_of_patients(patients, splits).values()} == {1}
        used = [len(split.train) + len(split.validation) + len(split.test) for split in splits]
        assert used == counts


@pytest.mark.parametrize("seed", range(20))
def test_a_column_that_splits_a_patient_is_refused_wherever_it_does(seed):
    patients, counts = random_patients(seed)
    rng = np.random.default_rng(seed)
    own = {patient: str(rng.choice(PARTS)) for patient in sorted(set(patients))}
    parts = [own[patient] for patient in patients]
    splits = make_splits(patients, counts, parts, DataConfig())
    assert parts_of_patients(patients, splits) == {name: {part} for name, part in own.items()}
    for row, patient in enumerate(patients):
        if patients.count(patient) > 1:
            other = PARTS[(PARTS.index(parts[row]) + 1) % 3]
            with pytest.raises(TrainingError, match=f"patient {patient} is in both"):
                make_splits(
                    patients, counts, [*parts[:row], other, *parts[row + 1 :]], DataConfig()
                )


@pytest.mark.parametrize("other", ["p1", "P1 ", "P  1", " p1"])
@pytest.mark.parametrize("config", [DataConfig(), DataConfig(fold=1), DataConfig(split="patient")])
def test_one_patient_is_spelled_alike(other, config):
    first = "P 1" if "  " in other else "P1"
    names = [first, "second", "third", other]
    with pytest.raises(TrainingError, match="differ in case or blanks only"):
        make_splits(names, [10] * 4, [""] * 4, config)
