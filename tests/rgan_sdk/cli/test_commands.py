"""The other commands of ``rgan-harmonize``."""

import json
import subprocess
import sys

import pytest
from support.dicom_phantoms import write_series
from support.models import write_model
from support.runs import harmonize

from rgan_sdk.cli import COMMANDS
from rgan_sdk.engines import onnxruntime


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


def test_scan_shows_kernel_reconstruction_and_kind(tmp_path):
    source, report = tmp_path / "in", tmp_path / "report.json"
    kernel = ["Br40d", "3"]
    write_series(source, 2, series=1, ConvolutionKernel=kernel, ReconstructionAlgorithm="ITERATIVE")
    plain = " ".join(harmonize("scan", source).output.split())
    assert "series kernel reconstruction slices outcome note" in plain
    assert "Br40d\\3 ITERATIVE 2 planned" in plain
    write_series(source, 2, series=2, ImageType=["DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MIP"])
    shown = " ".join(harmonize("scan", source, "--report", report).output.split())
    assert "B40f - 2 planned ImageType says MIP" in shown
    first, second = json.loads(report.read_text())["series"]
    assert (first["convolution_kernel"], first["reconstruction"]) == ("Br40d\\3", "ITERATIVE")
    assert first["notes"] == []
    assert second["reconstruction"] is None
    assert "no plain axial reconstruction" in second["notes"][0]


def test_scan_shows_pixel_spacing_where_there_is_room(tmp_path, monkeypatch):
    write_series(tmp_path, 1, PixelSpacing=[0.64596, 0.64596])
    assert "0.646" not in harmonize("scan", tmp_path).output
    monkeypatch.setenv("COLUMNS", "120")
    shown = " ".join(harmonize("scan", tmp_path).output.split())
    assert "series kernel pixel, mm slices outcome note" in shown
    assert "B40f 0.646 1 planned" in shown


def test_scan_has_no_column_for_what_no_series_states(tmp_path):
    write_series(tmp_path, 1)
    assert "reconstruction" not in harmonize("scan", tmp_path).output


def test_doctor_explains_two_runtimes_at_once(monkeypatch):
    both = ["onnxruntime", "onnxruntime-gpu"]
    monkeypatch.setattr(onnxruntime, "installed_distributions", lambda: both)
    result = harmonize("doctor")
    assert result.exit_code == 1
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in result.output


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
