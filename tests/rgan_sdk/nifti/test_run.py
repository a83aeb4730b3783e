"""``rgan-harmonize run`` on NIfTI files: one, and folders of them."""

import gzip
import json
import locale
import shutil

import nibabel
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from support.kernels import chests, exponential
from support.models import make_model, make_series_card, write_model
from support.nifti import AFFINE, convert, scan_hu, slices_of, write_nifti
from support.runs import harmonize, new_series, read_report

from rgan_sdk.card import Range, SpacingRange
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.kernel_guard import Verdict
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_sdk.kernels import CardCurves, measure_kernel
from rgan_sdk.nifti import job
from rgan_sdk.nifti import scan as scans
from rgan_sdk.nifti.lock import lock_file
from rgan_sdk.run import ledger

SIDECAR = {
    "Modality": "CT",
    "ConvolutionKernel": "B40f",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "SeriesDescription": "chest",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "m.onnx", make_series_card())


@pytest.fixture
def scan(tmp_path):
    return write_nifti(tmp_path / "scan.nii.gz", scan_hu(), sidecar=SIDECAR)


@pytest.fixture
def run(tmp_path, model):
    """Return a function that runs: result, report."""

    def run(source, out, *options, model=model):
        report = tmp_path / "report.json"
        options = ("--model", model, "--engine", "onnxruntime", "--report", report, *options)
        result = harmonize("run", source, out, *options)
        return result, read_report(report) if report.exists() else None

    return run


def write_lopsided_model(path):
    """Write a model that treats a mirrored image otherwise than the image."""
    model = make_model(make_series_card())
    weights = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3) / 36
    for tensor in model.graph.initializer:
        if tensor.name == "plain":
            tensor.CopyFrom(numpy_helper.from_array(weights, "plain"))
    onnx.save(model, path)
    return path


def test_a_series_and_its_nifti_file_give_the_same_hu(run, tmp_path):
    model = write_lopsided_model(tmp_path / "lopsided.onnx")
    write_sample_series(tmp_path / "in", "B40f", slices=3, size=64)
    path = convert(tmp_path / "in", tmp_path / "nifti")
    result, report = run(path, tmp_path / "out.nii.gz", model=model)
    assert result.exit_code == 0, result.output
    _, dicom_report = run(tmp_path / "in", tmp_path / "out", model=model)
    (folder,) = new_series(tmp_path / "out")
    (series,) = find_series(folder, include_own=True).series
    dicom = np.stack([read_slice(file.path, file.stamp).hu for file in series.slices])
    np.testing.assert_array_equal(slices_of(tmp_path / "out.nii.gz"), dicom)
    (mine,), (theirs,) = report["series"], dicom_report["series"]
    for name in ("convolution_kernel", "slices", "clips", "pixel_spacing", "status"):
        assert mine[name] == theirs[name]


def test_a_new_file_has_all_of_the_old_header_and_a_sidecar(run, scan, tmp_path):
    out = tmp_path / "new.nii.gz"
    result, report = run(scan, out, "--preview")
    assert result.exit_code == 0, result.output
    old, new = nibabel.load(scan), nibabel.load(out)
    np.testing.assert_array_equal(old.affine, new.affine)
    before, after = (gzip.decompress(path.read_bytes())[:348] for path in (scan, out))
    assert before[:108] + before[112:] == after[:108] + after[112:]  # all but vox_offset
    assert b"test-blur" in new.header.extensions[0].get_content()
    sidecar = json.loads((tmp_path / "new.json").read_text())
    assert sidecar["ConvolutionKernel"] == "B40f"  # as in DICOM: how it was reconstructed
    assert sidecar["ImageType"] == ["DERIVED", "SECONDARY", "AXIAL"]
    assert sidecar["SeriesDescription"] == "chest RGAN>B70f"
    made = sidecar["Harmonization"]
    assert (made["model"], made["source_kernel"], made["target_kernel"]) == (
        "test-blur",
        "B40f",
        "B70f",
    )
    assert [file["path"] for file in report["files"]] == ["scan.json", "scan.nii.gz"]
    assert report["series"][0]["output"] == "new.nii.gz"
    assert (tmp_path / "new.png").is_file()
    assert f"preview: {tmp_path / 'new.png'}" in result.output


