"""The example for Slurm, on a real cluster of one node."""

import csv
import os
import subprocess
import time
from pathlib import Path

import pytest
from support.runs import contents, harmonize, read_report, write_inputs
from support.slurm import start_cluster

SUBMIT = Path(__file__).parents[2] / "examples" / "slurm" / "submit.sh"
MODEL, SHARDS, SERIES = "b40f-to-b70f", 3, 6


@pytest.fixture
def cluster(tmp_path):
    folder = tmp_path / "slurm"
    folder.mkdir()
    with start_cluster(folder) as cluster:
        yield cluster


@pytest.fixture
def scans(tmp_path):
    write_inputs(tmp_path / "scans of '26", series=SERIES, slices=12, size=256)
    return tmp_path / "scans of '26"


def requeue_one(cluster, output):
    """Put a task back into the queue while it writes, as when another job preempts it."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        writing = next(output.glob("part-*/.rgan/staging/*/*.dcm"), None)
        running = [job for job, state in cluster.states().items() if state == "RUNNING"]
        if writing is not None and running:
            part = writing.relative_to(output).parts[0].removeprefix("part-")
            (task,) = [job for job in running if job.endswith(f"_{part}")]
            cluster.call("scontrol", "requeue", task)
            while cluster.states()[task] != "PENDING":
                time.sleep(0.1)
            # Else Slurm waits two minutes.
            cluster.call("scontrol", "update", f"JobId={task}", "StartTime=now")
            return
        time.sleep(0.02)
    raise AssertionError("no task has begun to write")


def test_an_array_with_a_task_that_is_requeued_writes_what_one_run_does(cluster, scans, tmp_path):
    output = tmp_path / "out of '26"
    said = cluster.call(SUBMIT, scans, output, MODEL, SHARDS)
    assert "submitted: array " in said
    requeue_one(cluster, output)
    states = cluster.wait()
    logs = "".join(path.read_text() for path in sorted((output / "logs").iterdir()))
    assert set(states.values()) == {"COMPLETED"}, logs
    assert len(states) == SHARDS + 1
    assert "interrupted" in logs

    whole = tmp_path / "whole"
    assert harmonize("run", "--from", output / "worklist.csv", whole).exit_code == 0
    written = {}
    for number in range(1, SHARDS + 1):
        part = contents(output / f"part-{number}")
        assert not written.keys() & part.keys()
        written |= part
    assert written == contents(whole)
    report = read_report(output / "report.json")
    assert report["summary"]["series"] == {"done": SERIES, "skipped": 0, "failed": 0}
    assert report["warnings"] == []
    with (output / "mapping.csv").open(newline="") as file:
        assert {row["outcome"] for row in csv.DictReader(file)} == {"done"}
    assert not list(output.glob("part-*/.rgan/staging"))


def test_the_same_command_changes_nothing(cluster, scans, tmp_path):
    output = tmp_path / "out"
    cluster.call(SUBMIT, scans, output, MODEL, 2)
    cluster.wait()
    before = {path: path.stat().st_mtime_ns for path in output.glob("part-*/*/*.dcm")}
    assert len(before) == 12 * SERIES
    cluster.call(SUBMIT, scans, output, MODEL, 2)
    assert set(cluster.wait().values()) == {"COMPLETED"}
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize(("scans", "model"), [("other", "b40f-to-b70f"), ("scans", "b70f-to-b40f")])
def test_an_output_of_other_scans_or_another_model_is_refused(tmp_path, scans, model):
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name, line in {"sbatch": "echo 1", "rgan-harmonize": ': >"${@: -1}"'}.items():
        (bin_ / name).write_text(f"#!/usr/bin/env bash\n{line}\n")
        (bin_ / name).chmod(0o755)

    def submit(*arguments):
        return subprocess.run(
            [SUBMIT, *arguments, "2"],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"},
            check=False,
            capture_output=True,
            text=True,
        )

    for _ in range(2):
        assert submit("scans", "out", "b40f-to-b70f").stdout.startswith("submitted: array 1")
    (tmp_path / "mine.onnx").touch()
    assert not submit("scans", "other-out", "mine.onnx").returncode
    assert not submit("scans", "other-out", "./mine.onnx").returncode
    refused = submit(scans, "out", model)
    assert refused.returncode == 2
    assert not refused.stdout
    begun = f"was begun with SCANS {tmp_path / 'scans'}, MODEL b40f-to-b70f"
    assert f"{tmp_path / 'out'} {begun}, not with SCANS {tmp_path / scans}" in refused.stderr
    assert f"MODEL {model}; choose another OUTPUT" in refused.stderr


def test_wrong_usage_is_explained(cluster, tmp_path):
    with pytest.raises(AssertionError, match=r"submit\.sh SCANS OUTPUT MODEL SHARDS"):
        cluster.call(SUBMIT, tmp_path)
