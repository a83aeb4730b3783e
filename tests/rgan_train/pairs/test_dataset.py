from dataclasses import replace

import pytest
from support.dicom_phantoms import uid
from support.training import (
    KERNELS,
    list_pairs,
    open_dataset,
    tiny_config,
    write_pair_of_scans,
    write_scan,
)

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.config import DataConfig
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import (
    choose_direction,
    load_dataset,
    reference_spacing,
    spread_over_patients,
)
from rgan_train.pairs.find import find_pairs
from rgan_train.pairs.leaks import refuse_overlaps
from rgan_train.pairs.splits import Split


def test_both_directions(scans):
    forward = open_dataset(scans)
    back = open_dataset(scans, DataConfig(source_kernel="b70F"))
    assert (back.source_kernel, back.target_kernel) == ("B70f", "B40f")
    assert [item.source for item in back.train] == [item.target for item in forward.train]


@pytest.mark.parametrize(
    ("source", "target", "count"), [("", "", 2), ("B30f", "", 0), ("B40f", "B40f", 0)]
)
def test_a_direction_that_cannot_be_told(scans, source, target, count):
    config = DataConfig(source_kernel=source, target_kernel=target)
    with pytest.raises(ConfigurationError, match=f"fit {count} directions.*B40f to B70f"):
        choose_direction(find_pairs([scans]).pairs, config)


def test_a_direction_between_kernels_of_several_values(tmp_path):
    """Siemens writes the strength of an iterative reconstruction as a second value."""
    for series, kernel in enumerate(("Br40d\\3", "Br64d\\3", "Br40d"), start=1):
        write_scan(tmp_path / str(series), kernel, number=1, series=series, slices=2, size=16)
    pairs = read_pairs(list_pairs(tmp_path)).pairs
    config = DataConfig(source_kernel="br64d\\3", target_kernel="Br40d\\3")
    assert choose_direction(pairs, config) == ("Br64d\\3", "Br40d\\3")
    with pytest.raises(ConfigurationError, match=r"target_kernel = 'Br40d.2' fit 0 directions"):
        choose_direction(pairs, DataConfig(target_kernel="Br40d\\2"))


def test_three_patients_are_split_by_patient(tmp_path):
    for number in (1, 2, 3):
        write_pair_of_scans(tmp_path, number=number, slices=2, size=16)
    dataset = open_dataset(tmp_path)
    parts = [dataset.train, dataset.validation, dataset.test]
    frames = [{item.frame for item in part} for part in parts]
    assert [len(frame) for frame in frames] == [1, 1, 1]
    assert len(set.union(*frames)) == 3


@pytest.mark.parametrize("fold", [0, 1, 2, 3, 4])
def test_no_patient_with_several_studies_is_in_two_parts(tmp_path, fold):
    """Patient 1 has three studies in folders of their own, its number with other blanks."""
    ids = {5: "patient 1 ", 6: " patient 1"}
    for number in range(1, 7):
        for series, kernel in enumerate(KERNELS, start=1):
            folder = tmp_path / f"site-{number % 2}" / f"{number}-{kernel}"
            own = {"PatientID": ids[number]} if number in ids else {}
            write_scan(folder, kernel, number=number, series=series, slices=2, size=16, **own)
    pairs = read_pairs(list_pairs(tmp_path))
    assert len(pairs) == 6
    dataset = load_dataset(pairs, DataConfig(source_kernel="B40f", fold=fold))
    parts = [dataset.train, dataset.validation, dataset.test]
    patients = [{item.patient for item in part} for part in parts]
    frames = [{item.frame for item in part} for part in parts]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 4
    assert sum(map(len, frames)) == len(set.union(*frames)) == 6


def test_one_place_in_two_parts_is_a_leak(scans):
    (pair,) = find_pairs([scans]).pairs
    twice = [replace(pair, split="train"), replace(pair, split="validation", patient="another")]
    with pytest.raises(TrainingError, match="in both train and validation"):
        load_dataset(twice, tiny_config().data)


@pytest.mark.parametrize(
    ("patients", "settings"),
    [
        (3, {"train_slices": "0-5", "validation_slices": "6-7", "test_slices": "9-11"}),
        (3, {"train_slices": "", "validation_slices": "6-7", "test_slices": "9-11"}),
        (3, {"split": "position"}),
        (2, {}),
    ],
)
def test_patients_in_training_and_in_the_test_are_noted(tmp_path, patients, settings):
    for number in range(1, patients + 1):
        write_pair_of_scans(tmp_path, number=number, size=16)
    config = DataConfig(source_kernel="B40f", target_kernel="B70f", **settings)
    dataset = load_dataset(find_pairs([tmp_path]).pairs, config, needed=("test",))
    assert dataset.known_patients == set(dataset.patients)
    (note,) = dataset.notes
    assert note.startswith(f"{patients} patients have slices in the test and in training")
    assert "leave out ranges of slices and data.split=position" in note


