"""The module where mercure runs it: an unknown user, no network, nothing to write to but OUTPUT."""

import os
import sys

import pytest
from support.container import UID, run_in_container
from support.mercure import SETTINGS, add_sample, images, read_result, write_input
from support.runs import PROGRAM, harmonize

NAMED = {"MERCURE_IN_DIR": "/input", "MERCURE_OUT_DIR": "/output"}
MODULE = [PROGRAM, "module"]
FIXED = {"SOURCE_DATE_EPOCH": "1700000000"}


@pytest.fixture(autouse=True)
def _ordinary_umask():
    """Let everybody read what the tests write, as mercure does; commands change the umask."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def source(tmp_path):
    write_input(tmp_path / "in")
    add_sample(tmp_path / "in", "B40f", 1)
    add_sample(tmp_path / "in", "H30s", 2)
    return tmp_path / "in"


def test_mercure_gets_what_it_wants(tmp_path, source, monkeypatch):
    out = tmp_path / "out"
    done = run_in_container(tmp_path, source, out, MODULE, NAMED | FIXED)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert len(images(out)) == 2
    assert {(path.stat().st_uid, path.stat().st_gid) for path in out.iterdir()} == {(UID, UID)}
    monkeypatch.setenv(*next(iter(FIXED.items())))
    assert harmonize("module", source, tmp_path / "here").exit_code == 0
    assert images(out) == images(tmp_path / "here")


PROBE = """
import os, socket
from pathlib import Path

writable = [str(path) for path in [Path("/"), *Path("/").iterdir()] if os.access(path, os.W_OK)]
status = dict(line.split(":\\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(sorted(writable), socket.if_nameindex(), os.getuid(), status["CapEff"])
print(sorted(os.environ.keys() - {"LC_CTYPE"}))  # Python sets that one itself
print(Path.home())
"""


@pytest.mark.parametrize(("tmp", "writable"), [(False, ["/output"]), (True, ["/output", "/tmp"])])
def test_the_container_is_one(tmp_path, source, tmp, writable):
    command = [sys.executable, "-c", PROBE]
    done = run_in_container(tmp_path, source, tmp_path / "out", command, {"A": "b"}, tmp=tmp)
    assert done.stdout == f"{writable} [(1, 'lo')] {UID} {0:016x}\n['A']\n"
    assert "Could not determine home directory" in done.stderr


@pytest.mark.parametrize(("engine", "tmp"), [("openvino", False), ("auto", True)])
def test_each_engine_does_without_a_home(tmp_path, source, engine, tmp):
    write_input(source, {**SETTINGS, "engine": engine})
    environment = NAMED | ({"RGAN_CACHE": "/tmp/rgan"} if tmp else {})
    done = run_in_container(tmp_path, source, tmp_path / "out", MODULE, environment, tmp=tmp)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert ("set RGAN_CACHE" in done.stderr) == (not tmp)
    assert len(images(tmp_path / "out")) == 2


def test_nothing_eligible_and_plain_folders(tmp_path):
    source = tmp_path / "in"
    add_sample(source / "one", "H30s", 1)
    command = [*MODULE, "/input", "/output", "--set", "model=b40f-to-b70f"]
    done = run_in_container(tmp_path, source, tmp_path / "out", command, {})
    assert done.returncode == 0, done.stderr
    assert images(tmp_path / "out") == {}
    assert read_result(tmp_path / "out")["outcome"] == "nothing eligible"


def test_a_failed_series_fails_the_task(tmp_path, source):
    broken = add_sample(source, "B40f", 3)[0]
    broken.write_bytes(broken.read_bytes()[:-500])
    done = run_in_container(tmp_path, source, tmp_path / "out", MODULE, NAMED)
    assert done.returncode == 3, done.stderr
    assert len(images(tmp_path / "out")) == 2
    assert read_result(tmp_path / "out")["outcome"] == "failed"


def test_an_output_that_cannot_be_written_to_is_named(tmp_path, source):
    done = run_in_container(
        tmp_path, source, tmp_path / "out", MODULE, NAMED | {"MERCURE_OUT_DIR": "/dev/out"}
    )
    assert done.returncode == 1
    assert "/dev/out/.rgan-module: cannot be used for output (Read-only file system)" in done.stderr
