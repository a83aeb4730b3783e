"""The other commands of ``rgan-harmonize``."""

import json
import subprocess
import sys

import pytest
from support.dicom_phantoms import write_series
from support.models import make_series_card, write_model
from support.runs import harmonize

from rgan_sdk.cli import COMMANDS
from rgan_sdk.engines import onnxruntime
from rgan_sdk.harmonizer import Harmonizer


def test_help_lists_every_command():
    result = harmonize("--help")
    assert result.exit_code == 0
    for name, summary in COMMANDS.items():
        assert f"{name} " in result.output
        assert summary in " ".join(result.output.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name):
    result = harmonize(name, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from rgan_sdk.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print('\\n'.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"numpy", "pydicom", "onnx", "onnxruntime", "torch"} & set(done.stdout.split())


def test_a_dry_run_shows_pixel_spacing_where_there_is_room(tmp_path, monkeypatch):
    write_series(tmp_path / "in", 1, PixelSpacing=[0.64596, 0.64596])
    model = write_model(tmp_path / "m.onnx", make_series_card())
    command = ("run", tmp_path / "in", tmp_path / "out", "--model", model, "--dry-run")
    assert "0.646" not in harmonize(*command).output
    monkeypatch.setenv("COLUMNS", "120")
    shown = " ".join(harmonize(*command).output.split())
    assert "series kernel pixel, mm slices outcome" in shown
    assert "B40f 0.646 1 planned" in shown


def test_doctor_explains_two_runtimes_at_once(monkeypatch):
    both = ["onnxruntime", "onnxruntime-gpu"]
    monkeypatch.setattr(onnxruntime, "installed_distributions", lambda: both)
    result = harmonize("doctor")
    assert result.exit_code == 1
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in result.output


def test_bench_warns_of_kernels_that_the_model_is_not_for(tmp_path):
    write_series(tmp_path / "in", 2, ConvolutionKernel="B70f")
    model = write_model(tmp_path / "m.onnx", make_series_card())
    command = ("bench", tmp_path / "in", "--model", model, "--engine", "identity")
    result = harmonize(*command, "--json", tmp_path / "bench.json")
    assert result.exit_code == 0, result.output
    assert "warning: INPUT has B70f, which test-blur is not for" in result.stderr
    assert json.loads((tmp_path / "bench.json").read_text())["foreign_kernels"] == ["B70f"]
    own = harmonize("bench", "--model", model, "--engine", "identity", "--slices", 3)
    assert "warning" not in own.output


def test_bench_of_no_folder_is_told_before_a_model_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(Harmonizer, "load", lambda *args, **options: pytest.fail("loaded"))
    result = harmonize("bench", tmp_path / "nowhere", "--model", "b40f-to-b70f")
    assert "no such folder" in result.stderr


def test_bench_tells_of_a_file_that_cannot_be_written(tmp_path, monkeypatch):
    model = write_model(tmp_path / "m.onnx")
    command = ("bench", "--model", model, "--engine", "identity", "--slices", 3, "--json")
    with monkeypatch.context() as patched:
        patched.setattr(Harmonizer, "load", lambda *args, **options: pytest.fail("loaded"))
        result = harmonize(*command, tmp_path / "nowhere" / "bench.json")
    assert result.exit_code == 2
    assert "there is no folder" in result.stderr
    result = harmonize(*command, tmp_path / ("x" * 300))
    assert result.exit_code == 1
    assert "cannot write the figures (File name too long)" in result.stderr
    assert "sets the pace" in result.stdout


def test_bench_says_what_sets_the_pace(tmp_path):
    model = write_model(tmp_path / "m.onnx")
    target = tmp_path / "bench.json"
    command = ("bench", "--model", model, "--engine", "identity", "--slices", 3)
    result = harmonize(*command, "--json", target)
    assert result.exit_code == 0, result.output
    assert "sets the pace" in result.output
    figures = json.loads(target.read_text())
    assert figures["slices"] == 3
    assert set(figures["slices_per_second"]) == {"read", "infer", "write", "end_to_end"}
    assert min(figures["slices_per_second"].values()) > 0


def test_bench_on_a_folder_without_series(tmp_path):
    model = write_model(tmp_path / "m.onnx")
    (tmp_path / "in").mkdir()
    result = harmonize("bench", tmp_path / "in", "--model", model, "--engine", "identity")
    assert result.exit_code == 1
    assert "no slice could be harmonized (no CT series)" in result.output
