"""The adversarial loss of a matched network, on real slices of different patients."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from support.training import settings, train, weights

from rgan_sdk.errors import TrainingError
from rgan_train.cam import judge_slice
from rgan_train.config import override_from_text
from rgan_train.matching.groups import open_group
from rgan_train.matching.measurement import measure
from rgan_train.matching.network import network_config, prepare_job
from rgan_train.pairs import read_pairs
from rgan_train.training import Job, RunFolder, fit

TINY = (
    "generator.encoder=none",
    "generator.widths=[4, 8]",
    "generator.stem_channels=4",
    "discriminator.channels=4",
    "optimizer.schedule=constant",
    "training.crop=64",
    "training.batch_size=2",
    "training.steps_per_epoch=2",
    "training.epochs=2",
    "curriculum.schedule=growing+selection",
    "curriculum.step=3100",
    "curriculum.subsets=1",
)
FILES = ("generator", "discriminator", "optimizer_g", "optimizer_d")


def ignore(*_):
    pass


@pytest.fixture(scope="module")
def start(sharpening, tmp_path_factory):
    def make(method="radiomicgan", *assignments, measurement=sharpening):
        config = network_config(method, measurement.source, measurement.target)
        config = override_from_text(config, (*TINY, *assignments))
        return prepare_job(measurement, config, tmp_path_factory.mktemp("runs") / "run", ignore)

    return make


@pytest.fixture(scope="module")
def finished(start):
    job = start()
    fit(job, ignore)
    return job


def same(first, second):
    return all(np.array_equal(first[name], second[name]) for name in first)


def test_the_list_has_the_softer_groups_series(finished, sharpening):
    listed = json.loads(finished.folder.unpaired_json.read_text())
    assert listed["side"] == "source"
    uids = [one.series_instance_uid for one in sharpening.source.series]
    assert [one["series"] for one in listed["series"]] == uids
    frequency = np.array([0.5, 3.0])
    expected = sharpening.evidence.direct.gain(frequency)
    assert np.allclose(finished.unpaired.gain(frequency), expected)


def test_all_losses_are_logged_in_growing_and_selected_windows(finished):
    lines = (finished.folder.path / "metrics.jsonl").read_text().splitlines()
    for record in map(json.loads, lines):
        assert all(record[name] > 0 for name in ("G_GAN", "G_L1", "D_real", "D_fake"))
        assert record["G_low"] >= 0
    windows = (finished.folder.path / "windows.jsonl").read_text().splitlines()
    assert [json.loads(line)["phase"] for line in windows] == ["growing", "selection"]
    assert json.loads(windows[1])["cam"]["hot_share"] > 0


def test_a_resumed_run_ends_with_the_same_bits(start, finished):
    parts = start("radiomicgan", "training.epochs=1")
    fit(parts, ignore)
    folder = parts.folder.path
    done = train(
        "fit", folder / "pairs.csv", "-o", folder, "--resume", "--set", "training.epochs=2"
    )
    assert done.exit_code == 0, done.output
    for file in FILES:
        assert same(weights(finished.folder.path, file), weights(folder, file)), file


def test_each_process_draws_its_own(start):
    """The batch of another process has other pairs and other real slices."""
    from rgan_train.processes import make_fabric
    from rgan_train.training.run import prepare_run

    job = start("radiomicgan", "domain.native_share=1")
    sampler = prepare_run(make_fabric(1, "32-true"), job).sampler
    first, second = (sampler.draw(0, 0, rank).real for rank in (0, 1))
    assert not np.array_equal(first.source_hu, second.source_hu)
    plain = replace(sampler, real=None).draw(0, 0, 0)
    assert plain.real is None
    assert np.array_equal(plain.sample.source_hu, sampler.draw(0, 0, 0).sample.source_hu)


@pytest.mark.slow
def test_two_processes_go_on_with_real_slices(start, tmp_path):
    job = start("radiomicgan", "training.epochs=1")
    fit(job, ignore)
    script, folder = tmp_path / "script.py", job.folder.path
    script.write_text("from rgan_train.cli import main\nmain()\n")
    command = ["fit", folder / "pairs.csv", "-o", folder, "--resume", "--devices", "2"]
    subprocess.run(
        [sys.executable, script, *command, "--set", "training.epochs=3"],
        check=True,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    assert job.folder.state("last").epoch == 3


def test_a_real_series_that_changed_is_refused(start, soft_and_sharp, tmp_path):
    shutil.copytree(soft_and_sharp / "soft", tmp_path / "soft")
    measurement = measure(
        open_group("source", [tmp_path / "soft"]), open_group("target", [soft_and_sharp / "sharp"])
    )
    job = start("radiomicgan", "training.epochs=1", measurement=measurement)
    fit(job, ignore)
    next((tmp_path / "soft").iterdir()).unlink()
    folder = job.folder.path
    done = train("fit", folder / "pairs.csv", "-o", folder, "--resume")
    assert done.exit_code == 1
    assert "with the 8 slices that the run was started with" in " ".join(done.output.split())


def test_another_list_is_refused(finished, tmp_path):
    run = RunFolder(shutil.copytree(finished.folder.path, tmp_path / "run"))
    text = run.unpaired_json.read_text()
    run.unpaired_json.write_text(text.replace('"source"', '"target"'))
    pairs = read_pairs(run.pairs_csv)
    with pytest.raises(TrainingError, match="is not the list that the run was started with"):
        Job.from_pairs(finished.config, pairs, run, resume=True)
    run.unpaired_json.unlink()
    with pytest.raises(TrainingError, match="not a readable list"):
        Job.from_pairs(finished.config, pairs, run, resume=True)


def test_the_class_activation_of_such_a_run(finished):
    judged = judge_slice(finished.folder, None, "last")
    assert judged.cam.shape == judged.source.shape
    assert judged.cam.max() == 1
    assert judged.cam[:15].max() == 0


def test_the_other_direction(start, soft_and_sharp):
    softening = measure(
        open_group("source", [soft_and_sharp / "sharp"]),
        open_group("target", [soft_and_sharp / "soft"]),
    )
    job = start("physics+gan", "linear.taps=15", "training.crop=96", measurement=softening)
    assert job.unpaired.side == "target"
    fit(job, ignore)
    record = json.loads((job.folder.path / "metrics.jsonl").read_text().splitlines()[-1])
    assert record["D_fake"] > 0


@pytest.mark.parametrize(
    ("method", "assignment"),
    [("compact", "data.name=x"), ("radiomicgan", "loss.adversarial_weight=0")],
)
def test_no_list_where_nothing_is_compared(start, sharpening, tmp_path, method, assignment):
    config = network_config(method, sharpening.source, sharpening.target)
    job = prepare_job(sharpening, override_from_text(config, (assignment,)), tmp_path / "r", ignore)
    assert job.unpaired is None
    assert not job.folder.unpaired_json.exists()


def test_the_weight_is_that_of_texture(sharpening):
    source, target = sharpening.source, sharpening.target
    weights = [network_config(name, source, target).loss for name in ("physics+gan", "compact")]
    assert [one.adversarial_weight for one in weights] == [0.005, 1.0]


def test_a_softer_group_of_phantoms_has_no_slices_to_compare(start, sharpening):
    source = sharpening.source
    phantoms = frozenset((one.series_instance_uid, one.group) for one in source.series)
    shown = replace(sharpening, source=replace(source, phantoms=phantoms))
    job = start(measurement=shown)
    assert job.unpaired is None
    assert "the source group shows no patients" in job.dataset.notes[-1]


@pytest.mark.slow
def test_the_command_trains_on_real_slices(soft_and_sharp, tmp_path):
    groups = ("--source", soft_and_sharp / "soft", "--target", soft_and_sharp / "sharp")
    more = ("--method", "radiomicgan", "--run", tmp_path / "run", "-o", tmp_path / "m.onnx")
    done = train("match", *groups, *more, *settings(("training.epochs=1",), base=TINY))
    assert done.exit_code == 0, done.output
    assert "G_low" in (tmp_path / "run" / "metrics.jsonl").read_text()
