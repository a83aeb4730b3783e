"""System calls that fail: whatever is seen is complete, and the run can be gone on with."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.models import write_model
from support.requirements import require_tool
from support.runs import PROGRAM, SAME_DATE, contents, new_series, write_inputs

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
    write_inputs(tmp_path / "in", series=SERIES, slices=SLICES, size=64)
    out, log = tmp_path / "out", tmp_path / "log"
    command = [PROGRAM, "run", tmp_path / "in", out, "--model", model]

    def run(*tracer: str | Path) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*tracer, *command], env=SAME_DATE, capture_output=True, text=True, check=False
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
