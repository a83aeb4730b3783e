"""System calls that fail: whatever is seen is complete, and the run can be gone on with."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.models import write_model
from support.requirements import require_tool
from support.runs import contents, new_series

from rgan_sdk.dicom.sample import write_sample_series

SERIES, SLICES, POSITIONS = 3, 4, 8
CALLS = ("openat", "write", "writev", "fsync", "rename", "mkdir", "close")


def touched(source: Path, out: Path, whole: dict[str, bytes]) -> list[Path]:
    """Return the paths of INPUT and OUTPUT that a run uses."""
    state = out / ".rgan"
    inputs = [path for path in source.rglob("*") if path.is_file()]
    series = {Path(name).parent for name in whole}
    outputs = [folder / name for folder in (out, state / "staging") for name in [*series, *whole]]
    return [*inputs, *outputs, out, state, state / "staging", state / "journal.jsonl"]


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_a_system_call_that_fails_loses_nothing(tmp_path, call):
    strace = require_tool("strace")
    model = write_model(tmp_path / "m.onnx")
    for number in range(SERIES):
        folder = tmp_path / "in" / str(number)
        write_sample_series(folder, "B40f", slices=SLICES, size=64, seed=number)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    program = Path(sys.executable).with_name("rgan-harmonize")
    out, log = tmp_path / "out", tmp_path / "log"
    command = [program, "run", tmp_path / "in", out, "--model", model]

    def run(*tracer: str | Path) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*tracer, *command], env=environment, capture_output=True, text=True, check=False
        )

    assert run().returncode == 0
    whole = contents(out)
    assert len(whole) == SERIES * SLICES
    shutil.rmtree(out)
    paths = [part for path in touched(tmp_path / "in", out, whole) for part in ("-P", path)]
    tracer = [strace, "-f", "--quiet=path-resolution,attach,exit", "-o", log, *paths]
    run(*tracer, "-e", f"trace={call}")
    total = len(re.findall(rf"\b{call}\(", log.read_text()))
    assert total >= SERIES

    failed = 0
    for position in sorted({1 + total * i // POSITIONS for i in range(POSITIONS)}):
        shutil.rmtree(out, ignore_errors=True)
        result = run(*tracer, "-e", f"inject={call}:error=EIO:when={position}")
        injected = "INJECTED" in log.read_text()
        seen = contents(out) if out.exists() else {}
        assert all(whole[name] == content for name, content in seen.items())
        assert len(seen) % SLICES == 0
        assert result.returncode == 0 or injected
        assert "Traceback" not in result.stderr
        failed += injected
        assert run().returncode == 0
        assert contents(out) == whole
        assert len(new_series(out)) == SERIES
    assert failed >= 1
