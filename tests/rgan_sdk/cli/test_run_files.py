"""No report takes the place of what a run, or a scan, reads or writes."""

import pytest
from support.models import make_series_card, write_model
from support.nifti import scan_hu, write_nifti
from support.runs import harmonize

from rgan_sdk.dicom.synthetic.sample import write_sample_series

DICOM = ("run", "in", "out", "--model", "m.onnx")
ONE_FILE = ("run", "in/slice-001.dcm", "other", "--model", "m.onnx")
LISTED = ("run", "--from", "list.csv", "other", "--model", "m.onnx")
SCAN = ("run", "scan.nii.gz", "new.nii.gz", "--model", "m.onnx", "--kernel", "B40f")
SCANS = ("run", "scans", "other", "--model", "m.onnx", "--kernel", "B40f")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "m.onnx", make_series_card())
    write_sample_series(tmp_path / "in", "B40f", slices=2, size=64)
    assert harmonize(*DICOM).exit_code == 0
    assert harmonize("scan", "in", "--model", "m.onnx", "--list", "list.csv").exit_code == 0
    (tmp_path / "link.csv").symlink_to("list.csv")
    (tmp_path / "scans" / "a").mkdir(parents=True)
    for name in ("scan.nii.gz", "scans/a/b.nii"):
        write_nifti(tmp_path / name, scan_hu(), sidecar={"Modality": "CT"})
    return tmp_path


def contents(folder):
    """Return what each file holds, and where each link leads."""
    return {
        path: path.readlink() if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if not path.is_dir()
    }


@pytest.mark.parametrize(
    ("command", "report"),
    [
        (DICOM, "m.onnx"),
        (DICOM, "out/mapping.csv"),
        (DICOM, "out/.rgan/journal.jsonl"),
        (DICOM, "out/.rgan/new.json"),
        ((*DICOM, "--dry-run"), "out/mapping.csv"),
        (ONE_FILE, "in/slice-001.dcm"),
        (LISTED, "list.csv"),
        (("run", "--from", "link.csv", "other"), "list.csv"),
        (("run", "--from", "link.csv", "other"), "link.csv"),
        (SCAN, "scan.nii.gz"),
        (SCAN, "scan.json"),
        (SCAN, "new.nii.gz"),
        (SCAN, "new.json"),
        (SCANS, "other/mapping.csv"),
        (("scan", "in", "--model", "m.onnx"), "m.onnx"),
        (("scan", "in", "--list", "new.csv"), "new.csv"),
    ],
)
def test_a_report_takes_no_place_that_is_needed(folder, command, report):
    before = contents(folder)
    result = harmonize(*command, "--report", report)
    assert result.exit_code == 2
    assert f"the report cannot be {report}: " in " ".join(result.stderr.split())
    assert contents(folder) == before


def test_a_report_is_none_of_the_scans_that_a_folder_gets(folder):
    assert harmonize(*SCANS).exit_code == 0
    for name in ("b.nii", "b.json"):
        result = harmonize(*SCANS, "--report", f"other/a/{name}")
        assert result.exit_code == 2, result.output


def test_a_link_in_input_is_not_replaced(folder):
    (folder / "in" / "report.json").symlink_to(folder / "report.json")
    before = contents(folder)
    result = harmonize(*DICOM, "--report", "in/report.json")
    assert result.exit_code == 2
    assert "would lie inside INPUT" in result.stderr
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("command", "report"),
    [(ONE_FILE, "in/report.json"), (SCAN, "report.json"), (DICOM, "out/report.json")],
)
def test_beside_what_is_needed_there_is_room(folder, command, report):
    assert harmonize(*command, "--report", report).exit_code == 0
    assert (folder / report).exists()