@pytest.fixture
def ascii_locale():
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C")
    yield
    locale.setlocale(locale.LC_CTYPE, before)


@pytest.mark.parametrize("text", ["Schädel", "half a pair: \ud800"])
@pytest.mark.usefixtures("ascii_locale")
def test_a_sidecar_is_utf8_and_holds_every_text(run, tmp_path, text):
    sidecar = {**SIDECAR, "SeriesDescription": text}
    path = write_nifti(tmp_path / "a.nii", scan_hu(), sidecar=sidecar)
    result, _ = run(path, tmp_path / "new.nii")
    assert result.exit_code == 0, result.output
    new = json.loads((tmp_path / "new.json").read_bytes())
    assert new["SeriesDescription"] == f"{text} RGAN>B70f"


def test_the_same_bytes_every_time(run, scan, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run(scan, tmp_path / name / "out.nii.gz")
    for name in ("out.nii.gz", "out.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_harmonized_file_is_not_harmonized_again(run, scan, tmp_path):
    run(scan, tmp_path / "new.nii")
    for options in ((), ("--outside-domain", "kernel")):
        result, _ = run(tmp_path / "new.nii", tmp_path / "again.nii", *options)
        assert result.exit_code == 4
        assert "already harmonized" in result.output
    (tmp_path / "new.json").unlink()  # the header says so, too
    result, _ = run(tmp_path / "new.nii", tmp_path / "again.nii", "--kernel", "B40f")
    assert "already harmonized" in result.output
    assert not (tmp_path / "again.nii").exists()


@pytest.mark.parametrize("engine", ["onnxruntime", "identity"])
def test_a_converted_series_of_ours_is_known(run, tmp_path, engine):
    write_sample_series(tmp_path / "in", "B40f", slices=3, size=32)
    run(tmp_path / "in", tmp_path / "out", "--engine", engine)
    (folder,) = new_series(tmp_path / "out")
    result, _ = run(convert(folder, tmp_path / "nifti"), tmp_path / "again.nii")
    assert result.exit_code == (0 if engine == "identity" else 4), result.output
    assert ("already harmonized" in result.output) == (engine != "identity")


def test_the_identity_engine_makes_a_copy_that_can_be_harmonized(run, scan, tmp_path):
    run(scan, tmp_path / "copy.nii", "--engine", "identity")
    np.testing.assert_array_equal(slices_of(tmp_path / "copy.nii"), slices_of(scan))
    assert run(tmp_path / "copy.nii", tmp_path / "o.nii")[0].exit_code == 0


def test_the_kernel_must_be_known_and_the_models(run, tmp_path):
    path = write_nifti(tmp_path / "a.nii", scan_hu())
    result, report = run(path, tmp_path / "o.nii")
    assert result.exit_code == 4
    assert report["series"][0]["reason"] == (
        "no ConvolutionKernel; the model takes B40f (or use --outside-domain kernel); "
        "--kernel states it"
    )
    assert run(path, tmp_path / "o.nii", "--kernel", "B30f")[0].exit_code == 4
    assert run(path, tmp_path / "o.nii", "--kernel", "b40F")[0].exit_code == 0


@pytest.mark.parametrize("name", ["scan_Eq_1", "scan_Tilt_1", "scan_Eq"])
def test_what_dcm2niix_resampled_is_left_aside(run, tmp_path, name):
    path = write_nifti(tmp_path / f"{name}.nii", scan_hu(), sidecar=SIDECAR)
    result, report = run(path, tmp_path / "o.nii")
    assert result.exit_code == 4
    assert "take the file beside it" in report["series"][0]["reason"]


def test_pixels_that_are_not_square_are_refused_by_name(run, tmp_path):
    affine = np.diag([-0.7, 0.75, 5.0, 1.0])
    path = write_nifti(tmp_path / "a.nii", scan_hu(), affine=affine, sidecar=SIDECAR)
    result, report = run(path, tmp_path / "o.nii")
    assert result.exit_code == 4
    assert report["series"][0]["reason"].startswith(
        "PixelSpacing is 0.75 and 0.7 mm: pixels are not square"
    )


def test_spacing_and_manufacturer_are_compared(run, tmp_path):
    card = make_series_card(manufacturers=("SIEMENS",), pixel_spacing=SpacingRange(0.8, 0.9, 0.85))
    model = write_model(tmp_path / "m.onnx", card)
    path = write_nifti(tmp_path / "a.nii", scan_hu(), sidecar={**SIDECAR, "Manufacturer": "GE"})
    _, report = run(path, tmp_path / "o.nii", model=model)
    (entry,) = report["series"]
    assert "Manufacturer is GE; the model takes SIEMENS" in entry["reason"]
    assert "PixelSpacing is 0.7 mm; the model takes 0.8 to 0.9" in entry["reason"]
    accepted = ("--outside-domain", "spacing,manufacturer")
    _, report = run(path, tmp_path / "o.nii", *accepted, model=model)
    assert report["series"][0]["outside"] == ["manufacturer", "spacing"]
    made = json.loads((tmp_path / "o.json").read_text())["Harmonization"]
    assert made["outside"] == ["manufacturer", "spacing"]


def test_a_kernel_that_the_images_do_not_show_is_suspect(run, tmp_path):
    spectra = measure_kernel(chests(exponential(3, 2.2), 0.7, 4, seed=1), (0.7, 0.7))
    card = make_series_card(curves=CardCurves.of(spectra, spectra))
    model = write_model(tmp_path / "m.onnx", card)
    hu = np.rint(chests(exponential(4.5, 2.2), 0.7, 4, seed=3))
    path = write_nifti(tmp_path / "a.nii", hu, sidecar=SIDECAR)
    result, report = run(path, tmp_path / "o.nii", "--strict-kernel", "--assume-hu", model=model)
    assert result.exit_code == 4
    assert report["series"][0]["reason"].startswith("suspect kernel: the images are sharper")


def test_a_suspect_kernel_is_a_note_unless_the_user_is_strict(run, scan, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "judge_spectra", lambda *_: Verdict("suspect kernel: x", True))
    assert run(scan, tmp_path / "o.nii", "--strict-kernel")[0].exit_code == 4
    _, report = run(scan, tmp_path / "o.nii")
    assert report["series"][0]["notes"] == [
        "no SliceThickness, or several; the model is made for 1 to 8 mm",
        "suspect kernel: x",
    ]


def test_nothing_that_is_there_is_overwritten(run, scan, tmp_path):
    for name, options in (("a.nii", ()), ("a.json", ()), ("a.png", ("--preview",))):
        there = tmp_path / name
        there.write_text("{}")
        result, _ = run(scan, tmp_path / "a.nii", *options)
        assert result.exit_code == 1
        assert f"{name}: is there already" in result.output.replace("\n", " ")
        assert there.read_text() == "{}"
        there.unlink()
    assert not (tmp_path / "a.nii").exists()


def test_what_appears_during_a_run_is_not_overwritten(run, scan, tmp_path, monkeypatch):
    def harmonize(self, *arguments, **named):
        harmonize_one(self, *arguments, **named)
        (tmp_path / "o.nii").write_text("mine")

    harmonize_one = job.NiftiJob.harmonize
    monkeypatch.setattr(job.NiftiJob, "harmonize", harmonize)
    result, report = run(scan, tmp_path / "o.nii")
    assert result.exit_code == 3
    assert report["series"][0]["reason"].endswith("o.nii: is there already; choose another OUTPUT")
    assert (tmp_path / "o.nii").read_text() == "mine"
    assert not (tmp_path / "o.json").exists()


@pytest.mark.parametrize("other", ["o.nii", "o.NII.gz"])
def test_the_sidecar_of_another_scan_is_not_overwritten(run, scan, tmp_path, other):
    assert run(scan, tmp_path / other)[0].exit_code == 0
    before = (tmp_path / "o.json").read_bytes()
    result, _ = run(tmp_path / other, tmp_path / "o.nii.gz")
    assert result.exit_code == 1
    assert f"{other}: has o.json as its sidecar; choose another OUTPUT" in result.stderr
    assert (tmp_path / "o.json").read_bytes() == before


def test_a_file_that_another_run_writes_is_left_alone(run, scan, tmp_path):
    with lock_file(tmp_path / "o.nii"):
        assert run(scan, tmp_path / "o.nii", "--dry-run")[0].exit_code == 0
        assert run(scan, tmp_path / "o.nii")[0].exit_code == 75
    assert run(scan, tmp_path / "o.nii")[0].exit_code == 0


@pytest.mark.parametrize("step", ["read_stored", "write_scan", "file_sha256"])
def test_a_scan_that_is_replaced_during_the_run_fails(run, scan, tmp_path, monkeypatch, step):
    def replace_first(*arguments, **named):
        write_nifti(tmp_path / "new.nii.gz", scan_hu()[..., ::-1]).replace(scan)
        return do(*arguments, **named)

    do = getattr(job, step)
    monkeypatch.setattr(job, step, replace_first)
    result, report = run(scan, tmp_path / "o.nii")
    assert result.exit_code == 3, result.output
    assert report["series"][0]["reason"] == (
        "changed during the run: it is not the file that was found; run again"
    )
    assert not (tmp_path / "o.nii").exists()


def test_a_sidecar_without_its_scan_is_what_a_stopped_run_leaves(run, scan, tmp_path):
    (tmp_path / "o.json").write_text('{"Harmonization": {"engine": "onnxruntime"}}')
    assert run(scan, tmp_path / "o.nii")[0].exit_code == 0


def test_a_file_that_fails_leaves_nothing(run, tmp_path):
    hu = scan_hu()
    hu[0, 0, 0] = np.nan
    path = write_nifti(tmp_path / "a.nii", hu, "float32", sidecar=SIDECAR)
    before = set(tmp_path.iterdir())
    result, report = run(path, tmp_path / "o.nii")
    assert result.exit_code == 3
    assert "1 of its values are NaN" in report["series"][0]["reason"]
    assert set(tmp_path.iterdir()) == before | {tmp_path / "report.json"}


def test_a_dry_run_says_what_would_be_done(run, scan, tmp_path):
    before = set(tmp_path.iterdir())
    result, report = run(scan, tmp_path / "o.nii", "--dry-run")
    assert result.exit_code == 0
    assert report["series"][0]["status"] == "planned"
    assert set(tmp_path.iterdir()) == before | {tmp_path / "report.json"}


def test_wrong_usage_is_refused(run, scan, folder, tmp_path):
    write_sample_series(tmp_path / "dicom", "B40f", slices=1, size=32)
    (tmp_path / "file").touch()
    for arguments, code, text in (
        ((scan, tmp_path / "out"), 1, "must end in .nii or .nii.gz"),
        ((scan, tmp_path / "no" / "out.nii"), 1, "there is no folder"),
        ((tmp_path / "absent.nii", tmp_path / "out.nii"), 1, "no such file"),
        ((scan, tmp_path / "out.nii", "--workers", 2), 2, "--workers does not apply"),
        ((scan, tmp_path / "out.nii", "--shard", "1/2"), 2, "--shard does not apply"),
        ((scan, tmp_path / "out.nii", "--device", "cpu,cpu"), 2, "on one device"),
        ((tmp_path / "dicom", tmp_path / "out", "--kernel", "B40f"), 2, "is for NIfTI files"),
        ((scan, tmp_path / "out.nii", "--names", "sorted"), 2, "--names does not apply"),
        ((folder, tmp_path / "out", "--layout", "study"), 2, "--layout does not apply"),
        ((folder, tmp_path / "out", "--workers", 2), 2, "--workers does not apply"),
        ((tmp_path / "dicom", tmp_path / "file"), 2, "is a file"),
    ):
        result, _ = run(*arguments)
        assert result.exit_code == code, result.output
        assert text in " ".join(result.output.split())


@pytest.fixture
def folder(tmp_path):
    """Return a folder of three scans and other files."""
    folder = tmp_path / "in"
    (folder / "b").mkdir(parents=True)
    write_nifti(folder / "a.nii.gz", scan_hu(), sidecar=SIDECAR)
    write_nifti(folder / "b" / "c.nii", scan_hu(2), sidecar=SIDECAR)
    write_nifti(folder / "other.nii", scan_hu(2), sidecar={"ConvolutionKernel": "B70f"})
    (folder / "notes.txt").write_text("notes")
    (folder / "broken.nii").write_text("broken")
    return folder


def contents(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and ".rgan" not in path.parts
    }


def test_a_folder_has_one_outcome_for_each_file(run, folder, tmp_path):
    out = tmp_path / "out"
    result, report = run(folder, out, "--preview")
    assert result.exit_code == 3, result.output
    outcomes = {file["path"]: (file["status"], file["reason"]) for file in report["files"]}
    assert {name: status for name, (status, _) in outcomes.items()} == {
        "a.json": "done",
        "a.nii.gz": "done",
        "b/c.json": "done",
        "b/c.nii": "done",
        "broken.nii": "failed",
        "notes.txt": "skipped",
        "other.json": "skipped",
        "other.nii": "skipped",
    }
    assert outcomes["notes.txt"][1] == "not a NIfTI file"
    assert sorted(contents(out)) == [
        "a.json",
        "a.nii.gz",
        "b/c.json",
        "b/c.nii",
        "previews/a.png",
        "previews/b/c.png",
    ]
    (tmp_path / "one").mkdir()
    run(folder / "a.nii.gz", tmp_path / "one" / "a.nii.gz")
    np.testing.assert_array_equal(
        slices_of(out / "a.nii.gz"), slices_of(tmp_path / "one" / "a.nii.gz")
    )


def test_a_file_that_cannot_be_read_does_not_end_the_run(run, folder, tmp_path, monkeypatch):
    def fail(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ledger, "file_sha256", fail)
    monkeypatch.setattr(scans, "_load", lambda path: fail(path))
    result, report = run(folder, tmp_path / "out")
    assert result.exit_code == 3
    assert report["summary"]["series"]["failed"] == 4


def test_a_folder_is_continued_with_the_same_bytes(run, folder, tmp_path):
    out = tmp_path / "out"
    run(folder, out)
    first = contents(out)
    stamp = (out / "a.nii.gz").stat().st_mtime_ns
    (out / "b" / "c.nii").unlink()  # as if the power had failed before its rename
    result, report = run(folder, out)
    assert contents(out) == first
    assert (out / "a.nii.gz").stat().st_mtime_ns == stamp
    assert report["summary"]["series"]["done"] == 2
    result, report = run(folder, out, "--dry-run")
    assert {entry["reason"] for entry in report["series"] if entry["status"] == "planned"} == {
        "finished"
    }
    assert run(folder, out, "--no-resume")[0].exit_code == 1
    result, _ = run(folder, out, "--kernel", "B40f")
    assert result.exit_code == 1
    assert "made with another options" in " ".join(result.output.split())


def test_a_continued_folder_tells_what_the_first_run_found(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "judge_spectra", lambda *_: Verdict("suspect kernel: x", True))
    model = write_model(tmp_path / "m.onnx", make_series_card(noise_hu=Range(100, 200)))
    write_nifti(folder / "a.nii.gz", scan_hu(5, 256), sidecar=SIDECAR)
    first, again = (run(folder, tmp_path / "out", model=model)[1]["series"] for _ in range(2))
    (scan,) = (entry for entry in first if entry["series_instance_uid"] == "a.nii.gz")
    assert {
        "noise is 17.8 HU; the model is made for 100 to 200 HU",
        "suspect kernel: x",
    } <= set(scan["notes"])
    assert scan["noise_hu"] == pytest.approx(17.8, abs=0.05)
    assert again == first


@pytest.mark.parametrize("options", [(), ("--preview",)])
def test_one_scan_at_a_time_has_slices_in_memory(run, folder, tmp_path, monkeypatch, options):
    jobs, held = [], []

    def harmonize(self, *arguments, **named):
        held.extend(one.name for one in jobs if one.middle)
        jobs.append(self)
        harmonize_one(self, *arguments, **named)
        assert bool(self.middle) == bool(options)

    harmonize_one = job.NiftiJob.harmonize
    monkeypatch.setattr(job.NiftiJob, "harmonize", harmonize)
    _, report = run(folder, tmp_path / "out", *options)
    assert report["summary"]["series"]["done"] == len(jobs) == 2
    assert held == []


def test_what_changed_in_a_folder_is_never_overwritten(run, folder, tmp_path):
    out = tmp_path / "out"
    run(folder, out)
    changed = out / "a.nii.gz"
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    (out / "b" / "c.nii").write_bytes(b"cut")
    _, report = run(folder, out, "--verify-outputs")
    reasons = {entry["series_instance_uid"]: entry["reason"] for entry in report["series"]}
    assert reasons["a.nii.gz"].startswith("a.nii.gz in OUTPUT: a.nii.gz has changed")
    assert reasons["b/c.nii"].startswith("b/c.nii in OUTPUT: c.nii is missing, cut or changed")
    assert changed.read_bytes() == content
    write_nifti(folder / "a.nii.gz", scan_hu(4), sidecar=SIDECAR)
    _, report = run(folder, out)
    reasons = {entry["series_instance_uid"]: entry["reason"] for entry in report["series"]}
    assert "is not what a.nii.gz in OUTPUT was made of" in reasons["a.nii.gz"]


def test_what_was_damaged_is_told_with_what_to_remove(run, folder, tmp_path):
    out = tmp_path / "out"
    run(folder, out)
    first = contents(out)
    (out / "a.nii.gz").rename(tmp_path / "moved.nii.gz")
    (out / "a.nii.gz").symlink_to(tmp_path / "moved.nii.gz")
    (out / "b" / "c.json").unlink()
    _, report = run(folder, out)
    reasons = {entry["series_instance_uid"]: entry["reason"] for entry in report["series"]}
    assert reasons["a.nii.gz"] == (
        "a.nii.gz in OUTPUT: a.nii.gz is missing, cut or changed; remove a.nii.gz and a.json there "
        "to make both anew, or choose another OUTPUT"
    )
    assert "; remove c.nii there to make both anew, or " in reasons["b/c.nii"]
    for name in ("a.nii.gz", "a.json", "b/c.nii"):
        (out / name).unlink()
    run(folder, out)
    assert contents(out) == first


@pytest.mark.parametrize("holds_scans", [False, True])
def test_a_link_in_place_of_a_folder_is_not_followed(run, folder, tmp_path, holds_scans):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    run(folder, out)
    (out / "b").rename(elsewhere)
    if not holds_scans:
        shutil.rmtree(elsewhere)
        elsewhere.mkdir()
    before = contents(elsewhere)
    (out / "b").symlink_to(elsewhere)
    _, report = run(folder, out)
    outcomes = {file["path"]: (file["status"], file["reason"]) for file in report["files"]}
    reason = "b in OUTPUT is a symbolic link; remove it, or choose another OUTPUT"
    assert outcomes["b/c.nii"] == ("failed", reason)
    assert contents(elsewhere) == before


def test_pictures_are_not_put_behind_a_link(run, folder, tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    for made in (out / ".rgan", elsewhere):
        made.mkdir(parents=True)
    (out / ".rgan" / "journal.jsonl").touch()
    (out / "previews").symlink_to(elsewhere)
    _, report = run(folder, out, "--preview")
    reason = "previews in OUTPUT is a symbolic link; remove it, or choose another OUTPUT"
    assert f"previews/a.png cannot be made: {reason}" in report["warnings"]
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("spacing", [0.7, 0.65])
def test_scans_that_would_share_a_sidecar_are_told(run, folder, tmp_path, spacing):
    """``spacing`` is that of the second scan: finer ones are harmonized first."""
    affine = AFFINE @ np.diag([spacing / 0.7, spacing / 0.7, 1, 1])
    write_nifti(folder / "a.nii.gz", scan_hu(), sidecar=SIDECAR, affine=affine)
    write_nifti(folder / "a.nii", scan_hu(), sidecar=SIDECAR)
    reason = "a.nii and a.nii.gz would share a.json; rename one of them"
    for options in (["--dry-run"], [], []):
        result, report = run(folder, tmp_path / "out", *options)
        assert result.exit_code == 3
        outcomes = {file["path"]: (file["status"], file["reason"]) for file in report["files"]}
        assert outcomes["a.nii.gz"] == ("failed", reason)
        assert outcomes["a.nii"][0] == outcomes["a.json"][0] == ("planned" if options else "done")
    (folder / "a.nii.gz").rename(folder / "d.nii.gz")
    shutil.copy(folder / "a.json", folder / "d.json")
    _, report = run(folder, tmp_path / "out")
    statuses = {entry["series_instance_uid"]: entry["status"] for entry in report["series"]}
    assert statuses["a.nii"] == statuses["d.nii.gz"] == "done"


def test_a_scan_that_is_finished_keeps_its_sidecar(run, folder, tmp_path):
    run(folder, tmp_path / "out")
    write_nifti(folder / "a.nii", scan_hu(), sidecar=SIDECAR)
    _, report = run(folder, tmp_path / "out")
    outcomes = {file["path"]: (file["status"], file["reason"]) for file in report["files"]}
    assert outcomes["a.nii.gz"][0] == outcomes["a.json"][0] == "done"
    reason = "a.nii.gz and a.nii would share a.json; rename one of them"
    assert outcomes["a.nii"] == ("failed", reason)


def test_shards_share_a_folder(run, folder, tmp_path):
    done = []
    for number in (1, 2, 3):
        out = tmp_path / f"out-{number}"
        run(folder, out, "--shard", f"{number}/3")
        done += [name for name in contents(out) if ".nii" in name]
    assert sorted(done) == ["a.nii.gz", "b/c.nii"]


def test_shards_of_a_folder_are_merged(run, folder, tmp_path, monkeypatch):
    def outcomes(report):
        return {file["path"]: file["status"] for file in report["files"]}

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    _, whole = run(folder, tmp_path / "whole")
    parts = [tmp_path / "parts" / number for number in ("1", "2")]
    for part in parts:
        run(folder, part, "--shard", f"{part.name}/2")
    result = harmonize("merge", *parts)
    assert result.exit_code == 3, result.output  # the broken file
    assert result.output.endswith(f"written to {tmp_path / 'parts'}: report.json\n")
    merged = read_report(tmp_path / "parts" / "report.json")
    assert outcomes(merged) == outcomes(whole)
    assert merged["summary"] == whole["summary"]
    outputs = [entry["output"] for entry in merged["series"] if entry["output"]]
    assert len(outputs) == 2
    assert all((tmp_path / "parts" / output).is_file() for output in outputs)


def test_shards_of_two_times_are_not_merged(run, folder, tmp_path, monkeypatch):
    parts = [tmp_path / "parts" / number for number in ("1", "2")]
    for part in parts:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", f"170000000{part.name}")
        run(folder, part, "--shard", f"{part.name}/2")
    result = harmonize("merge", *parts)
    assert result.exit_code == 1
    assert "set SOURCE_DATE_EPOCH for all shards" in result.output


def test_a_folder_with_dicom_is_a_folder_of_dicom(run, folder, tmp_path):
    write_sample_series(folder / "dicom", "B40f", slices=2, size=32)
    _, report = run(folder, tmp_path / "out")
    outcomes = {file["path"]: file for file in report["files"]}
    assert outcomes["a.nii.gz"]["status"] == "skipped"
    assert len(new_series(tmp_path / "out")) == 1
    shutil.rmtree(folder / "dicom")
    result, _ = run(folder, tmp_path / "out")
    assert result.exit_code == 1
