"""A worker checks what it gets, and says what is wrong without an exception."""

from dataclasses import replace

import pytest
from support.native import DERIVATION
from support.runs import write_inputs

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.run.cluster.crew import Manner
from rgan_sdk.run.cluster.team import Choice, Done, Opened, Refused, Task
from rgan_sdk.run.cluster.worker import Worker
from rgan_sdk.run.jobs import SeriesJob

IDENTITY = Choice("identity", "auto", "auto")


@pytest.fixture
def worker():
    return Worker("worker 1", 1)


@pytest.fixture
def task(tmp_path):
    write_inputs(tmp_path / "in", series=2, slices=2, size=64)
    jobs = []
    for number, series in enumerate(find_series(tmp_path / "in").series):
        jobs.append(SeriesJob(series, DERIVATION, tmp_path / str(number)))
        jobs[-1].folder.mkdir()
    manner = Manner(None, strict_kernel=False, threads=None, durable=False, pictures=False)
    return Task(tuple(jobs), manner, 2, tuple(job.folder for job in jobs))


def test_it_says_what_it_has_opened(worker, model):
    event = worker.open(model, IDENTITY)
    assert isinstance(event, Opened)
    assert (event.worker, event.facts.name) == ("worker 1", "identity")


def test_it_takes_no_damaged_model(worker, model):
    event = worker.open(replace(model, content=model.content[:-1]), IDENTITY)
    assert isinstance(event, Refused)
    assert "damaged on its way" in event.reason


def test_it_writes_into_the_folders_of_the_task(worker, model, task):
    worker.open(model, IDENTITY)
    *_, done = worker.work(task)
    assert isinstance(done, Done)
    for job, outcome in zip(task.jobs, done.outcomes, strict=True):
        assert not outcome.problem
        assert {file.name for file in outcome.files} == {p.name for p in job.folder.iterdir()}


def test_it_does_nothing_where_it_does_not_see_what_the_run_sees(worker, model, task, tmp_path):
    worker.open(model, IDENTITY)
    (event,) = worker.work(replace(task, seen=(*task.seen, tmp_path / "elsewhere")))
    assert isinstance(event, Refused)
    assert f"does not see {tmp_path / 'elsewhere'}; INPUT and OUTPUT must" in event.reason
    assert not any(file for job in task.jobs for file in job.folder.iterdir())


def test_a_worker_that_cannot_go_on_says_so(worker, model, task, monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")

    worker.open(model, IDENTITY)
    monkeypatch.setattr("threading.Thread.start", start)
    (event,) = worker.work(task)
    assert isinstance(event, Refused)
    assert "the system starts no more threads" in event.reason


def test_an_unexpected_error_is_told_without_what_it_says(worker, model, task, monkeypatch):
    def fail(*args, **kwargs):
        raise KeyError("Doe^John")

    monkeypatch.setattr("rgan_sdk.dicom.write.series_writer.SeriesWriter.write", fail)
    worker.open(model, IDENTITY)
    *_, done = worker.work(task)
    problems = [outcome.problem for outcome in done.outcomes]
    assert all("unexpected KeyError at" in problem for problem in problems)
    assert not any("Doe" in problem for problem in problems)
