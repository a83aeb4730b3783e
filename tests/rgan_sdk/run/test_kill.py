"""`kill -9` at any moment: no partial series is ever seen, and a resumed run ends alike."""

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.models import write_model
from support.runs import PROGRAM, SAME_DATE, contents, new_series, write_inputs

SERIES, SLICES, KILLS = 12, 12, 50


def has_begun(out: Path) -> bool:
    """Whether the run has made a folder for its first series."""
    staging = out / ".rgan" / "staging"
    return staging.exists() and (any(staging.iterdir()) or bool(new_series(out)))


@pytest.mark.slow
def test_fifty_kills(tmp_path, capsys):
    model = write_model(tmp_path / "m.onnx")
    write_inputs(tmp_path / "in", series=SERIES, slices=SLICES, size=128)

    def start(out: Path) -> subprocess.Popen:
        command = [PROGRAM, "run", tmp_path / "in", out, "--model", model]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, env=SAME_DATE, **quiet)

    process = start(tmp_path / "whole")
    while not has_begun(tmp_path / "whole"):
        time.sleep(0.001)
    first = time.monotonic()
    assert process.wait() == 0
    work = time.monotonic() - first
    whole = contents(tmp_path / "whole")
    assert len(whole) == SERIES * SLICES

    numbers, positions = random.Random(0), []
    while len(positions) < KILLS:
        out = tmp_path / f"out-{len(positions)}"
        process = start(out)
        finished = numbers.randrange(SERIES)
        while not has_begun(out) or len(new_series(out)) < finished:
            time.sleep(0.001)
        time.sleep(numbers.uniform(0, work / SERIES))
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen = contents(out)
        assert all(whole[name] == content for name, content in seen.items())
        assert len(seen) % SLICES == 0
        positions.append(len(seen) // SLICES)
        assert start(out).wait() == 0
        assert contents(out) == whole
        shutil.rmtree(out)
    with capsys.disabled():
        print(f"\nseries that were finished at each kill: {positions}")
    assert sum(position < SERIES for position in positions) >= 40
