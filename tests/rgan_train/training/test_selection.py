"""Dynamic Window-based Training in a run, and what it selects."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from support.training import open_dataset, stop_before, tiny_config, weights

from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_sdk.hu import HUWindow
from rgan_train.methods import METHODS
from rgan_train.pairs import read_pairs
from rgan_train.pairs.samples import Batch, PairedSample
from rgan_train.processes import make_fabric
from rgan_train.training import Job, RunFolder, fit, selection
from rgan_train.training.selection import select

RANGE = HUWindow(-1024.0, 1000.0)
SCHEDULE = ("curriculum.step=700", "training.epochs=6", "curriculum.subsets=2")


def ignore(report):
    pass


@pytest.fixture
def job(scans, pairs_csv, tmp_path):
    def make(name, schedule, *assignments):
        config = tiny_config(f"curriculum.schedule={schedule}", *SCHEDULE, *assignments)
        return Job(config, open_dataset(scans), read_pairs(pairs_csv), RunFolder(tmp_path / name))

    return make


def windows(job):
    return [json.loads(line) for line in (job.folder.path / "windows.jsonl").open()]


def test_the_log_of_a_run(job):
    work = job("run", "growing+selection")
    fit(work, ignore)
    log = windows(work)
    assert [record["epoch"] for record in log] == [1, 2, 3, 4, 5, 6]
    assert [record["phase"] for record in log] == ["growing"] * 3 + ["selection"] * 3
    assert [record["window"] for record in log[:3]] == [[-1024, -325], [-1024, 375], [-1024, 1000]]
    for before, after in pairwise(log):
        assert before["next_window"] == after["window"]
    for record in log[2:]:
        assert record["cam"]["images"] == 4
        assert 0 < record["cam"]["hot_share"] < 1
        assert record["cam"]["kept"] > 0
        lower, upper = record["next_window"]
        assert -1024 <= lower < upper <= 1000
        assert upper - lower >= 256
    assert all(0 < record["accuracy"] < 1 for record in log)
    metrics = [json.loads(line) for line in (work.folder.path / "metrics.jsonl").open()]
    assert [record["window"] for record in metrics] == [record["window"] for record in log]
    assert all(0 <= record["waiting_for_data"] < 1 for record in metrics)


def test_without_a_schedule_there_is_no_log(job):
    work = job("run", "none")
    fit(work, ignore)
    assert not (work.folder.path / "windows.jsonl").exists()


@pytest.mark.parametrize(("schedule", "step"), [("growing+selection", 13), ("selection", 7)])
def test_a_resumed_run_takes_the_same_path(job, monkeypatch, schedule, step):
    whole, parts = job("whole", schedule), job("parts", schedule)
    fit(whole, ignore)

    with monkeypatch.context() as patch:
        stop_before(patch, step)
        outcome = fit(parts, ignore)
    assert outcome.status == "interrupted"
    assert outcome.state.step
    assert outcome.state.curriculum["phase"] == "selection"
    fit(replace(parts, resume=True), ignore)
    assert windows(whole) == windows(parts)
    for file in ("generator", "discriminator", "optimizer_g", "optimizer_d"):
        first, second = weights(whole.folder.path, file), weights(parts.folder.path, file)
        assert all(np.array_equal(first[name], second[name]) for name in first)


def test_each_stage_trains_on_its_window(job, monkeypatch):
    seen = []
    step = METHODS["radiomicgan"].step

    def spy(self, real_a, *others):
        seen.append((float(real_a.min()), float(real_a.max())))
        return step(self, real_a, *others)

    monkeypatch.setattr(METHODS["radiomicgan"], "step", spy)
    fit(job("run", "growing", "curriculum.step=300", "training.epochs=1"), ignore)
    # The phantom's disk of 40 HU and more lies beyond [-1024, -725], widened by 8 HU.
    assert max(highest for _, highest in seen) == 1.0
    assert min(lowest for lowest, _ in seen) < 0.2


@pytest.fixture
def method():
    torch.manual_seed(0)
    config = tiny_config()
    kind = METHODS["radiomicgan"]
    fabric = make_fabric(1, "32-true")
    return fabric, kind(
        fabric, config, kind.build_network(config), kind.build_discriminator(config)
    )


def batch(hu):
    return Batch(PairedSample(hu.astype(np.float32), hu.astype(np.float32)), 0.7)


def test_hu_under_hot_pixels_are_selected(method, monkeypatch):
    hu = np.full((2, 1, 32, 32), -500.0)
    hu[:, :, :, 16:] = 300
    hu[0, 0, 0, 0] = 900  # occurs once
    hu[0, 0, 31, :4] = -900  # not hot

    def upper_half(discriminator, source, candidate):
        cam = torch.zeros(2, 32, 32)
        cam[:, :16] = 0.8
        return cam

    monkeypatch.setattr(selection, "non_standard_cam", upper_half)
    found = select(*method, [batch(hu), batch(hu)], RANGE, 0.5)
    assert (found.lower, found.upper) == (-500, 300)
    assert found.statistics == {
        "subsets": 2,
        "images": 4,
        "kept": 4 * 512 - 2,
        "dropped": 2,
        "hot_share": 0.5,
        "mean": pytest.approx(0.4),
    }
    nothing = select(*method, [batch(hu)], RANGE, 0.9)
    assert nothing.window(RANGE, 256) is None


def test_padding_is_never_hot(method, monkeypatch):
    hu = np.full((1, 1, 32, 32), 300.0)
    hu[..., :8] = PADDING_HU
    everywhere = torch.full((1, 32, 32), 0.8)
    monkeypatch.setattr(selection, "non_standard_cam", lambda *_: everywhere)
    found = select(*method, [batch(hu)], RANGE, 0.5)
    assert (found.lower, found.upper) == (300, 300)
    assert found.statistics["kept"] == 32 * 24


def test_the_discriminator_is_only_asked(method):
    fabric, gan = method
    before = [parameter.clone() for parameter in gan.D.parameters()]
    select(
        fabric, gan, [batch(np.random.default_rng(0).normal(0, 100, (2, 1, 32, 32)))], RANGE, 0.5
    )
    assert all(map(torch.equal, before, gan.D.parameters()))
    assert all(p.grad is None and p.requires_grad for p in gan.D.parameters())
    assert all(parameter.grad is None for parameter in gan.G.parameters())
