"""Ray itself: machines are lost, runs are stopped, and OUTPUT is as from one machine."""

import json
import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.models import make_series_card, write_model
from support.requirements import require_module
from support.runs import (
    PROGRAM,
    contents,
    harmonize,
    new_series,
    read_report,
    same_date,
    write_inputs,
)

from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_sdk.run.cluster.ray_team import import_ray

require_module("ray", "pip install 'rgan-sdk[ray]'")

SERIES, SLICES = 6, 8


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ray") / "in"
    write_inputs(folder, series=SERIES, slices=SLICES, size=256)
    return folder


@contextmanager
def running(inputs, out, *options):
    """Begin a run in a process of its own, which is killed in the end if it is still there."""
    model = ("--model", "b40f-to-b70f", "--engine", "onnxruntime")
    with subprocess.Popen(
        [PROGRAM, "run", inputs, out, *model, *options],
        env=same_date(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def finish(process):
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def whole(inputs):
    """What one machine makes of the inputs."""
    out = inputs.with_name("whole")
    with running(inputs, out) as process:
        finish(process)
    return contents(out)


def wait_for_a_series(process, out):
    """Wait until a series is in OUTPUT."""

    def is_there():
        assert process.poll() is None, process.stdout.read()
        return out.exists() and new_series(out)

    wait_until(is_there)


def wait_until(condition):
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def children(pid):
    """Return the processes that a process has started."""
    listed = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True
    )
    return [int(line) for line in listed.stdout.split()]


def kill_with_children(pid):
    """End a machine: what manages it, and the workers that it has started."""
    for one in (pid, *children(pid)):
        os.kill(one, signal.SIGKILL)


def check(out, whole):
    """Check that each series is there and noted once, and that nothing else is."""
    assert contents(out) == whole
    lines = (out / ".rgan" / "journal.jsonl").read_text().splitlines()
    noted = [json.loads(line)["output"] for line in lines[1:]]
    assert sorted(noted) == [folder.name for folder in new_series(out)]
    assert sorted(path.name for path in (out / ".rgan").iterdir()) == [
        "journal.jsonl",
        "lock",
        "report.json",
    ]


def test_one_of_two_machines_is_killed(inputs, whole, tmp_path, monkeypatch):
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    out, report = tmp_path / "out", tmp_path / "report.json"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        second = cluster.add_node(num_cpus=1)
        with running(inputs, out, "--ray", cluster.address, "--report", report) as process:
            wait_for_a_series(process, out)
            kill_with_children(second.all_processes["raylet"][0].process.pid)
            assert len(new_series(out)) < SERIES
            output = finish(process)
    finally:
        cluster.shutdown()
    check(out, whole)
    assert "2 workers on 1 machine" in output
    (warning,) = read_report(report)["warnings"]
    assert re.fullmatch(r"worker \d on .* was lost: .{,100}; its work went to others", warning)
    assert {path.stat().st_mode & 0o077 for path in out.rglob("*.dcm")} == {0}


def stop(inputs, out, number):
    """Begin a run on a cluster of its own, and send it a signal; return its exit code."""
    with running(inputs, out, "--ray", "local") as process:
        wait_for_a_series(process, out)
        begun = children(process.pid)
        assert begun
        process.send_signal(number)
        process.communicate(timeout=60)
        wait_until(lambda: not any(Path("/proc", str(pid)).exists() for pid in begun))
        return process.returncode


def test_a_terminated_run_leaves_whole_series_and_no_process(inputs, whole, tmp_path):
    out = tmp_path / "out"
    assert stop(inputs, out, signal.SIGTERM) == 130
    assert contents(out).items() < whole.items()
    assert not (out / ".rgan" / "staging").exists()


def test_a_killed_run_is_continued(inputs, whole, tmp_path):
    out = tmp_path / "out"
    assert stop(inputs, out, signal.SIGKILL) == -signal.SIGKILL
    assert contents(out).items() < whole.items()
    with running(inputs, out, "--ray", "local") as process:
        finish(process)
    check(out, whole)


def test_no_cluster(inputs, tmp_path):
    with running(inputs, tmp_path / "out", "--ray", "127.0.0.1:9") as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Ray at 127.0.0.1:9: no cluster that can be used" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_several_models_and_copies(inputs, tmp_path):
    write_sample_series(tmp_path / "in" / "sharp", "B70f", slices=4, size=64, seed=1)
    write_sample_series(tmp_path / "in" / "soft", "B40f", slices=4, size=64, seed=2)
    write_sample_series(tmp_path / "in" / "ge", "STANDARD", slices=4, size=64, seed=3)
    card = make_series_card(name="ge", source_kernels=("STANDARD",))
    ge = ("--model", write_model(tmp_path / "ge.onnx", card), "--include-target", "--preview")
    for out, more in (("whole", ()), ("out", ("--ray", "local"))):
        with running(tmp_path / "in", tmp_path / out, *ge, *more) as process:
            finish(process)
    assert len(new_series(tmp_path / "out")) == 3
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    pictures = [
        {path.name: path.read_bytes() for path in (tmp_path / out / "previews").iterdir()}
        for out in ("whole", "out")
    ]
    assert pictures[0] == pictures[1]


CPU, TWO_GPUS, FOUR_GPUS = {"CPU": 8.0}, {"CPU": 8.0, "GPU": 2.0}, {"CPU": 8.0, "GPU": 4.0}


@pytest.mark.parametrize(
    ("nodes", "on_gpus", "share"),
    [
        ([CPU, CPU], None, (16, 1, 0)),
        ([CPU, TWO_GPUS], None, (2, 4, 1)),
        ([TWO_GPUS, FOUR_GPUS], True, (6, 2, 1)),
        ([CPU, TWO_GPUS], False, (16, 1, 0)),
        ([CPU], True, (0, 0, 1)),
        ([{}], None, (0, 1, 0)),
    ],
)
def test_the_share_of_a_worker(nodes, on_gpus, share):
    from rgan_sdk.run.cluster.ray_team import _share

    assert _share(nodes, on_gpus=on_gpus) == share


def test_a_run_in_this_process_leaves_the_environment_to_later_programs(inputs, tmp_path):
    import_ray()
    before = dict(os.environ)
    out = tmp_path / "out"
    result = harmonize("run", inputs / "0", out, "--model", "b40f-to-b70f", "--ray", "local")
    assert result.exit_code == 0, result.output
    assert len(new_series(out)) == 1
    assert dict(os.environ) == before
