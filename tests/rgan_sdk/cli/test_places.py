"""``run --layout``, ``--names``, ``--group-readable``, and what INPUT may be."""

import csv
import json
import shutil
import signal
import stat
import subprocess
import time

import pydicom
import pytest
from pydicom.uid import RLELossless
from support.damage import DAMAGES
from support.models import make_series_card, write_model
from support.nifti import scan_hu, write_nifti
from support.runs import PROGRAM, contents, harmonize, read_report, same_date

from rgan_sdk.dicom.header import pseudonym
from rgan_sdk.dicom.synthetic.sample import write_sample_series

PATIENTS = 3


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "m.onnx", make_series_card())


@pytest.fixture
def source(tmp_path):
    """Return a folder of three patients with a series each."""
    for number in range(PATIENTS):
        folder = tmp_path / "in" / f"patient {number}"
        for path in write_sample_series(folder, "B40f", slices=3, size=32, seed=number):
            dataset = pydicom.dcmread(path)
            dataset.PatientID = f"CANARY{number}"
            dataset.save_as(path)
    return tmp_path / "in"


@pytest.fixture
def run(tmp_path, model, source):
    def run(out, *options, source=source):
        report = tmp_path / "report.json"
        report.unlink(missing_ok=True)
        command = ("run", source, tmp_path / out, "--model", model, "--report", report)
        result = harmonize(*command, "--engine", "onnxruntime", *options)
        return result, read_report(report) if report.exists() else None

    return run


