"""Work is dealt out to workers that come and go; what lies in OUTPUT is as from one machine."""

import json
from dataclasses import replace

import pytest
from support.runs import contents, new_series, write_inputs
from support.teams import TeamOfThisProcess, lose

from rgan_sdk.errors import EngineError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.cluster import distant_crew, worker
from rgan_sdk.run.cluster.team import Lost, Opened, Refused
from rgan_sdk.run.directory import harmonize_directory
from rgan_sdk.run.observer import SilentObserver
from rgan_sdk.run.options import RunOptions

SERIES, SLICES = 5, 6


class Counting(SilentObserver):
    def __init__(self):
        self.written, self.started = 0, []

    def on_started(self, series_instance_uid, slices):
        self.started.append(series_instance_uid)

    def on_written(self, slices):
        self.written += slices
        assert self.written <= SERIES * SLICES


class Stopping(SilentObserver):
    def on_finished(self, entry):
        raise KeyboardInterrupt


@pytest.fixture
def inputs(tmp_path):
    write_inputs(tmp_path / "in", series=SERIES, slices=SLICES, size=64)
    return tmp_path / "in"


@pytest.fixture
def whole(inputs, tmp_path, model):
    """What one machine makes of the inputs."""
    with Harmonizer.load(model, engine="identity") as harmonizer:
        harmonize_directory(inputs, tmp_path / "whole", harmonizer)
    return contents(tmp_path / "whole")


@pytest.fixture
def run(inputs, tmp_path):
    """Return a function that runs with a team: its report and its OUTPUT."""

    def run(team, size=2, observer=None, batch_size=None, opened=(), **options):
        first, *others = opened or team.harmonizers(size, batch_size)
        report = harmonize_directory(
            inputs,
            tmp_path / "out",
            first,
            RunOptions(**options),
            others=others,
            observer=observer,
        )
        return report, tmp_path / "out"

    return run


def noted(out):
    """Return the folders of series in the journal, in its order."""
    lines = (out / ".rgan" / "journal.jsonl").read_text().splitlines()
    return [json.loads(line)["output"] for line in lines[1:]]


def check(out, whole):
    """Check that OUTPUT is as one machine makes it: each series once, and nothing else."""
    assert contents(out) == whole
    assert sorted(noted(out)) == [folder.name for folder in new_series(out)]
    assert not (out / ".rgan" / "staging").exists()


def test_two_workers_make_what_one_machine_makes(run, model, whole):
    team, observer = TeamOfThisProcess(model), Counting()
    report, out = run(team, observer=observer)
    check(out, whole)
    assert report.summary["series"] == {"done": SERIES, "skipped": 0, "failed": 0}
    assert len(team.tasks) == SERIES
    assert observer.written == SERIES * SLICES
    assert len(observer.started) == len(set(observer.started)) == SERIES
    assert sum(report.engine["workers"].values()) == 2
    assert set(report.stages) == {"read", "infer", "write"}
    assert not report.warnings


@pytest.mark.parametrize("lost", [(1,), (1, 2), (2, 3, 4), (5, 6)])
def test_what_a_lost_worker_had_is_done_by_another(run, model, whole, lost, monkeypatch):
    monkeypatch.setattr(worker, "REPORT_SECONDS", 0)  # a part of the lost work was told of
    team, observer = TeamOfThisProcess(model, ends=lose(*lost)), Counting()
    report, out = run(team, observer=observer)
    check(out, whole)
    assert len(report.warnings) == len(lost)
    assert all("as the test wants; its work went to others" in one for one in report.warnings)
    assert len(team.tasks) == SERIES + len(lost)
    assert len(team.workers) == 2 + len(lost)
    assert observer.written == SERIES * SLICES
    assert len(observer.started) == SERIES


def test_each_attempt_has_a_folder_of_its_own(run, model):
    team = TeamOfThisProcess(model, ends=lose(1, 2))
    run(team)
    folders = [job.folder for task in team.tasks for job in task.jobs]
    assert len(set(folders)) == SERIES + 2


@pytest.mark.parametrize("size", [1, 2])
def test_a_series_over_which_workers_are_lost_again_and_again_fails(run, model, whole, size):
    bad, observer = [], Counting()

    def ends(number, jobs):
        uid = jobs[0].series.series_instance_uid
        bad[1:] or bad.append(uid)
        return Lost if uid == bad[0] else None

    report, out = run(TeamOfThisProcess(model, ends=ends), size, observer)
    (failed,) = (entry for entry in report.series if entry.status == "failed")
    assert failed.series_instance_uid == bad[0]
    assert failed.reason.startswith(f"given up after {distant_crew.MAX_LOSSES} workers were lost; ")
    assert failed.reason.endswith("as the test wants")
    assert len(new_series(out)) == SERIES - 1
    assert contents(out).items() < whole.items()
    assert observer.written == SERIES * SLICES


