"""``rgan-harmonize scan``: what it shows in 80 columns."""

import json
import re

import numpy as np
import pytest
from support.dicom_phantoms import CANARY, uid, write_series
from support.models import make_series_card, write_model
from support.runs import harmonize

SMALL = np.zeros((16, 16), np.uint16)


def write(root, number, slices=20, scan=None, **attributes):
    """Write a series of its own patient, or of a scan with others."""
    scan = number if scan is None else scan
    of_scan = {
        "PatientID": f"{scan}",
        "StudyInstanceUID": uid(9, scan),
        "FrameOfReferenceUID": uid(8, scan),
        "PixelSpacing": [0.7, 0.7],
        "Manufacturer": "SIEMENS",
    }
    write_series(root / str(number), slices, series=number, stored=SMALL, **of_scan | attributes)


@pytest.fixture
def source(tmp_path):
    """Return a folder with a pair that packaged models take, a series of GE, and junk."""
    root = tmp_path / "in"
    write(root, 1, SliceThickness=8)
    write(root, 2, scan=1, SliceThickness=8, ConvolutionKernel="B70f")
    write(root, 3, ConvolutionKernel="STANDARD", Manufacturer="GE MEDICAL SYSTEMS")
    write(root, 4, slices=1, ConvolutionKernel="YA", Manufacturer="Philips")
    (root / "notes.txt").write_text("no DICOM")
    return root


def plain(result) -> str:
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_a_list_and_a_report_are_written_though_nobody_reads_the_table(
    source, tmp_path, monkeypatch
):
    def closed(*_):
        raise BrokenPipeError

    monkeypatch.setattr("rgan_sdk.cli.advice.print_scan", closed)
    report, listed = tmp_path / "scan.json", tmp_path / "list.csv"
    harmonize("scan", source, "--model", "b40f-to-b70f", "--report", report, "--list", listed)
    assert json.loads(report.read_text())["series"]
    assert listed.exists()


def test_a_mixed_folder_says_what_can_be_done_with_it(source, tmp_path):
    report = tmp_path / "scan.json"
    result = harmonize("scan", source, "--report", report)
    shown = plain(result)
    assert "# manufacturer kernel pixel mm slice mm series slices" in shown
    assert "1 GE MEDICAL SYSTEMS STANDARD 0.7 2 1 20" in shown
    assert "# folder description slices patient 1 3 Chest 20" in shown
    assert "- b40f-to-b70f, to B70f: takes group 3 groups 1, 2, 4: another kernel" in shown
    assert f"both B40f (SIEMENS) and B70f (SIEMENS): rgan-train pair {source} -o pairs" in shown
    assert "Of B40f (SIEMENS), B70f (SIEMENS) and STANDARD (GE MEDICAL SYSTEMS), names" in shown
    assert "made from show, B40f (SIEMENS) is not sharper than B70f (SIEMENS)." in shown
    assert f"rgan-harmonize scan {source} --kernels" in shown
    assert f"rgan-train match --source {source}/3 --target {source}/1 -o" in shown
    assert "--outside-domain" not in shown
    assert CANARY not in shown
    advice = json.loads(report.read_text())["advice"]
    assert [len(group["series"]) for group in advice["groups"]] == [1, 1, 1, 1]
    assert advice["target"] is None


def test_a_common_kernel_is_recommended_with_what_it_costs(source):
    for number in (3, 4):
        for path in (source / str(number)).iterdir():
            path.unlink()
    shown = plain(harmonize("scan", source))
    assert "Recommended target: B40f (SIEMENS), the kernel of 1 of 2 series" in shown
    assert "slices of 8 mm, noise not measured" in shown
    assert "What is lost: the detail and the noise that sharper kernels have" in shown
    assert "sharp to soft reached 54 dB and soft to sharp 47 dB" in shown
    assert "- B70f (SIEMENS), 1 series of slices of 8 mm, noise not measured: b70f-to-b40f" in shown


