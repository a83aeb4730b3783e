"""Training with an encoder that is pretrained in part: the archive ends at conv3_1."""

from dataclasses import replace

import numpy as np
import pytest
from support.requirements import require_data
from support.training import open_dataset, stop_before, tiny_config, weights

from rgan_sdk.errors import TrainingError
from rgan_train.export.export import load_graph
from rgan_train.pairs import read_pairs
from rgan_train.training import Job, RunFolder, fit

FROZEN = ("conv11", "conv12", "conv21", "conv22", "conv31")
PLACES = ("groups.0.0", "groups.0.2", "groups.1.0", "groups.1.2", "groups.2.0")
"""Where the encoder keeps them."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The compact VGG-19 up to conv3_1."""
    path = tmp_path_factory.mktemp("vgg") / "ends-early.npz"
    with np.load(require_data("vgg/vgg19_16x_distilled_relu5_1.npz")) as whole:
        np.savez(path, **{key: whole[key] for key in whole if key[:6] in ("conv0.", *FROZEN)})
    return path


@pytest.fixture
def job(scans, pairs_csv, tmp_path, archive):
    config = tiny_config("generator.encoder=vgg19-compact", "training.epochs=3")
    run = RunFolder(tmp_path / "run")
    return Job(config, open_dataset(scans), read_pairs(pairs_csv), run, vgg_weights=archive)


def quiet(report):
    """Report to nobody."""


def in_folder(job, name):
    return replace(job, folder=RunFolder(job.folder.path.with_name(name)))


def resumed(job):
    return replace(job, resume=True, vgg_weights=None)


def same_runs(first, second):
    for file in ("generator", "discriminator", "optimizer_g", "optimizer_d"):
        ours, theirs = weights(first.folder.path, file), weights(second.folder.path, file)
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours), file
    return True


def test_what_is_pretrained_stays_and_the_rest_is_trained(job, archive):
    first = replace(job, config=tiny_config("generator.encoder=vgg19-compact", "training.epochs=1"))
    fit(first, quiet)
    frozen, before = job.folder.encoder(), weights(job.folder.path)
    names = {f"encoder.{place}.{kind}" for place in PLACES for kind in ("weight", "bias")}
    assert set(frozen) == names
    with np.load(archive) as original:
        for name, place in zip(FROZEN[1:], PLACES[1:], strict=True):
            saved = frozen[f"encoder.{place}.weight"].numpy()
            assert np.array_equal(saved, original[f"{name}.weight"])
    fit(resumed(job), quiet)
    network = load_graph(job.folder, job.config, "last").network
    for name, parameter in network.named_parameters():
        if name in names:
            assert parameter.equal(frozen[name]), name
    after = weights(job.folder.path)
    trained = [name for name in after if name.startswith("encoder.groups")]
    assert len(trained) == 2 * 7
    assert all((after[name] != before[name]).any() for name in trained)
    assert np.array_equal(after["encoder.gain"], before["encoder.gain"])
    assert (after["encoder.gain"] != 1).all()


def test_an_interrupted_run_goes_on_exactly(job, monkeypatch):
    whole, parts = in_folder(job, "whole"), in_folder(job, "parts")
    fit(whole, quiet)
    with monkeypatch.context() as patch:
        stop_before(patch, step=4)
        outcome = fit(parts, quiet)
    assert (outcome.status, outcome.state.name) == ("interrupted", "epoch-0001-step-000001")
    fit(resumed(parts), quiet)
    assert same_runs(whole, parts)


def kill(report):
    raise SystemExit("killed")


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_alike(job):
    whole, parts = in_folder(job, "whole"), in_folder(job, "parts")
    fit(whole, quiet)
    with pytest.raises(SystemExit):
        fit(parts, kill)
    assert parts.folder.state("last") is None
    fit(resumed(parts), quiet)
    assert same_runs(whole, parts)


def test_an_encoder_lost_before_the_first_checkpoint_is_noticed(job):
    with pytest.raises(SystemExit):
        fit(job, kill)
    (job.folder.path / "encoder.safetensors").unlink()
    with pytest.raises(TrainingError, match="a file of the run is missing"):
        fit(resumed(job), quiet)
