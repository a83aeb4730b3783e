import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.requirements import require_data
from support.training import (
    open_dataset,
    stop_before,
    tiny_config,
    weights,
    write_pair_of_scans,
)

from rgan_sdk.dicom.read import batches
from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.methods import METHODS
from rgan_train.networks.blocks import InputConv
from rgan_train.pairs import read_pairs
from rgan_train.processes import make_fabric
from rgan_train.training import (
    EpochDone,
    Job,
    RunFolder,
    StepDone,
    TrainingStarted,
    fit,
    trainer,
)
from rgan_train.training.runlog import RunLog
from rgan_train.training.validation import Validator


class Reports(list):
    """Keeps what a run reports."""

    def __call__(self, report):
        self.append(report)


@pytest.fixture
def job(scans, pairs_csv, tmp_path):
    return Job(
        tiny_config(), open_dataset(scans), read_pairs(pairs_csv), RunFolder(tmp_path / "run")
    )


def changed(job, *assignments, run=None, **fields):
    if run is not None:
        fields["folder"] = RunFolder(job.folder.path.with_name(run))
    return replace(job, config=tiny_config(*assignments), **fields)


def same(first, second):
    assert first.keys() == second.keys()
    return all(np.array_equal(first[name], second[name]) for name in first)


def records(job):
    return [json.loads(line) for line in (job.folder.path / "metrics.jsonl").open()]


def test_a_run_leaves_what_it_should(job):
    reports = Reports()
    outcome = fit(job, reports)
    assert (outcome.status, outcome.state.epoch, outcome.is_main) == ("finished", 2, True)
    assert isinstance(reports[0], TrainingStarted)
    assert [report.record["epoch"] for report in reports if isinstance(report, EpochDone)] == [
        1,
        2,
    ]
    assert job.folder.config() == job.config
    assert job.folder.provenance()["slices"] == {"train": 7, "validation": 1, "test": 3}
    assert [record["epoch"] for record in records(job)] == [1, 2]
    assert all(record["validation_psnr"] > 10 for record in records(job))
    assert list((job.folder.path / "tensorboard").iterdir())
    best = max(records(job), key=lambda record: record["validation_psnr"])
    assert outcome.state.best == f"epoch-{best['epoch']:04d}"


def test_training_learns(job, scans):
    assignments = ("data.source_kernel=B70f", "data.target_kernel=B40f")
    longer = changed(
        job,
        *assignments,
        "training.steps_per_epoch=200",
        "training.epochs=1",
        "optimizer.learning_rate=0.003",
        "training.crop=64",
        dataset=open_dataset(scans, tiny_config(*assignments).data),
    )
    reports = Reports()
    fit(longer, reports)
    assert reports[-1].record["validation_psnr"] > reports[0].input_psnr + 1


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_an_interrupted_run_goes_on_exactly(job, monkeypatch, schedule):
    settings = ("training.epochs=4", f"optimizer.schedule={schedule}")
    whole = changed(job, *settings, run="whole")
    fit(whole, Reports())

    parts = changed(job, *settings, run="parts")
    with monkeypatch.context() as patch:
        stop_before(patch, 7)
        outcome = fit(parts, Reports())
    assert (outcome.status, outcome.state.name) == ("interrupted", "epoch-0002-step-000001")
    fit(replace(parts, resume=True), Reports())
    for file in ("generator", "discriminator", "optimizer_g", "optimizer_d"):
        assert same(weights(whole.folder.path, file), weights(parts.folder.path, file)), file
    losses = [[record[name] for name in ("G_L1", "D_real")] for record in records(whole)]
    again = [[record[name] for name in ("G_L1", "D_real")] for record in records(parts)]
    assert losses == again


def test_more_epochs_can_be_added(job):
    whole = changed(job, "training.epochs=4", run="whole")
    fit(whole, Reports())
    parts = changed(job, "training.epochs=2", run="parts")
    fit(parts, Reports())
    fit(replace(parts, config=whole.config, resume=True), Reports())
    assert same(weights(whole.folder.path), weights(parts.folder.path))
    assert parts.folder.config() == whole.config


def test_a_killed_run_goes_on_from_its_last_checkpoint(job, monkeypatch):
    whole = changed(job, "training.epochs=3", run="whole")
    fit(whole, Reports())
    parts = changed(job, "training.epochs=3", run="parts")

    def kill(report):
        if isinstance(report, EpochDone) and report.record["epoch"] == 2:
            raise SystemExit("killed")

    with pytest.raises(SystemExit):
        fit(parts, kill)
    assert parts.folder.state("last").epoch == 2
    fit(replace(parts, resume=True), Reports())
    assert same(weights(whole.folder.path), weights(parts.folder.path))
    assert [record["epoch"] for record in records(parts)] == [1, 2, 3]


