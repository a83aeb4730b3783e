"""What a job takes from pairs and settings, and which folders it refuses."""

import os
from dataclasses import replace

import pytest
from support.training import tiny_config

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.pairs import read_pairs
from rgan_train.training import Job, RunFolder
from rgan_train.training.job import check_folder


@pytest.fixture
def pairs(pairs_csv):
    return read_pairs(pairs_csv)


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


@pytest.mark.parametrize(
    ("source", "target"), [("b40F", "B70F"), ("B40f", ""), ("", "B70f"), ("b40f", "")]
)
def test_the_direction_is_spelled_as_in_the_list(pairs, folder, source, target):
    config = tiny_config(f"data.source_kernel={source}", f"data.target_kernel={target}")
    job = Job.from_pairs(config, pairs, folder)
    data = job.config.data
    assert (data.source_kernel, data.target_kernel) == ("B40f", "B70f")
    assert (job.dataset.source_kernel, job.dataset.target_kernel) == ("B40f", "B70f")
    assert replace(data, source_kernel=source, target_kernel=target) == config.data


def test_a_direction_that_is_not_clear(pairs, folder):
    config = tiny_config("data.source_kernel=", "data.target_kernel=")
    with pytest.raises(ConfigurationError, match="fit 2 directions"):
        Job.from_pairs(config, pairs, folder)


def test_what_is_given_is_kept(pairs, folder, tmp_path):
    weights = tmp_path / "vgg.npz"
    job = Job.from_pairs(tiny_config(), pairs, folder, resume=True, devices=2, vgg_weights=weights)
    assert (job.pairs, job.folder) == (pairs, folder)
    assert (job.resume, job.devices, job.vgg_weights) == (True, 2, weights)


def test_a_new_run_needs_a_folder_without_one(pairs, folder):
    job = Job.from_pairs(tiny_config(), pairs, folder)
    check_folder(job)
    folder.create(job.config, {"data_sha256": job.dataset.sha256()}, {})
    with pytest.raises(TrainingError, match="holds a run already"):
        check_folder(job)
    check_folder(replace(job, resume=True))


def test_the_folder_of_a_run_is_named_in_utf_8(pairs, tmp_path):
    folder = RunFolder(tmp_path / os.fsdecode(b"M\xfcller"))
    with pytest.raises(TrainingError, match="needs a name in UTF-8"):
        check_folder(Job.from_pairs(tiny_config(), pairs, folder))
    assert not folder.path.exists()
