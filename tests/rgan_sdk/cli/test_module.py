"""``rgan-harmonize module``: what mercure and other pipelines see of it."""

import fcntl
import json
import random
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest
from support.mercure import SETTINGS, add_file, add_sample, images, read_result, write_input
from support.models import make_series_card, write_model
from support.requirements import require_data
from support.runs import PROGRAM, folders, harmonize, same_date

from rgan_sdk.module import flat_files, process, result

STATE = ".rgan-module"


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture
def task(tmp_path, monkeypatch):
    """Return INPUT, with two series that the model takes, and OUTPUT, as mercure names them."""
    source, out = tmp_path / "in", tmp_path / "out"
    write_input(source)
    add_sample(source, "B40f", 1, slices=3)
    add_sample(source, "B40f", 2)
    out.mkdir()
    monkeypatch.setenv("MERCURE_IN_DIR", str(source))
    monkeypatch.setenv("MERCURE_OUT_DIR", str(out))
    return source, out


def what_run_writes(source: Path, *options: object) -> dict[str, bytes]:
    """Return the files that ``run`` writes, by the names that a module gives them."""
    out = source.with_name("by-run")
    named = [f"--{name}={value}" for name, value in SETTINGS.items()]
    assert harmonize("run", source, out, *named, *options).exit_code in (0, 3)
    return {
        f"{series}#{name}": content
        for series, files in folders(out).items()
        for name, content in files.items()
    }


def check_counts(source: Path, out: Path) -> dict:
    """Check that each file of INPUT has one outcome; return ``result.json``."""
    content = read_result(out)
    counts = content["summary"]["files"]
    assert sum(counts.values()) == len(list(source.iterdir()))
    assert sum(content["summary"]["series"].values()) == len(content["series"])
    return content


def test_each_series_becomes_flat_files_that_are_those_of_run(task):
    source, out = task
    before = {path.name: path.read_bytes() for path in source.iterdir()}
    done = harmonize("module")
    assert done.exit_code == 0, done.output
    assert images(out) == what_run_writes(source)
    content = check_counts(source, out)
    assert content["outcome"] == "done"
    assert content["summary"]["series"] == {"done": 2, "skipped": 0, "failed": 0}
    # task.json, and the tags of each of five images
    assert content["summary"]["files"] == {"done": 5, "skipped": 6, "failed": 0}
    assert {one["output"] for one in content["series"]} == {
        name.partition("#")[0] for name in images(out)
    }
    assert content["models"][0]["name"] == "b40f-to-b70f"
    assert len(content["models"][0]["sha256"]) == 64
    assert content["settings"]["model"] == ["b40f-to-b70f"]
    assert content["__mercure_notification"] == {
        "text": "2 series done, 0 series skipped, 0 series failed"
    }
    assert {path.name: path.read_bytes() for path in source.iterdir()} == before


def test_only_the_owner_can_read(task):
    _, out = task
    assert harmonize("module").exit_code == 0
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}


def test_what_is_not_eligible_is_left_aside(task):
    source, out = task
    add_sample(source, "H30s", 3)
    done = harmonize("module")
    assert done.exit_code == 0, done.output
    content = check_counts(source, out)
    assert content["summary"]["series"] == {"done": 2, "skipped": 1, "failed": 0}
    (skipped,) = (one for one in content["series"] if one["status"] == "skipped")
    assert skipped["reason"].startswith("ConvolutionKernel (0018,1210) is H30s")
    assert skipped["output"] is None
    assert images(out) == what_run_writes(source)


