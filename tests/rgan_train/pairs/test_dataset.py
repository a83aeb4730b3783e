from dataclasses import replace

import pytest
from support.training import open_dataset, tiny_config, write_pair_of_scans

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.config import DataConfig
from rgan_train.pairs.dataset import choose_direction, load_dataset
from rgan_train.pairs.find import find_pairs


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


def test_three_patients_are_split_by_patient(tmp_path):
    for number in (1, 2, 3):
        write_pair_of_scans(tmp_path, number=number, slices=2, size=16)
    dataset = open_dataset(tmp_path)
    parts = [dataset.train, dataset.validation, dataset.test]
    frames = [{item.frame_of_reference_uid for item in part} for part in parts]
    assert [len(frame) for frame in frames] == [1, 1, 1]
    assert len(set.union(*frames)) == 3


def test_one_place_in_two_parts_is_a_leak(scans):
    (pair,) = find_pairs([scans]).pairs
    twice = [replace(pair, split="train"), replace(pair, split="validation", patient="another")]
    with pytest.raises(TrainingError, match="in both train and validation"):
        load_dataset(twice, tiny_config().data)


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
