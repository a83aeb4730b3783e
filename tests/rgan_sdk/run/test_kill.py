"""`kill -9` at any moment: no partial series is ever seen, and a resumed run ends alike.

Every second run that is killed finds finished series damaged, and does them again.
"""

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.damage import DAMAGES
from support.models import make_series_card, write_model
from support.runs import PROGRAM, contents, folders, harmonize, same_date, write_inputs

from rgan_sdk.dicom.synthetic.sample import write_sample_series


def has_noted(out: Path, series: int) -> bool:
    """Whether the run has begun, and as many series are in its journal."""
    staging, journal = out / ".rgan" / "staging", out / ".rgan" / "journal.jsonl"
    return staging.exists() and journal.read_bytes().count(b"\n") > series


def damage(out: Path, whole: dict[str, dict[str, bytes]], numbers: random.Random) -> None:
    """Damage half of the whole series in OUTPUT, each in some way."""
    series = [name for name, files in folders(out).items() if files == whole[name]]
    for name in numbers.sample(series, len(series) // 2):
        DAMAGES[numbers.choice(list(DAMAGES))](out / name)


def kill_and_resume(root: Path, *, kills: int, series: int, options: tuple[str, ...]) -> list[int]:
    """Kill runs and resume them; return how many series were whole at each kill."""
    arguments = ["run", root / "in", "--model", root / "m.onnx", "--verify-outputs", *options]
    numbers, positions, spent = random.Random(0), [], 1.0
    assert harmonize(*arguments, root / "whole").exit_code == 0
    whole = folders(root / "whole")
    assert len(whole) == series
    while len(positions) < kills:
        out = root / f"out-{len(positions)}"
        if is_damaged := len(positions) % 2 == 1:
            shutil.copytree(root / "whole", out)
            damage(out, whole, numbers)
        known = folders(out) if is_damaged else {}
        wanted = (
            series + numbers.randrange(1, series // 2) if is_damaged else numbers.randrange(series)
        )
        process = subprocess.Popen(
            [PROGRAM, *arguments, out],
            env=same_date(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and not has_noted(out, wanted):
            time.sleep(0.001)
        time.sleep(numbers.uniform(0, spent / series))
        process.send_signal(signal.SIGKILL)
        assert process.wait() in (0, -signal.SIGKILL)
        seen = folders(out)
        assert all(files in (whole[name], known.get(name)) for name, files in seen.items())
        positions.append(sum(files == whole[name] for name, files in seen.items()))
        damage(out, whole, numbers)
        begun = time.monotonic()
        result = harmonize(*arguments, out)
        spent = time.monotonic() - begun
        assert result.exit_code == 0, result.output
        assert contents(out) == contents(root / "whole")
        shutil.rmtree(out)
    return positions


def test_ten_kills(tmp_path):
    write_model(tmp_path / "m.onnx", make_series_card())
    write_inputs(tmp_path / "in", series=6, slices=4, size=64)
    options = ("--engine", "identity", "--batch-size", "2")
    positions = kill_and_resume(tmp_path, kills=10, series=6, options=options)
    assert sum(position < 6 for position in positions) >= 3


def test_kills_of_a_run_with_several_models_and_copies(tmp_path):
    write_model(tmp_path / "m.onnx", make_series_card())
    ge = make_series_card(name="ge", source_kernels=("STANDARD",))
    write_model(tmp_path / "ge.onnx", ge)
    for number, kernel in enumerate(("B40f", "STANDARD", "B70f") * 2):
        folder = tmp_path / "in" / str(number)
        write_sample_series(folder, kernel, slices=4, size=64, seed=number)
    options = ("--engine", "identity", "--model", str(tmp_path / "ge.onnx"), "--include-target")
    kill_and_resume(tmp_path, kills=4, series=6, options=options)


@pytest.mark.slow
def test_fifty_kills(tmp_path, capsys):
    write_model(tmp_path / "m.onnx", make_series_card())
    write_inputs(tmp_path / "in", series=12, slices=12, size=128)
    positions = kill_and_resume(tmp_path, kills=50, series=12, options=())
    with capsys.disabled():
        print(f"\nseries that were whole at each kill: {positions}")
    assert sum(position < 12 for position in positions) >= 40