def test_nothing_eligible_is_no_failure(tmp_path):
    write_input(tmp_path / "in")
    add_sample(tmp_path / "in", "H30s", 1)
    done = harmonize("module", tmp_path / "in", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert images(tmp_path / "out") == {}
    content = check_counts(tmp_path / "in", tmp_path / "out")
    assert content["outcome"] == "nothing eligible"
    assert "outcome: nothing eligible" in done.output


def test_a_broken_file_fails_its_series_and_the_task(task):
    source, out = task
    broken = add_sample(source, "B40f", 3)[0]
    broken.write_bytes(broken.read_bytes()[:-500])
    done = harmonize("module")
    assert done.exit_code == 3, done.output
    content = check_counts(source, out)
    assert content["outcome"] == "failed"
    assert content["summary"]["series"] == {"done": 2, "skipped": 0, "failed": 1}
    assert content["summary"]["files"]["failed"] == 2
    assert images(out) == what_run_writes(source)
    assert len(images(out)) == 5


def test_series_with_the_target_kernel_keep_their_names(task):
    source, out = task
    write_input(source, {**SETTINGS, "include_target": True})
    copied = add_sample(source, "B70f", 3)
    done = harmonize("module")
    assert done.exit_code == 0, done.output
    written = images(out)
    assert {path.name: path.read_bytes() for path in copied}.items() <= written.items()
    assert len(written) == 5 + len(copied)


def test_several_models_share_the_series_of_a_task(task, tmp_path):
    source, out = task
    card = make_series_card(name="ge", source_kernels=("STANDARD",))
    ge = write_model(tmp_path / "ge.onnx", card)
    soft = write_model(tmp_path / "soft.onnx", make_series_card(name="soft", target_kernel="B30f"))
    models = ["b40f-to-b70f", str(ge), str(soft)]
    write_input(source, {**SETTINGS, "model": models})
    add_sample(source, "STANDARD", 3)
    refused = harmonize("module")
    assert refused.exit_code == 2
    assert "soft.onnx makes B30f" in " ".join(refused.output.split())
    assert list(out.iterdir()) == []
    write_input(source, {**SETTINGS, "model": models, "target_kernel": "B70f"})
    done = harmonize("module")
    assert done.exit_code == 0, done.output
    content = check_counts(source, out)
    assert sorted(one["model"] for one in content["series"]) == ["b40f-to-b70f"] * 2 + ["ge"]


def test_the_command_line_sets_what_a_plain_folder_does_not(tmp_path):
    for number in (1, 2):
        add_sample(tmp_path / "in" / "deep" / str(number), "H30s", number)
    command = ("module", tmp_path / "in", tmp_path / "new" / "out", "--set", "model=b40f-to-b70f")
    done = harmonize(*command, "--set", "outside_domain=kernel", "--set", "engine=onnxruntime")
    assert done.exit_code == 0, done.output
    assert len(images(tmp_path / "new" / "out")) == 4
    assert all(one["outside"] for one in read_result(tmp_path / "new" / "out")["series"])


def test_the_command_line_wins_over_the_task(task):
    source, out = task
    write_input(source, {**SETTINGS, "model": "b70f-to-b40f"})
    assert harmonize("module", "--set", "model=b40f-to-b70f").exit_code == 0
    assert read_result(out)["settings"]["model"] == ["b40f-to-b70f"]


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({**SETTINGS, "sigma": 7}, "unknown settings: sigma; there are model, target_kernel"),
        ({"engine": "onnxruntime"}, "no model is named"),
        ({**SETTINGS, "model": "absent.onnx"}, "absent.onnx"),
        ({**SETTINGS, "engine": "abacus"}, "abacus"),
        ({**SETTINGS, "device": "cuda:99"}, "cuda"),
        ({**SETTINGS, "outside_domain": "age"}, "no 'age'"),
        ([], "'settings' must be an object"),
    ],
)
def test_settings_that_cannot_be_used_end_the_task(task, settings, wrong):
    source, out = task
    write_input(source, settings or [SETTINGS])
    done = harmonize("module")
    assert done.exit_code == 1
    assert wrong in done.output
    assert not list(out.glob("*.dcm"))
    assert not (out / "result.json").exists()


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ([], "name INPUT and OUTPUT, or set MERCURE_IN_DIR and MERCURE_OUT_DIR"),
        (["in"], "name INPUT and OUTPUT, or set MERCURE_IN_DIR and MERCURE_OUT_DIR"),
        (["in", "out", "--set", "model"], "'model' is not of the form NAME=VALUE"),
    ],
)
def test_wrong_usage(arguments, wrong):
    done = harmonize("module", *arguments)
    assert done.exit_code == 2
    assert wrong in " ".join(done.output.split())


def test_a_folder_that_holds_anything_is_not_written_to(task):
    _, out = task
    (out / "mine.txt").write_text("keep me")
    done = harmonize("module")
    assert done.exit_code == 1
    assert "is not empty" in done.output
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_a_folder_that_another_process_works_in_is_left_alone(task):
    _, out = task
    with process.lock_folder(out / STATE, durable=False):
        assert harmonize("module").exit_code == 75
    assert harmonize("module").exit_code == 0