def test_no_note_where_the_test_knows_no_patient_or_has_one(tmp_path, scans):
    assert len(open_dataset(scans).known_patients) == 1
    assert not open_dataset(scans).notes
    for number in (1, 2, 3):
        write_pair_of_scans(tmp_path, number=number, slices=2, size=16)
    dataset = open_dataset(tmp_path)
    assert (dataset.known_patients, dataset.notes) == (set(), ())


def write_second_scan(root, start, *, distance=2.0, slices=12):
    """Write two more series of patient 1 that begin at ``start`` mm; the first go from 0 to 22."""
    for series, kernel in enumerate(KERNELS, start=3):
        for index in range(slices):
            own = {
                "ImagePositionPatient": [-10, -20, start + distance * index],
                "SOPInstanceUID": uid(1, 1, series, index + 1),
            }
            folder = root / f"{kernel}-again" / str(index)
            write_scan(folder, kernel, series=series, slices=1, size=16, **own)
    return root


@pytest.mark.parametrize(
    ("start", "distance", "message"),
    [
        (13.0, 2.0, r"13\.0 mm \(train\) and 14\.0 mm \(validation\)"),
        (22.9, 2.0, r"22\.0 mm \(test\) and 22\.9 mm \(train\)"),
        (22.5, 0.5, r"22\.0 mm \(test\) and 22\.5 mm \(train\)"),
        (-1.0, 2.0, r"overlap"),
    ],
)
def test_slices_that_overlap_those_of_another_part_are_a_leak(tmp_path, start, distance, message):
    write_pair_of_scans(tmp_path, size=16)
    write_second_scan(tmp_path, start, distance=distance)
    with pytest.raises(TrainingError, match=message) as refused:
        open_dataset(tmp_path)
    assert "overlap: they are of two series of one patient; give the ranges" in str(refused.value)


@pytest.mark.parametrize(("start", "distance"), [(24.0, 2.0), (23.96, 2.0), (23.25, 0.5)])
def test_series_that_only_touch_are_no_leak(tmp_path, start, distance):
    write_pair_of_scans(tmp_path, size=16)
    write_second_scan(tmp_path, start, distance=distance)
    assert len(open_dataset(tmp_path).test) == 6


def test_thick_slices_that_overlap_in_their_own_series_are_no_leak(tmp_path):
    for series, kernel in enumerate(KERNELS, start=1):
        write_scan(tmp_path, kernel, series=series, size=16, SliceThickness=5)
    config = DataConfig(
        source_kernel="B40f", train_slices="0-5", validation_slices="6", test_slices="7-11"
    )
    assert len(open_dataset(tmp_path, config).test) == 5


def scattered(item, positions, part):
    """Return the slices of a pair at some positions, and a split with all of them in one part."""
    slices = [replace(item, position=float(position)) for position in positions]
    return slices, Split(**{part: tuple(range(len(slices)))})


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ([0, 10, 20], [22, 23, 24], True),
        ([0, 10, 20], [26, 27, 28], False),
        ([0, 1, 5, 9], [2, 2.5], False),
        ([0, 30, 60], [14], True),
        ([5], [5.1], False),
    ],
)
def test_slices_reach_half_as_far_as_the_nearest_of_their_series(scans, first, second, overlap):
    item = open_dataset(scans).train[0]
    pairs = [scattered(item, first, "test"), scattered(item, second, "train")]
    for order in (pairs, pairs[::-1]):
        slices, splits = zip(*order, strict=True)
        if overlap:
            with pytest.raises(TrainingError, match="overlap"):
                refuse_overlaps(slices, splits)
        else:
            refuse_overlaps(slices, splits)


def test_other_patients_and_other_frames_do_not_overlap(scans):
    item = open_dataset(scans).train[0]
    for other in (replace(item, patient="another"), replace(item, frame="1.2.3")):
        pairs = [scattered(item, range(9), "test"), scattered(other, range(9), "train")]
        refuse_overlaps(*zip(*pairs, strict=True))


def write_cohort(folder, **attributes):
    """Write the scans of three patients with different numbers of slices."""
    for number in (1, 2, 3):
        own = {name: value(number) for name, value in attributes.items()}
        for series, kernel in enumerate(KERNELS, start=1):
            write_scan(
                folder / f"{number}-{kernel}",
                kernel,
                number=number,
                series=series,
                slices=9 + number,
                size=16,
                **own,
            )
    return folder


@pytest.mark.parametrize("frame", [None, "1.2.3"])
def test_patients_whose_frame_of_reference_is_the_same(tmp_path, frame):
    dataset = open_dataset(write_cohort(tmp_path, FrameOfReferenceUID=lambda number: frame))
    parts = [dataset.train, dataset.validation, dataset.test]
    assert sum(map(len, parts)) == 10 + 11 + 12
    assert [len({item.patient for item in part}) for part in parts] == [1, 1, 1]
    assert not dataset.notes