def test_a_worker_that_sees_other_files_is_left_aside(run, model, whole):
    team = TeamOfThisProcess(model, ends=lambda number, jobs: Refused if number == 2 else None)
    report, out = run(team)
    check(out, whole)
    assert team.dismissed[:1] == ["worker 2"]
    assert len(team.workers) == 2
    assert report.warnings == ["a worker was left aside: as the test wants"]


def test_without_workers_the_run_ends_and_is_continued(run, model, whole, tmp_path):
    team = TeamOfThisProcess(model, ends=lambda number, jobs: Refused if number > 2 else None)
    with pytest.raises(EngineError, match=r"no worker is left \(as the test wants\); .* continues"):
        run(team)
    assert 0 < len(new_series(tmp_path / "out")) < SERIES
    assert not (tmp_path / "out" / ".rgan" / "staging").exists()
    _, out = run(TeamOfThisProcess(model))
    check(out, whole)


def test_no_worker_comes_for_a_long_time(run, model, monkeypatch):
    monkeypatch.setattr(distant_crew, "PATIENCE_SECONDS", 0)
    team = TeamOfThisProcess(model, ends=lose(1))
    recruit = team.recruit

    def recruit_one():
        if not team.workers:
            recruit()

    team.recruit = recruit_one
    team.listen = lambda seconds, listen=team.listen: (
        listen(seconds) if team.working or team.said else []
    )
    with pytest.raises(EngineError, match=r"worker 1 on .* was lost: as the test wants"):
        run(team, size=1)


def test_a_new_worker_that_might_give_other_pixels_is_left_aside(run, model, whole):
    def change(event):
        if event.worker == "worker 3":
            return Opened(event.worker, replace(event.facts, hardware="another"))
        return event

    team = TeamOfThisProcess(model, ends=lose(1), change=change)
    report, out = run(team)
    check(out, whole)
    assert "worker 3" in team.dismissed
    assert "another" in report.warnings[1]


def test_small_series_are_given_together_and_alone_after_a_loss(run, model, whole):
    team = TeamOfThisProcess(model, ends=lose(1))
    _, out = run(team, size=1, batch_size=3)  # a task has at least 12 slices
    check(out, whole)
    assert [len(task.jobs) for task in team.tasks] == [2, 1, 1, 2, 1]
    assert {task.batch_size for task in team.tasks} == {3}


def test_what_is_asked_of_a_run_is_asked_of_its_workers(run, model):
    team = TeamOfThisProcess(model)
    report, _ = run(team, preview=True, durable=False, workers=3, strict_kernel=True)
    manner = team.tasks[0].manner
    assert (manner.threads, manner.durable, manner.pictures) == (3, False, True)
    assert (manner.strict_kernel, manner.card) == (True, model.card)
    assert len(report.previews) == SERIES + 1


def test_what_a_worker_could_not_read_fails_with_its_reason(run, inputs, model):
    team = TeamOfThisProcess(model)
    path = next((inputs / "0").iterdir())

    def damage(number, jobs):
        path.write_bytes(path.read_bytes()[:-1])

    team.ends = damage
    report, out = run(team)
    (failed,) = (entry for entry in report.series if entry.status == "failed")
    assert path.name in failed.reason
    assert len(new_series(out)) == SERIES - 1
    assert not (out / ".rgan" / "staging").exists()


@pytest.mark.usefixtures("suspect")
def test_what_a_worker_leaves_aside_is_skipped(run, model):
    report, out = run(TeamOfThisProcess(model), strict_kernel=True)
    assert {(one.status, one.reason) for one in report.series} == {("skipped", "suspect kernel")}
    assert not new_series(out)


@pytest.mark.usefixtures("suspect", "full_disk")
def test_a_full_disk_leaves_no_series_aside(run, model):
    report, _ = run(TeamOfThisProcess(model), strict_kernel=True)
    assert {one.status for one in report.series} == {"failed"}
    assert all("No space left on device" in one.reason for one in report.series)


def test_a_stopped_run_ends_its_workers_and_leaves_nothing(run, model, tmp_path, monkeypatch):
    team = TeamOfThisProcess(model)
    with pytest.raises(KeyboardInterrupt):
        run(team, observer=Stopping())
    assert len(new_series(tmp_path / "out")) == 1
    assert len(team.dismissed) == 1  # the other had nothing to do
    assert not (tmp_path / "out" / ".rgan" / "staging").exists()


@pytest.mark.parametrize(
    ("ends", "error"),
    [
        (lose(), KeyboardInterrupt),
        (lose(1), KeyboardInterrupt),
        (lambda number, jobs: Refused if number <= 2 else None, EngineError),
    ],
)
def test_the_same_call_continues_with_workers_for_those_that_went(run, model, whole, ends, error):
    team = TeamOfThisProcess(model, ends=ends)
    opened = team.harmonizers(2)
    with pytest.raises(error):
        run(team, observer=Stopping(), opened=opened)
    _, out = run(team, opened=opened)
    check(out, whole)
    assert len(opened[0].engine.staff.opened) == 2