def tree(out):
    """Return all that a run shows in OUTPUT, by path."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and ".rgan" not in path.parts
    }


def rows(out):
    with (out / "mapping.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("layout", ["study", "patient"])
def test_a_layout_moves_folders_and_changes_no_byte(run, tmp_path, layout):
    plain, _ = run("plain")
    assert plain.exit_code == 0, plain.output
    result, report = run("out", "--layout", layout)
    assert result.exit_code == 0, result.output
    found = tree(tmp_path / "out")
    assert "CANARY" not in " ".join(found) + found.pop("mapping.csv").decode()
    for path in found:
        *above, series, name = path.split("/")
        dataset = pydicom.dcmread(tmp_path / "out" / path)
        names = pseudonym(dataset.PatientID), pseudonym(dataset.StudyInstanceUID)
        assert tuple(above) == names[-1 if layout == "study" else -2 :]
        assert series == dataset.SeriesInstanceUID
        assert found[path] == (tmp_path / "plain" / series / name).read_bytes()
    assert len(found) == 3 * PATIENTS
    assert {row["processed"] for row in rows(tmp_path / "out")} == {"true"}
    assert {row["output_folder"] for row in rows(tmp_path / "out")} == {
        path.rpartition("/")[0] for path in found
    }
    assert {entry["output"] for entry in report["series"]} == {
        row["output_folder"] for row in rows(tmp_path / "out")
    }
    assert {row["output_series"] for row in rows(tmp_path / "out")} == {
        row["output_folder"].rpartition("/")[2] for row in rows(tmp_path / "out")
    }


def test_sorted_names_follow_the_position_and_change_no_byte(run, tmp_path):
    run("plain")
    result, _ = run("out", "--names", "sorted")
    assert result.exit_code == 0, result.output
    by_folder = {}
    for path, content in contents(tmp_path / "out").items():
        folder, _, name = path.partition("/")
        position = pydicom.dcmread(tmp_path / "out" / path).ImagePositionPatient[2]
        by_folder.setdefault(folder, []).append((name, position))
        uid = pydicom.dcmread(tmp_path / "out" / path).SOPInstanceUID
        assert content == (tmp_path / "plain" / folder / f"{uid}.dcm").read_bytes()
    for files in by_folder.values():
        assert [name for name, _ in sorted(files)] == ["0001.dcm", "0002.dcm", "0003.dcm"]
        assert [z for _, z in sorted(files)] == sorted(z for _, z in files)
    assert len(by_folder) == PATIENTS
    again, report = run("out", "--names", "sorted", "--verify-outputs")
    assert again.exit_code == 0
    assert {entry["reason"] for entry in report["series"]} == {""}


def test_slices_that_pydicom_writes_have_sorted_names_too(run, source, tmp_path):
    for path in source.rglob("*"):
        if path.is_file():
            dataset = pydicom.dcmread(path)
            dataset.compress(RLELossless)
            dataset.save_as(path)
    result, _ = run("out", "--names", "sorted")
    assert result.exit_code == 0, result.output
    names = {path.rpartition("/")[2] for path in contents(tmp_path / "out")}
    assert names == {"0001.dcm", "0002.dcm", "0003.dcm"}


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        ((), ("--layout", "patient"), "another layout"),
        (("--layout", "study"), ("--layout", "patient"), "another layout"),
        (("--layout", "study"), (), "layout was study"),
        ((), ("--names", "sorted"), "another names"),
        (("--names", "sorted"), (), "names was sorted"),
        (("--layout", "patient"), ("--names", "sorted"), "another layout, names"),
    ],
)
def test_a_resume_with_another_layout_is_refused(run, tmp_path, first, then, message):
    assert run("out", *first)[0].exit_code == 0
    before = tree(tmp_path / "out")
    for options in (then, (*then, "--dry-run")):
        refused, _ = run("out", *options)
        assert refused.exit_code == 1
        text = " ".join(refused.output.split())
        assert message in text
        assert "run with what they were made with, or choose another OUTPUT" in text
    assert tree(tmp_path / "out") == before
    assert run("out", *first)[0].exit_code == 0


def test_the_journal_of_a_plain_run_says_nothing_of_layouts(run, tmp_path):
    """So that versions that knew none can be continued."""
    run("out")
    head = json.loads((tmp_path / "out" / ".rgan" / "journal.jsonl").open().readline())
    assert not {"layout", "names", "group_readable"} & set(head["options"])


def test_a_killed_run_by_patient_goes_on(run, model, source, tmp_path):
    options = ("--layout", "patient", "--names", "sorted", "--engine", "onnxruntime")
    whole, _ = run("whole", *options)
    assert whole.exit_code == 0, whole.output
    out = tmp_path / "out"
    journal = out / ".rgan" / "journal.jsonl"
    command = [PROGRAM, "run", source, out, "--model", model, "--batch-size", "1", *options]
    process = subprocess.Popen(
        list(map(str, command)),
        env=same_date(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not (journal.exists() and b"\n{" in journal.read_bytes()):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wanted = tree(tmp_path / "whole")
    seen = tree(out)
    assert all(wanted[path] == content for path, content in seen.items())
    folders = [path.parent for path in out.rglob("0001.dcm") if ".rgan" not in path.parts]
    assert all(len(list(folder.iterdir())) == 3 for folder in folders)
    resumed, report = run("out", *options)
    assert resumed.exit_code == 0, resumed.output
    assert report["summary"]["series"]["done"] == PATIENTS
    assert tree(out) == wanted  # mapping.csv among it


def test_an_interrupted_run_leaves_a_mapping_that_the_next_one_completes(
    run, tmp_path, monkeypatch
):
    run("whole")
    finish = "rgan_sdk.cli.progress.RunProgress.on_finished"

    def interrupt(self, entry):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(finish, interrupt)
        assert run("out", "--batch-size", "1")[0].exit_code == 130
    wanted, found = rows(tmp_path / "whole"), rows(tmp_path / "out")
    assert [row["source_folder"] for row in found] == [row["source_folder"] for row in wanted]
    assert sorted(row["outcome"] for row in found) == ["done", "unfinished", "unfinished"]
    assert next(row for row in found if row["outcome"] == "done") in wanted
    assert all(not row["output_series"] for row in found if row["outcome"] == "unfinished")
    assert run("out")[0].exit_code == 0
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


@pytest.mark.parametrize("damage", ["missing", "removed"])
def test_a_damaged_series_by_patient_is_done_again(run, tmp_path, damage):
    run("out", "--layout", "patient")
    before = tree(tmp_path / "out")
    folder = tmp_path / "out" / rows(tmp_path / "out")[1]["output_folder"]
    DAMAGES[damage](folder)
    result, report = run("out", "--layout", "patient")
    assert result.exit_code == 0, result.output
    assert tree(tmp_path / "out") == before
    assert sum("done again" in entry["reason"] for entry in report["series"]) == 1


@pytest.mark.parametrize("finished", [False, True])
def test_a_link_in_place_of_a_patient_is_not_followed(run, tmp_path, finished):
    run("whole", "--layout", "patient")
    row = rows(tmp_path / "whole")[1]
    patient = tmp_path / "out" / row["output_folder"].partition("/")[0]
    elsewhere = tmp_path / "elsewhere"
    if finished:
        run("out", "--layout", "patient")
        shutil.rmtree(patient)
    elsewhere.mkdir()
    (tmp_path / "out" / ".rgan").mkdir(parents=True, exist_ok=True)
    if not finished:  # what was killed before its first series
        (tmp_path / "out" / ".rgan" / "journal.jsonl").touch()
    patient.symlink_to(elsewhere)
    result, report = run("out", "--layout", "patient")
    assert result.exit_code == 3, result.output
    assert list(elsewhere.iterdir()) == []
    failed = [entry for entry in report["series"] if entry["status"] == "failed"]
    assert [entry["reason"] for entry in failed] == [
        f"{patient.name} in OUTPUT is a symbolic link; remove it, or choose another OUTPUT"
    ]
    assert [row["outcome"] for row in rows(tmp_path / "out")] == ["done", "failed", "done"]


def test_a_series_whose_patient_was_renamed_is_not_made_twice(run, source, tmp_path):
    run("out", "--layout", "patient")
    before = tree(tmp_path / "out")
    for path in (source / "patient 1").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.PatientID = "CANARY9"
        dataset.save_as(path)
    result, report = run("out", "--layout", "patient")
    assert result.exit_code == 3
    (failed,) = [entry for entry in report["series"] if entry["status"] == "failed"]
    assert "its patient or study is another now; choose another OUTPUT" in failed["reason"]
    del before["mapping.csv"]
    assert tree(tmp_path / "out").items() >= before.items()
    assert len(tree(tmp_path / "out")) == len(before) + 1


def test_uids_that_would_lead_out_of_output_stay_in_it(run, source, tmp_path):
    """They are refused, or become parts of no path."""
    for path in (source / "patient 1").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.PatientID = "../../../escaped"
        dataset.save_as(path)
    for path in (source / "patient 2").iterdir():
        content = path.read_bytes()
        uid = pydicom.dcmread(path).StudyInstanceUID.encode()
        path.write_bytes(content.replace(uid, b"../../../escaped".ljust(len(uid), b"/")))
    result, report = run("out", "--layout", "patient")
    assert result.exit_code == 3
    assert report["summary"]["series"] == {"done": 2, "skipped": 0, "failed": 1}
    assert not list(tmp_path.rglob("*escaped*"))
    above = {row["output_folder"].partition("/")[0] for row in rows(tmp_path / "out")} - {""}
    assert above == {pseudonym("CANARY0"), pseudonym("../../../escaped")}


def test_input_may_be_the_folder_of_one_series(run, source, tmp_path):
    run("whole")
    result, report = run("out", source=source / "patient 1")
    assert result.exit_code == 0, result.output
    (row,) = rows(tmp_path / "out")
    assert row["source_folder"] == "."
    assert contents(tmp_path / "out").items() <= contents(tmp_path / "whole").items()
    assert len(report["files"]) == 3


def test_input_may_be_one_file(run, source, tmp_path):
    run("whole")
    file = min((source / "patient 1").iterdir())
    result, report = run("out", source=file)
    assert result.exit_code == 0, result.output
    assert [entry["path"] for entry in report["files"]] == [file.name]
    ((path, content),) = contents(tmp_path / "out").items()
    assert content == contents(tmp_path / "whole")[path]
    assert run("out", source=file)[1]["series"] == report["series"]
    other = max((source / "patient 1").iterdir())
    refused, again = run("out", source=other)
    assert refused.exit_code == 3
    assert "are not those that" in again["series"][0]["reason"]


def test_output_may_lie_beside_the_one_file(model, source, tmp_path, monkeypatch):
    monkeypatch.chdir(source / "patient 0")
    file = min((source / "patient 0").iterdir()).name
    command = ("run", file, "out", "--model", model, "--engine", "identity")
    assert harmonize(*command, "--report", "report.json").exit_code == 0
    refused = harmonize(
        "run", f"out/{rows(tmp_path / 'in/patient 0/out')[0]['output_folder']}", "out"
    )
    assert refused.exit_code != 0


def test_what_is_no_dicom_file_is_skipped_and_a_link_is_not_followed(run, source, tmp_path):
    (tmp_path / "notes.txt").write_text("no DICOM")
    (tmp_path / "link.dcm").symlink_to(min((source / "patient 0").iterdir()))
    for name, reason in (("notes.txt", "not DICOM"), ("link.dcm", "symbolic link, not followed")):
        result, report = run("out", source=tmp_path / name)
        assert result.exit_code == 4
        assert [file["reason"] for file in report["files"]] == [reason]


def modes(out):
    return {
        stat.S_IMODE(path.lstat().st_mode)
        for path in (out, *out.rglob("*"))
        if ".rgan" not in path.parts
    }


def test_outputs_are_for_their_owner_unless_the_group_may_read(run, tmp_path):
    options = ("--layout", "patient", "--preview")
    run("out", *options)
    assert modes(tmp_path / "out") == {0o700, 0o600}
    before = tree(tmp_path / "out")
    result, _ = run("out", *options, "--group-readable")  # also what is finished already
    assert result.exit_code == 0, result.output
    assert modes(tmp_path / "out") == {0o750, 0o640}
    assert stat.S_IMODE((tmp_path / "out" / ".rgan").stat().st_mode) == 0o700
    assert tree(tmp_path / "out") == before
    run("shared", *options, "--group-readable")
    assert modes(tmp_path / "shared") == {0o750, 0o640}
    assert run("shared", *options)[0].exit_code == 0
    assert tree(tmp_path / "shared") == before


def test_nifti_outputs_can_be_read_by_the_group_too(run, tmp_path):
    (tmp_path / "scans" / "a").mkdir(parents=True)
    scan = write_nifti(
        tmp_path / "scans" / "a" / "scan.nii", scan_hu(), sidecar={"ConvolutionKernel": "B40f"}
    )
    run("out", "--preview", "--group-readable", source=tmp_path / "scans")
    assert modes(tmp_path / "out") == {0o750, 0o640}
    before = stat.S_IMODE(tmp_path.stat().st_mode)
    for name, options, mode in (("b", (), 0o600), ("c", ("--group-readable",), 0o640)):
        new = tmp_path / f"{name}.nii"
        assert run(new, *options, source=scan)[0].exit_code == 0
        for path in (new, tmp_path / f"{name}.json"):
            assert stat.S_IMODE(path.stat().st_mode) == mode
    assert stat.S_IMODE(tmp_path.stat().st_mode) == before