def test_a_run_killed_in_a_long_epoch_goes_on_from_its_middle(job, monkeypatch):
    settings = ("training.epochs=2", "training.steps_per_epoch=25")
    whole = changed(job, *settings, run="whole")
    fit(whole, Reports())
    parts = changed(job, *settings, run="parts")

    def kill(report):
        if isinstance(report, StepDone) and (report.epoch, report.step) == (1, 20):
            raise SystemExit("killed")

    monkeypatch.setattr(trainer, "CHECKPOINT_EVERY", 0.0)
    with pytest.raises(SystemExit):
        fit(parts, kill)
    assert parts.folder.state("last").name == "epoch-0001-step-000019"
    fit(replace(parts, resume=True), Reports())
    assert same(weights(whole.folder.path), weights(parts.folder.path))
    losses = [[record["G_L1"] for record in records(job)] for job in (whole, parts)]
    assert losses[0] == losses[1]


def test_a_run_goes_on_once_a_slice_can_be_read_again(job, tmp_path):
    every_slice = ("training.steps_per_epoch=4", "data.cache_mb=0")
    whole = changed(job, *every_slice, run="whole")
    fit(whole, Reports())
    dataset = open_dataset(write_pair_of_scans(tmp_path / "scans"))
    parts = changed(job, *every_slice, run="parts", dataset=dataset)
    path = dataset.train[0].source
    content = path.read_bytes()

    def damage(report):
        if isinstance(report, EpochDone):
            path.write_bytes(content[:-100])

    with pytest.raises(TrainingError, match=re.escape(f"{path}: PixelData cannot be decoded")):
        fit(parts, damage)
    path.write_bytes(content)
    fit(replace(parts, resume=True), Reports())
    assert same(weights(whole.folder.path), weights(parts.folder.path))


@pytest.mark.parametrize(
    ("owner", "name"), [(RunFolder, "save"), (RunLog, "epoch"), (RunLog, "window")]
)
@pytest.mark.parametrize("before", [True, False])
def test_a_run_killed_around_its_log_has_each_epoch_once(job, monkeypatch, owner, name, before):
    job = changed(job, "training.epochs=3", "curriculum.schedule=growing")
    original, calls = getattr(owner, name), []

    def kill(self, *arguments):
        calls.append(name)
        if len(calls) == 2 and before:
            raise SystemExit("killed")
        original(self, *arguments)
        if len(calls) == 2:
            raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, kill)
        with pytest.raises(SystemExit):
            fit(job, Reports())
    fit(replace(job, resume=True), Reports())
    for log in ("metrics.jsonl", "windows.jsonl"):
        lines = (job.folder.path / log).read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]


def test_the_seed_decides(job):
    runs = [changed(job, f"training.seed={seed}", run=str(seed) * 2) for seed in (0, 1)]
    runs.append(changed(job, run="again"))
    first, second, again = (weights(fit_in(run)) for run in runs)
    assert same(first, again)
    assert not same(first, second)


def fit_in(job):
    fit(job, Reports())
    return job.folder.path


def test_test_slices_are_never_read(job, monkeypatch):
    read = batches.read_hu
    opened = set()

    def spy(path, shape):
        opened.add(path)
        return read(path, shape)

    monkeypatch.setattr(batches, "read_hu", spy)
    fit(job, Reports())
    held_out = {path for item in job.dataset.test for path in (item.source, item.target)}
    assert opened
    assert not opened & held_out


def test_another_configuration_is_refused(job):
    fit(job, Reports())
    other = changed(job, "training.crop=64", "loss.adversarial=lsgan", resume=True)
    with pytest.raises(TrainingError, match=r"another loss\.adversarial, training\.crop"):
        fit(other, Reports())


def test_a_run_is_not_overwritten_and_nothing_is_not_resumed(job):
    with pytest.raises(TrainingError, match="holds no training run"):
        fit(replace(job, resume=True), Reports())
    fit(job, Reports())
    with pytest.raises(TrainingError, match="holds a run already"):
        fit(job, Reports())


def test_time_can_be_limited(job):
    limited = changed(job, "training.epochs=1000", "training.max_minutes=0.02")
    outcome = fit(limited, Reports())
    assert outcome.status == "out of time"
    assert 0 < outcome.state.epoch < 1000
    assert len(records(limited)) == outcome.state.epoch


def test_without_a_discriminator(job):
    plain = changed(job, "loss.adversarial_weight=0")
    fit(plain, Reports())
    assert all(record["D_real"] == 0 for record in records(plain))
    assert not weights(plain.folder.path, "optimizer_d")


def test_direct_output_and_least_squares(job):
    outcome = fit(changed(job, "generator.output=direct", "loss.adversarial=lsgan"), Reports())
    assert outcome.status == "finished"


def test_the_pretrained_encoder_never_changes(job):
    archive = require_data("vgg/vgg19_16x_distilled_relu5_1.npz")
    pretrained = changed(
        job, "generator.encoder=vgg19-compact", "training.epochs=1", vgg_weights=archive
    )
    fit(pretrained, Reports())
    saved = pretrained.folder.encoder()
    with np.load(archive) as original:
        assert np.array_equal(saved["encoder.groups.0.2.weight"], original["conv12.weight"])
        assert np.array_equal(saved["encoder.groups.3.6.bias"], original["conv44.bias"])
    trained = weights(pretrained.folder.path)
    assert not [name for name in trained if name.startswith("encoder.groups")]
    assert (trained["encoder.gain"] != 1).any()
    # Resuming needs no weight file any more.
    more = replace(
        pretrained,
        config=tiny_config("generator.encoder=vgg19-compact"),
        resume=True,
        vgg_weights=None,
    )
    fit(more, Reports())
    assert same(
        {"gain": trained["encoder.gain"]}, {"gain": weights(more.folder.path)["encoder.gain"]}
    )


