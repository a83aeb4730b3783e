"""How a run that learns other pixel spacings and noise begins."""

import pytest
from support.training import list_pairs, open_dataset, tiny_config, write_pair_of_scans

from rgan_sdk.errors import ConfigurationError
from rgan_train.networks.compact import CompactCNN
from rgan_train.pairs import read_pairs
from rgan_train.processes import make_fabric
from rgan_train.training import Job, RunFolder
from rgan_train.training import run as run_module
from rgan_train.training.run import prepare_run

NOISE = "domain.added_noise=30"


@pytest.fixture
def start(tmp_path):
    """Prepare a run of a scan, as training does before its first step."""

    def prepare(scans, *assignments):
        config = tiny_config("method.name=compact", "compact.channels=4", *assignments)
        folder = RunFolder(tmp_path / "run")
        job = Job(config, open_dataset(scans), read_pairs(list_pairs(scans)), folder)
        return prepare_run(make_fabric(1, "32-true"), job)

    return prepare


@pytest.fixture(scope="module")
def large_scans(tmp_path_factory):
    """A scan that shows enough soft tissue to measure noise in."""
    return write_pair_of_scans(tmp_path_factory.mktemp("large"), size=160)


def test_whole_slices_cannot_be_resampled(scans, start):
    whole = ("training.crop=0", "training.batch_size=1")
    with pytest.raises(ConfigurationError, match=r"set training\.crop to a number of pixels, or"):
        start(scans, "domain.spacing_aware=true", *whole)
    assert start(scans, *whole).sampler.height == 64


def test_the_crop_that_a_discriminator_asks_for_is_enough(large_scans, start):
    """A filter leaves 16x16 pixels of a crop of 80x80, and the discriminator needs 32x32."""
    method = ("method.name=physics+gan", "linear.taps=63", "discriminator.strided_layers=3")
    with pytest.raises(ConfigurationError, match=r"crops of 80x80 .* set training\.crop to 96 or"):
        start(large_scans, *method, "training.crop=80")
    assert start(large_scans, *method, "training.crop=96").sampler.height == 96


def test_the_reference_is_the_spacing_of_the_slices(scans, start):
    run = start(scans, "domain.spacing_aware=true")
    assert float(run.method.G.reference) == pytest.approx(run.sampler.slices[0].spacing)


def test_noise_is_measured_and_added(large_scans, start):
    run = start(large_scans, NOISE)
    assert run.sampler.noise is not None
    assert not run.notes
    lowest, highest = run.folder.provenance()["noise_hu"]
    assert 20 < lowest <= highest < 60


def test_too_little_soft_tissue_to_measure_noise_in_is_said(scans, start):
    run = start(scans, NOISE)
    assert run.sampler.noise is None
    (note,) = run.describe_start().notes
    assert "no noise is added in training (domain.added_noise)" in note


def test_noise_that_nobody_asked_for(large_scans, start):
    run = start(large_scans)
    assert run.sampler.noise is None
    assert not run.notes


def test_few_validation_slices_are_used_and_the_start_says_so(tmp_path, start):
    scans = write_pair_of_scans(tmp_path, slices=40)
    assert not start(scans).notes
    run = start(scans, "training.validate_on=2")
    assert len(run.validator._images) == 2
    assert (
        "validation after each epoch: 2 of 4 slices, of 1 patient(s) (training.validate_on)"
        in run.notes[-1]
    )


def test_a_filter_is_fitted_to_some_slices_of_many(scans, start, monkeypatch):
    seen = []
    monkeypatch.setattr(run_module, "FITTED_SLICES", 3)
    monkeypatch.setattr(CompactCNN, "prepare", lambda self, samples, *others: seen.extend(samples))
    start(scans)
    assert len(seen) == 3