def test_nothing_but_commands_and_reasons_is_wider_than_80_columns(source):
    write(source / ("long" * 20), 5, ConvolutionKernel="B30f", Manufacturer="Manufacturer " * 4)
    lines = harmonize("scan", source).output.splitlines()
    wide = [line for line in lines if len(line) > 80]
    assert wide
    assert all(re.match(r"  rgan-(train|harmonize) ", line) for line in wide)


def test_of_several_models_each_series_has_one(source, tmp_path):
    cards = {"m": ("B40f",), "n": ("B40f", "B70f")}
    models = [
        write_model(tmp_path / f"{name}.onnx", make_series_card(name=name, source_kernels=kernels))
        for name, kernels in cards.items()
    ]
    options = [part for model in models for part in ("--model", model)]
    report = tmp_path / "scan.json"
    shown = plain(harmonize("scan", source, *options, "--report", report))
    found = {one["convolution_kernel"]: one for one in json.loads(report.read_text())["series"]}
    assert {kernel: one["status"] for kernel, one in found.items()} == {
        "B40f": "failed",
        "B70f": "planned",
        "STANDARD": "skipped",
        "YA": "skipped",
    }
    assert found["B40f"]["reason"] == (
        f"ambiguous: several models take it, {models[0]}, {models[1]}; leave one out, or name one "
        "in a work list"
    )
    assert [found[kernel]["model"] for kernel in ("B40f", "B70f")] == [None, "n"]
    assert found["YA"]["reason"].startswith(f"no model takes it. {models[0]}: Conv")
    assert f"- {models[1]}, to B70f: takes groups 3, 4" in shown
    assert "- b70f-to-b40f, to B40f: takes group" in shown


def test_reasons_stand_with_the_folders_of_their_series(source):
    shown = plain(harmonize("scan", source, "--model", "b40f-to-b70f"))
    assert "2: skipped: ConvolutionKernel (0018,1210) is B70f, the target kernel already" in shown
    assert "1 file skipped: not DICOM" in shown
    assert "b70f-to-b40f, to B40f: takes group 4" in shown


def test_reconstruction_and_kind_are_shown(tmp_path):
    source, report = tmp_path / "in", tmp_path / "report.json"
    write_series(
        source / "a",
        2,
        ConvolutionKernel=["Br40d", "3"],
        ReconstructionAlgorithm="ITERATIVE",
    )
    shown = plain(harmonize("scan", source))
    assert "kernel recon. pixel mm" in shown
    assert "Br40d\\3 ITERATIVE 0.7 2 1 2" in shown
    write_series(source / "b", 2, series=2, ImageType=["DERIVED", "SECONDARY", "CT_SOM5 MIP"])
    assert "b: ImageType says MIP" in plain(harmonize("scan", source, "--report", report))
    first, second = json.loads(report.read_text())["series"]
    assert (first["convolution_kernel"], first["reconstruction"]) == ("Br40d\\3", "ITERATIVE")
    assert first["notes"] == []
    assert second["reconstruction"] is None
    assert "no plain axial reconstruction" in second["notes"][0]


def test_there_is_no_column_for_what_no_series_states(tmp_path):
    write_series(tmp_path, 1)
    shown = harmonize("scan", tmp_path).output
    assert "recon." not in shown
    assert "lp/cm" not in shown


def test_a_series_that_failed_is_named_by_its_folder(source):
    path = next((source / "1").iterdir())
    path.write_bytes(path.read_bytes()[:-20])
    shown = plain(harmonize("scan", source))
    assert f"1: failed: 1/{path.name}: truncated: PixelData" in shown
    assert "its series failed" not in shown


def test_a_folder_without_series_has_no_advice(tmp_path):
    (tmp_path / "notes.txt").write_text("no DICOM")
    lines = harmonize("scan", tmp_path).output.splitlines()
    assert lines[0] == "1 file skipped: not DICOM"
    assert [line.partition(":")[0] for line in lines[1:]] == ["series", "files"]


def test_what_a_header_says_is_no_markup_and_no_control_sequence(tmp_path):
    write(tmp_path, 1, SeriesDescription="[red]x\x1b[31m", Manufacturer="[bold]Works")
    shown = harmonize("scan", tmp_path).output
    assert "[red]x" in shown
    assert "[bold]Works" in shown
    assert "\x1b" not in shown