@pytest.mark.parametrize("frame", [lambda number: None, lambda number: f"1.2.{number}"])
def test_patients_with_one_id_are_split_by_position(tmp_path, frame):
    ids = {"PatientID": lambda number: "ANON", "FrameOfReferenceUID": frame}
    dataset = open_dataset(write_cohort(tmp_path, **ids))
    assert len(dataset.train) == 6 + 6 + 7
    (note,) = dataset.notes
    assert "the 3 studies count as one patient" in note
    assert "column patient" in note


def test_patients_that_nothing_tells_apart(tmp_path):
    def ids(number):
        return "1.2.3"

    write_cohort(tmp_path, PatientID=ids, FrameOfReferenceUID=ids)
    with pytest.raises(TrainingError, match=r"in both .* write a name of its own .* patient"):
        open_dataset(tmp_path)


def test_nothing_to_validate_on(scans):
    (pair,) = find_pairs([scans]).pairs
    with pytest.raises(TrainingError, match="no slices for validation"):
        load_dataset([replace(pair, split="train")], tiny_config().data)


def test_too_few_slices(tmp_path):
    write_pair_of_scans(tmp_path, slices=9, size=16)
    with pytest.raises(TrainingError, match="9 slices are too few"):
        open_dataset(tmp_path)


def test_the_hash_tells_splits_apart(scans):
    config = tiny_config("data.train_slices=0-5", "data.validation_slices=6", "data.test_slices=7")
    assert open_dataset(scans).sha256() == open_dataset(scans).sha256()
    assert open_dataset(scans).sha256() != open_dataset(scans, config.data).sha256()


@pytest.mark.parametrize("maker", ["Scanner Works", None])
def test_the_headers_of_what_is_trained_on_state_the_domain(tmp_path, maker):
    kinds = {1: "ITERATIVE", 2: "FILTER_BACK_PROJ", 3: None}
    write_cohort(
        tmp_path,
        SliceThickness=lambda number: 4 - number,
        ReconstructionAlgorithm=kinds.get,
        Manufacturer=lambda number: maker and f"{maker} {number}",
    )
    dataset = open_dataset(tmp_path)
    (trained,) = {int(item.source.name.split("-")[0]) for item in dataset.train}
    assert dataset.thickness == (4.0 - trained,)
    assert dataset.reconstruction == tuple(filter(None, [kinds[trained]]))
    assert dataset.manufacturers == ((f"{maker} {trained}",) if maker else ())


def test_the_reference_is_a_spacing_that_a_scanner_made(scans):
    files = open_dataset(scans).train[0]
    sizes = (0.9, 0.5, 0.6, 0.8)
    slices = [replace(files, pixel_spacing=(size, size)) for size in sizes]
    assert reference_spacing(slices) == 0.6
    assert reference_spacing([*slices, *slices[:1]]) == 0.8


def test_a_fold_is_tested_and_told(tmp_path):
    write_pair_of_scans(tmp_path, slices=10, size=16)
    pairs = read_pairs(list_pairs(tmp_path))
    folds = [load_dataset(pairs, tiny_config(f"data.fold={n}").data) for n in range(1, 6)]
    tested = [item.source_uid for dataset in folds for item in dataset.test]
    assert len(tested) == len(set(tested)) == 10
    assert folds[1].notes == ("fold 2 of 5: each slice is tested in one fold",)
    assert len({dataset.sha256() for dataset in folds}) == 5


def of_patients(item, counts):
    """Return slices at positions 0, 1, ... of some patients, by name."""
    return [
        replace(item, patient=name, position=float(position))
        for name, count in counts.items()
        for position in range(count)
    ]


@pytest.mark.parametrize(
    ("counts", "wanted", "expected"),
    [
        ({"a": 3, "b": 2}, 0, {"a": [0, 1, 2], "b": [0, 1]}),
        ({"a": 3, "b": 2}, 5, {"a": [0, 1, 2], "b": [0, 1]}),
        ({"a": 100, "b": 100}, 4, {"a": [25, 75], "b": [25, 75]}),
        ({"a": 100, "b": 1, "c": 30}, 7, {"a": [16, 50, 83], "b": [0], "c": [5, 15, 25]}),
        ({"a": 9, "b": 9, "c": 9}, 2, {"b": [4], "c": [4]}),
    ],
)
def test_some_slices_stand_for_all_patients(scans, counts, wanted, expected):
    chosen = spread_over_patients(of_patients(open_dataset(scans).train[0], counts), wanted)
    found = {}
    for item in chosen:
        found.setdefault(item.patient, []).append(item.position)
    assert found == expected
