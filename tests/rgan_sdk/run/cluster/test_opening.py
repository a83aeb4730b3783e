"""Workers are ready and alike before a run begins."""

from dataclasses import replace

import pytest
from support.teams import TeamOfThisProcess

from rgan_sdk.errors import ConfigurationError, EngineError, EngineUnavailableError
from rgan_sdk.run.cluster import opening
from rgan_sdk.run.cluster.opening import _wants_gpus, assemble, check_cluster
from rgan_sdk.run.cluster.team import Choice, Lost, Opened


def test_all_workers_are_waited_for(model):
    staff = assemble(TeamOfThisProcess(model), 3)
    assert (list(staff.opened), staff.opening) == (["worker 1", "worker 2", "worker 3"], 0)
    assert staff.places == "3 workers on 1 machine"


def test_a_busy_cluster_does_not_hold_those_up_that_are_ready(model, monkeypatch):
    monkeypatch.setattr(opening, "GRACE_SECONDS", 0)
    team = TeamOfThisProcess(model)
    recruit, team.recruit = team.recruit, lambda: team.workers or recruit()
    team.listen = lambda seconds: [team.said.popleft()] if team.said else []
    staff = assemble(team, 3)
    assert (list(staff.opened), staff.opening) == (["worker 1"], 2)


@pytest.mark.parametrize("field", ["software", "version", "hardware", "precision"])
def test_workers_that_might_give_other_pixels_are_refused(model, field):
    def change(event):
        if event.worker == "worker 1":
            return event
        return Opened(event.worker, replace(event.facts, node="b", **{field: "another"}))

    with pytest.raises(ConfigurationError, match=r"same pixels: .* on .*, another on b; start Ray"):
        assemble(TeamOfThisProcess(model, change=change), 2)


def test_a_worker_without_the_engine_says_where(model):
    with pytest.raises(EngineError, match=r"worker on .*: no engine \'none\'"):
        assemble(TeamOfThisProcess(model, engine="none"), 1)


def test_a_worker_that_ends_at_once_is_told(model):
    team = TeamOfThisProcess(model, change=lambda event: Lost(event.worker, "no memory"))
    with pytest.raises(EngineError, match="worker 1 ended before it was ready: no memory"):
        assemble(team, 1)


@pytest.mark.parametrize("devices", [["cuda:0"], ["cuda:0", "cuda:1"], ["cpu", "cpu"]])
def test_ray_gives_out_the_gpus(devices):
    with pytest.raises(ConfigurationError, match="a GPU of its own"):
        check_cluster("local", devices)


def test_a_run_is_started_within_the_cluster():
    with pytest.raises(ConfigurationError, match="a machine of the cluster"):
        check_cluster("ray://head:10001", ["auto"])


def test_ray_is_an_extra(monkeypatch):
    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    with pytest.raises(EngineUnavailableError, match=r"pip install \'rgan-sdk\[ray\]\'"):
        check_cluster("local", ["auto"])


@pytest.mark.parametrize(
    ("engine", "device", "wanted"),
    [
        ("auto", "auto", None),
        ("tensorrt", "auto", None),
        ("openvino", "auto", False),
        ("identity", "auto", False),
        ("auto", "cpu", False),
        ("onnxruntime", "cuda", True),
    ],
)
def test_gpus_are_taken_by_engines_that_run_on_them(engine, device, wanted):
    assert _wants_gpus(Choice(engine, device, "auto")) is wanted