def test_a_lost_encoder_is_noticed(job):
    archive = require_data("vgg/vgg19_16x_distilled_relu5_1.npz")
    pretrained = changed(
        job, "generator.encoder=vgg19-compact", "training.epochs=1", vgg_weights=archive
    )
    fit(pretrained, Reports())
    (pretrained.folder.path / "encoder.safetensors").unlink()
    with pytest.raises(TrainingError, match="a file of the run is missing"):
        fit(replace(pretrained, resume=True), Reports())


def test_a_loss_that_is_no_longer_finite(job):
    wild = changed(job, "optimizer.learning_rate=1e30")
    with pytest.raises(TrainingError, match="a loss is no longer finite in epoch 1"):
        fit(wild, Reports())


def test_no_checkpoint_of_a_loss_that_is_no_longer_finite(job, monkeypatch):
    monkeypatch.setattr(trainer, "CHECKPOINT_EVERY", 0.0)
    wild = changed(job, "optimizer.learning_rate=1e30", "training.steps_per_epoch=9")
    with pytest.raises(TrainingError, match="a loss is no longer finite in epoch 1"):
        fit(wild, Reports())
    assert np.isfinite(list(wild.folder.state("last").averages.values())).all()


def test_no_checkpoint_of_an_interrupted_run_whose_loss_is_no_longer_finite(job, monkeypatch):
    stop_before(monkeypatch, 5)
    wild = changed(job, "optimizer.learning_rate=1e30", "training.steps_per_epoch=9")
    with pytest.raises(TrainingError, match="a loss is no longer finite in epoch 1"):
        fit(wild, Reports())
    assert wild.folder.state("last") is None


def test_a_network_that_does_nothing_is_told_of(job, monkeypatch):
    settings = "optimizer.learning_rate=1e-12", "training.epochs=1", "curriculum.schedule=none"
    outcome = fit(changed(job, *settings), Reports())
    assert "no nearer to the target than the source" in outcome.failure
    monkeypatch.setattr(Validator, "input_psnr", lambda self: outcome.state.best_psnr - 0.1)
    better = changed(job, *settings, run="better")
    assert not fit(better, Reports()).failure
    monkeypatch.undo()
    again = fit(replace(better, resume=True), Reports())
    assert f"the best checkpoint, epoch-0001, has {again.state.best_psnr:.2f} dB" in again.failure


def test_crops_too_small_for_the_discriminator(job):
    small = changed(job, "training.crop=16", "discriminator.strided_layers=3")
    with pytest.raises(ConfigurationError, match=r"set training\.crop to 32 or more"):
        fit(small, Reports())


def test_slices_are_not_rounded_in_mixed_precision():
    """Half the window has bfloat16 values 8 HU apart."""
    config = tiny_config("training.precision=bf16-mixed")
    for name in ("radiomicgan", "choe", "ganai"):
        kind = METHODS[name]
        fabric = make_fabric(1, "bf16-mixed")
        method = kind(fabric, config, kind.build_network(config), kind.build_discriminator(config))
        seen = []
        first = next(part for part in method.G.modules() if isinstance(part, InputConv))
        first.register_forward_hook(lambda *call, to=seen: to.extend((call[1][0], call[2])))
        image = torch.rand(1, 1, 32, 32, device=fabric.device)
        # The last layer starts at zero: a residual network returns its input.
        assert torch.equal(method._wrapped_g(image, torch.tensor([0.7])), image)
        assert [tensor.dtype for tensor in seen] == [torch.float32] * 2
        assert torch.equal(seen[0][:, :1], image)


def test_bfloat16(job):
    fit(changed(job, "training.precision=bf16-mixed"), Reports())
    assert all(np.isfinite(value).all() for value in weights(job.folder.path).values())


@pytest.mark.skipif(torch.cuda.is_available(), reason="gpu is there")
def test_half_precision_needs_a_gpu(job):
    with pytest.raises(ConfigurationError, match="needs a GPU"):
        fit(changed(job, "training.precision=16-mixed"), Reports())


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_alike(job, monkeypatch):
    archive = require_data("vgg/vgg19_16x_distilled_relu5_1.npz")
    settings = ("generator.encoder=vgg19-compact", "training.epochs=1")
    whole = changed(job, *settings, run="whole", vgg_weights=archive)
    fit(whole, Reports())
    parts = changed(job, *settings, run="parts", vgg_weights=archive)

    def kill(report):
        raise SystemExit("killed")

    with pytest.raises(SystemExit):
        fit(parts, kill)
    assert parts.folder.state("last") is None
    fit(replace(parts, resume=True, vgg_weights=None), Reports())
    assert same(weights(whole.folder.path), weights(parts.folder.path))