def test_a_call_that_begins_while_another_ends_gives_its_result(task, monkeypatch):
    _, out = task
    assert harmonize("module").exit_code == 0
    (out / STATE).mkdir()
    lock = fcntl.flock

    def lock_late(file, how):
        shutil.rmtree(out / STATE)  # as the other does at its end
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    done = harmonize("module")
    assert done.exit_code == 0, done.output
    assert not (out / STATE).exists()


def stop(*args, **kwargs):
    raise KeyboardInterrupt


def stop_after_renames(monkeypatch, count):
    """Interrupt when so many images were renamed into OUTPUT."""
    rename, renamed = Path.rename, []

    def stopping(path, target):
        if "#" in Path(target).name:
            if len(renamed) == count:
                raise KeyboardInterrupt
            renamed.append(path)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", stopping)


@pytest.mark.parametrize("count", range(5))
def test_a_stop_between_renames_is_gone_on_with(task, monkeypatch, count):
    source, out = task
    with monkeypatch.context() as patch:
        stop_after_renames(patch, count)
        assert harmonize("module").exit_code == 130
    assert len(list(out.glob("*.dcm"))) == count
    assert not (out / "result.json").exists()
    done = harmonize("module")
    assert done.exit_code == 0, done.output
    assert images(out) == what_run_writes(source)
    assert not any(one["reason"] for one in read_result(out)["series"])


@pytest.mark.parametrize(
    ("owner", "name"), [(flat_files, "sync"), (result, "sync"), (process.shutil, "rmtree")]
)
def test_a_stop_near_the_end_is_gone_on_with(task, monkeypatch, owner, name):
    source, out = task
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, stop)
        assert harmonize("module").exit_code == 130
    done = harmonize("module")
    assert done.exit_code == 0, done.output
    assert images(out) == what_run_writes(source)


def test_other_settings_after_a_stop_leave_nothing_of_the_first(task, monkeypatch):
    source, out = task
    with monkeypatch.context() as patch:
        patch.setattr(flat_files, "sync", stop)
        assert harmonize("module").exit_code == 130
    write_input(source, {**SETTINGS, "model": "b70f-to-b40f", "outside_domain": "kernel"})
    done = harmonize("module")
    assert done.exit_code == 1
    assert "holds series that were made with another" in done.output
    assert list(out.glob("*.dcm")) == []


def has_noted(out: Path, series: int) -> bool:
    """Whether so many series are in the journal, or the state is gone already."""
    journal = out / STATE / "run" / ".rgan" / "journal.jsonl"
    try:
        return journal.read_bytes().count(b"\n") > series
    except FileNotFoundError:
        return (out / "result.json").exists()


def test_kills_at_any_moment(tmp_path):
    source, out, numbers, unfinished = tmp_path / "in", tmp_path / "out", random.Random(0), 0
    write_input(source, {**SETTINGS, "engine": "identity"})
    for number in range(4):
        add_sample(source, "B40f", number, slices=3)
    command = [PROGRAM, "module", source]
    subprocess.run([*command, tmp_path / "whole"], env=same_date(), check=True)
    whole = images(tmp_path / "whole")
    for series in range(5):
        running = subprocess.Popen([*command, out], env=same_date(), stderr=subprocess.DEVNULL)
        while running.poll() is None and not has_noted(out, series):
            time.sleep(0.001)
        time.sleep(numbers.uniform(0, 0.02))
        running.send_signal(signal.SIGKILL)
        running.wait()
        unfinished += not (out / "result.json").exists()
        if (out / STATE).exists():
            subprocess.run([*command, out], env=same_date(), check=True)
        assert images(out) == whole
        shutil.rmtree(out)
    assert unfinished >= 3


def test_a_real_scan_as_mercure_hands_it_over(task):
    pair = require_data("pair_lungdx_A0002_siemens")
    source, out = task
    for path in source.iterdir():
        path.unlink()
    write_input(source)
    for kernel in ("B40f", "B70f"):
        for path in sorted((pair / kernel).glob("*.dcm"))[:3]:
            add_file(source, path)
    done = harmonize("module")
    assert done.exit_code == 0, done.output
    assert images(out) == what_run_writes(source)
    assert len(images(out)) == 3
    content = check_counts(source, out)
    assert content["summary"]["series"] == {"done": 1, "skipped": 1, "failed": 0}
    assert json.dumps(content).count("b40f-to-b70f") >= 2
