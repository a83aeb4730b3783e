"""What headers state of scans, and how slices are divided."""

from dataclasses import replace

import pytest
from pydicom import dcmread
from support.training import list_pairs, write_pair_of_scans

from rgan_train.config import DataConfig
from rgan_train.evaluation.scans import describe_scans, describe_split
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset

DIRECTION = DataConfig(source_kernel="B40f", target_kernel="B70f")


@pytest.fixture
def dataset(tmp_path):
    root = write_pair_of_scans(tmp_path / "scans", slices=16, size=32)
    return load_dataset(read_pairs(list_pairs(root)), DIRECTION)


def change(path, **attributes):
    header = dcmread(path)
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    header.save_as(path)


def test_what_headers_state(dataset):
    files = [item.source for item in dataset.test]
    change(files[0], ManufacturerModelName="Scan & Co", KVP="120", SliceThickness="1.5")
    change(files[1], ManufacturerModelName="Another", KVP="100", SliceThickness="1.5")
    for path in files[2:]:
        change(path, ManufacturerModelName="", KVP=None, SliceThickness=None)
    found = describe_scans(files)
    assert found["series"] == 1
    assert found["scanners"] == ["Another", "Scan & Co"]
    assert found["tube_kv"] == [100.0, 120.0]
    assert found["thickness_mm"] == [1.5]
    assert found["kernels"] == ["B40f"]
    assert found["matrix"] == ["32 x 32"]
    assert len(found["pixel_spacing_mm"]) == 1


def test_two_series(dataset):
    found = describe_scans([dataset.test[0].source, dataset.test[0].target])
    assert found["series"] == 2
    assert found["kernels"] == ["B40f", "B70f"]


def test_no_patient_data(dataset):
    change(dataset.test[0].source, PatientName="Miller", PatientID="secret")
    assert not {"Miller", "secret"} & set(str(describe_scans([dataset.test[0].source])).split("'"))


def test_the_split_of_one_patient(dataset):
    found = describe_split(dataset)
    assert found["slices"]["test"] == len(dataset.test)
    assert found["patients"] == {"train": 1, "validation": 1, "test": 1}
    assert found["test_patients_also_in_training"] == 1


def test_a_patient_of_its_own(dataset):
    test = tuple(replace(item, patient="another") for item in dataset.test)
    assert describe_split(replace(dataset, test=test))["test_patients_also_in_training"] == 0
