"""``scan`` and ``run`` with a model whose card has curves; ``scan --kernels``."""

from dataclasses import replace

import pytest
from support.kernels import chests, exponential, write_chests
from support.models import make_series_card, write_model
from support.runs import harmonize, new_series, read_report

from rgan_sdk.card import Range
from rgan_sdk.kernels import CardCurves, measure_kernel
from rgan_sdk.model import HarmonizationModel


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a model, and series of which the second has another kernel."""
    root = tmp_path_factory.mktemp("guard")
    spectra = measure_kernel(chests(exponential(3, 2.2), 0.7, 4, seed=1), (0.7, 0.7))
    card = make_series_card(source_kernels=("B40f",), curves=CardCurves.of(spectra, spectra))
    write_model(root / "model.onnx", card)
    for number, f50 in ((1, 3), (2, 4.5)):
        slices = chests(exponential(f50, 2.2), 0.7, 4, seed=1 + number)
        (root / "in" / str(number)).mkdir(parents=True)
        write_chests(root / "in" / str(number), number, "B40f", slices)
    return root


def entries(folder, tmp_path, command, *options):
    report = tmp_path / "report.json"
    arguments = [command, folder / "in"]
    if command == "run":
        arguments.append(tmp_path / "out")
    harmonized = harmonize(*arguments, *options, "--report", report)
    found = read_report(report)["series"]
    return harmonized, sorted(found, key=lambda entry: entry["series_instance_uid"])


COMMANDS = [("scan",), ("run", "--dry-run"), ("run",)]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_suspect_kernel_is_a_note(folder, tmp_path, command):
    options = "--model", folder / "model.onnx"
    result, (right, wrong) = entries(folder, tmp_path, *command, *options)
    assert result.exit_code == 0, result.output
    assert right["status"] == wrong["status"]
    assert right["notes"] == []
    assert [note[:14] for note in wrong["notes"]] == ["suspect kernel"]


@pytest.mark.parametrize("command", COMMANDS)
def test_strict_kernel_leaves_it_aside(folder, tmp_path, command):
    options = "--model", folder / "model.onnx", "--strict-kernel"
    result, (right, wrong) = entries(folder, tmp_path, *command, *options)
    assert result.exit_code == 0, result.output
    assert right["status"] in ("done", "planned")
    assert (wrong["status"], wrong["reason"][:14]) == ("skipped", "suspect kernel")
    if command == ("run",):
        assert [path.name for path in new_series(tmp_path / "out")] == [right["output"]]
        _, (same, skipped) = entries(folder, tmp_path, *command, *options)
        assert (same["status"], skipped["status"]) == ("done", "skipped")
        other, _ = entries(folder, tmp_path, *command, *options[:2])
        assert other.exit_code == 1
        assert "strict_kernel" in other.output


def test_a_continued_run_tells_what_the_first_one_found(folder, tmp_path):
    card = HarmonizationModel.open(folder / "model.onnx").card
    model = write_model(tmp_path / "m.onnx", replace(card, noise_hu=Range(100, 200)))
    first, again = (entries(folder, tmp_path, "run", "--model", model)[1] for _ in range(2))
    assert [note[:8] for note in first[1]["notes"]] == ["noise is", "suspect "]
    assert again == first


def test_scan_sets_measured_kernels_beside_the_names(folder, tmp_path):
    result, found = entries(folder, tmp_path, "scan", "--kernels")
    assert result.exit_code == 0, result.output
    assert [entry["mtf"]["f50"] for entry in found] == pytest.approx([3, 4.5], rel=0.2)
    assert "lp/cm" in result.output


def test_strict_kernel_needs_a_model(folder):
    result = harmonize("scan", folder / "in", "--strict-kernel")
    assert result.exit_code == 2
    assert "--strict-kernel needs one --model" in result.output
