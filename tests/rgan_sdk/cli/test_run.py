"""``rgan-harmonize run`` from end to end: exit codes, report, and what is left behind."""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from support.dicom_phantoms import write_series
from support.models import make_card, make_series_card, write_model
from support.runs import harmonize, new_series, read_report

from rgan_sdk.card import SpacingRange
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_sdk.engines import cuda, openvino
from rgan_sdk.errors import ConfigurationError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.directory import harmonize_directory


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "m.onnx", make_series_card())


@pytest.fixture
def source(tmp_path):
    write_sample_series(tmp_path / "in" / "a", "B40f", slices=3, size=64)
    return tmp_path / "in"


@pytest.fixture
def run(tmp_path, model):
    """Return a function that runs on a folder: result, report, OUTPUT."""

    def run(source, *options, model=model):
        out, report = tmp_path / "out", tmp_path / "report.json"
        result = harmonize("run", source, out, "--model", model, "--report", report, *options)
        return result, read_report(report) if report.exists() else None, out

    return run


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_unspecified_units_need_air_or_the_users_word(run, source, tmp_path):
    paths = sorted((source / "a").iterdir())
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.RescaleType = "US"
        dataset.RescaleIntercept = 0  # stored values without their offset
        dataset.save_as(path)
    result, report, _ = run(source)
    assert result.exit_code == 3
    assert "--assume-hu" in report["series"][0]["reason"]
    assert "1 found" in harmonize("scan", source, "--assume-hu").output
    result, report, out = run(source, "--assume-hu")
    assert result.exit_code == 0, result.output
    assert report["series"][0]["notes"] == ["RescaleType US taken as HU, as --assume-hu says"]
    (folder,) = new_series(out)
    assert {pydicom.dcmread(path).RescaleType for path in folder.iterdir()} == {"HU"}


def test_a_series_is_harmonized(run, source):
    before = hashes(source)
    result, report, out = run(source)
    assert result.exit_code == 0, result.output
    assert hashes(source) == before
    (series,) = report["series"]
    assert series["status"] == "done"
    assert [folder.name for folder in new_series(out)] == [series["output"]]
    files = sorted((out / series["output"]).iterdir())
    assert len(files) == 3
    for file in files:
        assert file.stem == pydicom.dcmread(file).SOPInstanceUID
    assert report["summary"] == {
        "series": {"done": 1, "skipped": 0, "failed": 0},
        "files": {"done": 3, "skipped": 0, "failed": 0},
    }
    assert {file["sha256"] for file in report["files"]} == set(before.values())
    assert report["schema"] == 1
    assert set(report["stages"]) == {"read", "infer", "write"}
    assert read_report(out / ".rgan" / "report.json") == report


def test_what_is_no_plain_reconstruction_is_harmonized_with_a_note(run, source):
    for path in (source / "a").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.ImageType = ["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"]
        dataset.save_as(path)
    result, report, _ = run(source)
    assert result.exit_code == 0, result.output
    (series,) = report["series"]
    assert series["status"] == "done"
    (note,) = series["notes"]
    assert note.startswith("ImageType says REFORMATTED (a reformation)")
    assert "ImageType says REFORMATTED" in " ".join(result.output.split())


def test_the_pixels_are_the_models(run, source, model):

    _, report, out = run(source)
    written = {}
    for path in (out / report["series"][0]["output"]).iterdir():
        new = read_slice(path)
        reference = new.dataset.SourceImageSequence[0].ReferencedSOPInstanceUID
        written[reference] = new.hu
    with Harmonizer.load(model, device="cpu", outside_domain=("spacing",)) as harmonizer:
        for path in (source / "a").iterdir():
            old = read_slice(path)
            spacing = float(old.dataset.PixelSpacing[0])
            expected = np.clip(np.rint(harmonizer(old.hu, pixel_spacing=spacing)), -1024, 3071)
            assert (written[old.dataset.SOPInstanceUID] == expected).all()


def test_identity_keeps_every_pixel(run, source):
    _, report, out = run(source, "--engine", "identity", "--batch-size", 2)
    before = sorted(read_slice(path).hu.tobytes() for path in (source / "a").iterdir())
    after = [read_slice(p).hu.tobytes() for p in (out / report["series"][0]["output"]).iterdir()]
    assert sorted(after) == before


def test_preview_is_a_picture(run, source):
    result, report, out = run(source, "--preview")
    name, sheet = report["previews"]
    assert sheet == "previews/contact-sheet.png"
    with Image.open(out / sheet) as picture:
        assert len(np.unique(np.asarray(picture))) > 50
    with Image.open(out / name) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape[1] == 3 * 384
    assert len(np.unique(pixels)) > 50
    assert f"preview: {out / name}" in result.output


def test_two_runs_at_the_same_source_date_are_byte_identical(run, source, monkeypatch, tmp_path):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

    def hashes_of_a_run(*options):
        _, _, out = run(source, *options)
        (out / ".rgan" / "report.json").unlink()  # says how long things took
        found = hashes(out)
        shutil.rmtree(out)
        return found

    first = hashes_of_a_run()
    assert len(first) == 3 + 3  # lock, journal and mapping
    assert hashes_of_a_run("--workers", 1) == first
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000001")
    same = {".rgan/lock", ".rgan/journal.jsonl", "mapping.csv"}
    assert set(first) & set(hashes_of_a_run()) == same


def test_several_devices_write_the_same_bytes(run, source, monkeypatch, tmp_path):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for number in range(3):
        write_sample_series(source / str(number), "B40f", slices=2, size=64, seed=number + 1)
    _, _, out = run(source)
    first = {new.name: hashes(new) for new in new_series(out)}
    shutil.rmtree(out)
    result, report, out = run(source, "--device", "cpu, cpu")
    assert result.exit_code == 0, result.output
    assert report["engine"]["device"] == "cpu,cpu"
    assert {new.name: hashes(new) for new in new_series(out)} == first


def test_devices_that_would_not_agree_are_refused(source, tmp_path, model):
    with (
        Harmonizer.load(model, batch_size=1) as one,
        Harmonizer.load(model, batch_size=2) as other,
        pytest.raises(ConfigurationError, match="engine and batch size"),
    ):
        harmonize_directory(source, tmp_path / "out", one, others=[other])
    with (
        Harmonizer.load(model) as one,
        pytest.raises(ConfigurationError, match="of its own"),
    ):
        harmonize_directory(source, tmp_path / "out", one, others=[one])
    assert (
        harmonize("run", source, tmp_path / "out", "--model", model, "--device", "cpu,").exit_code
        == 2
    )


def test_every_file_of_a_messy_folder_has_one_outcome(run, source):
    (source / "notes.dcm").write_text("not DICOM at all, but named like it")
    (source / "folder.dcm").mkdir()
    (source / "folder.dcm" / "empty").touch()
    good = sorted((source / "a").iterdir())
    shutil.copy(good[0], source / "copy-of-the-first")
    write_sample_series(source / "b", "B70f", slices=2, size=64, seed=1)
    write_sample_series(source / "c", "B40f", slices=2, size=64, seed=2)
    truncated = min((source / "c").iterdir())
    truncated.write_bytes(truncated.read_bytes()[:-500])
    result, report, out = run(source)
    assert result.exit_code == 3
    outcomes = {file["path"]: (file["status"], file["reason"]) for file in report["files"]}
    assert set(outcomes) == {
        p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file()
    }
    hashed = {file["path"]: file["sha256"] for file in report["files"]}
    assert hashed == hashes(source)
    assert outcomes["notes.dcm"] == ("skipped", "not DICOM")
    statuses = {name.split("/")[0]: status for name, (status, _) in outcomes.items()}
    assert statuses == {
        "a": "done",
        "b": "skipped",
        "c": "failed",
        "folder.dcm": "skipped",
        "notes.dcm": "skipped",
        "copy-of-the-first": "skipped",
    }
    assert report["summary"]["series"] == {"done": 1, "skipped": 1, "failed": 1}
    assert len(new_series(out)) == 1


def test_a_slice_that_a_power_cut_filled_with_zeros_fails_its_series(run, source):
    write_sample_series(source / "b", "B40f", slices=2, size=64, seed=1)
    lost = max((source / "b").iterdir())
    lost.write_bytes(bytes(lost.stat().st_size))
    result, report, out = run(source)
    assert result.exit_code == 3
    assert report["summary"]["series"] == {"done": 1, "skipped": 0, "failed": 1}
    (failed,) = [one for one in report["series"] if one["status"] == "failed"]
    assert failed["reason"].startswith(f"b/{lost.name}: not DICOM, only zeros at its beginning")
    assert len(new_series(out)) == 1


def test_another_kernel_is_skipped_and_can_be_forced(run, source, tmp_path, model):
    other = write_model(tmp_path / "other.onnx", make_series_card(source_kernels=("Br40", "Bl57")))
    result, report, out = run(source, model=other)
    assert result.exit_code == 4
    assert (
        "ConvolutionKernel (0018,1210) is B40f; the model takes Br40, Bl57"
        in (report["series"][0]["reason"])
    )
    assert not new_series(out)
    assert not (out / ".rgan" / "staging").exists()
    result, report, _ = run(source, "--outside-domain", "kernel", model=other)
    assert result.exit_code == 0
    assert report["summary"]["series"]["done"] == 1


def test_the_older_option_accepts_any_kernel(run, source, tmp_path):
    other = write_model(tmp_path / "other.onnx", make_series_card(source_kernels=("Br40",)))
    result, report, _ = run(source, "--any-kernel", model=other)
    assert result.exit_code == 0, result.output
    assert report["series"][0]["outside"] == ["kernel"]
    assert "--any-kernel" not in harmonize("run", "--help").output


def test_a_scan_by_ge_whose_header_says_b40f_is_skipped_and_named(run, tmp_path):
    source = tmp_path / "ge"
    write_series(source, 2, Manufacturer="GE MEDICAL SYSTEMS", PixelSpacing=[0.9, 0.9])
    domain = {"manufacturers": ("SIEMENS",), "pixel_spacing": SpacingRange(0.6, 0.8, 0.65)}
    model = write_model(tmp_path / "siemens.onnx", make_series_card(**domain))
    result, report, out = run(source, model=model)
    assert result.exit_code == 4
    reason = (
        "Manufacturer (0008,0070) is GE MEDICAL SYSTEMS; the model takes SIEMENS; "
        "PixelSpacing (0028,0030) is 0.9 mm; the model takes 0.6 to 0.8 "
        "(or use --outside-domain manufacturer,spacing)"
    )
    assert report["series"][0]["reason"] == reason
    assert {file["reason"] for file in report["files"]} == {reason}
    assert not new_series(out)
    accept = ("--outside-domain", "manufacturer", "--outside-domain", " spacing ")
    result, report, out = run(source, *accept, model=model)
    assert result.exit_code == 0, result.output
    assert report["series"][0]["outside"] == ["manufacturer", "spacing"]


def test_a_model_of_format_1_wants_its_spacing_accepted(run, source, tmp_path):
    model = write_model(tmp_path / "old.onnx", make_card(manufacturers=()))
    result, report, _ = run(source, model=model)
    assert result.exit_code == 4
    spacing = report["series"][0]["pixel_spacing"]
    assert report["series"][0]["reason"] == (
        f"PixelSpacing (0028,0030) is {spacing:g} mm; the model, of format 1, states none "
        "(or use --outside-domain spacing)"
    )
    assert run(source, "--outside-domain", "spacing", model=model)[0].exit_code == 0


def test_a_series_of_another_spacing_alone_is_skipped_each_time_by_the_name_of_the_tag(
    run, tmp_path, model
):
    source, report = tmp_path / "in", tmp_path / "scan.json"
    write_series(source, 2, PixelSpacing=[0.2, 0.2])
    assert harmonize("scan", source, "--model", model, "--report", report).exit_code == 0
    reports = [read_report(report), *(run(source)[1] for _ in range(2))]
    reasons = {entry["reason"] for each in reports for entry in each["series"] + each["files"]}
    assert reasons == {
        "PixelSpacing (0028,0030) is 0.2 mm; the model takes 0.3 to 12 "
        "(or use --outside-domain spacing)"
    }


@pytest.mark.parametrize("names", ["dose", "spacing,", "kernel, noise", ""])
def test_unknown_domains_are_wrong_usage(run, source, names):
    result, _, out = run(source, "--outside-domain", names)
    assert result.exit_code == 2
    plain = " ".join(result.output.replace("│", " ").split())
    assert "is none of kernel, manufacturer, spacing, reconstruction" in plain
    assert not out.exists()
    assert harmonize("scan", source, "--outside-domain", names).exit_code == 2


@pytest.mark.parametrize("option", [("--outside-domain", "spacing"), ("--any-kernel",)])
def test_a_scan_without_a_model_has_no_domain(source, model, option):
    result = harmonize("scan", source, *option)
    assert result.exit_code == 2
    assert "--outside-domain needs --model" in " ".join(result.output.replace("│", " ").split())
    assert harmonize("scan", source, "--model", model, *option).exit_code == 0


@pytest.mark.parametrize("content", [None, "text"])
def test_nothing_eligible_is_exit_code_4(run, tmp_path, content):
    source = tmp_path / "empty"
    source.mkdir()
    if content is not None:
        (source / "scan.dcm").write_text(content)
    result, report, _ = run(source)
    assert result.exit_code == 4
    assert report["summary"]["files"]["skipped"] == (content is not None)
    assert "nothing in INPUT is eligible" in result.output


def test_dry_run_writes_nothing(run, source):
    result, report, out = run(source, "--dry-run")
    assert result.exit_code == 0
    assert not out.exists()
    assert report["summary"]["series"] == {"planned": 1, "skipped": 0, "failed": 0}
    assert report["model"]["name"] == "test-blur"
    out.mkdir()
    (out / "precious").touch()
    assert run(source, "--dry-run")[0].exit_code == 1


def test_could_not_run_is_exit_code_1(run, source, tmp_path):
    text = tmp_path / "text.onnx"
    text.write_text("no model")
    for options, message in (
        ({"model": text}, "ONNX"),
        ({"model": "no-such-model"}, "no packaged model of that name"),
    ):
        result, _, out = run(source, **options)
        assert result.exit_code == 1
        assert message in result.output
        assert not out.exists()


def test_output_that_is_not_empty_is_refused(run, source, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").touch()
    result, _, out = run(source)
    assert result.exit_code == 1
    assert "is not empty" in result.output
    assert [path.name for path in out.iterdir()] == ["precious"]


def test_a_report_that_cannot_be_written_is_refused_before_the_run(source, tmp_path, model):
    out = tmp_path / "out"
    report = tmp_path / "nowhere" / "report.json"
    result = harmonize("run", source, out, "--model", model, "--report", report)
    assert result.exit_code == 2
    assert "there is no folder" in result.output
    assert not out.exists()


def test_a_dry_run_makes_no_folder_for_its_report(source, tmp_path, model):
    command = ("run", source, tmp_path / "out", "--model", model)
    report = ("--report", tmp_path / "out" / "report.json")
    result = harmonize(*command, *report, "--dry-run")
    assert result.exit_code == 2
    assert "there is no folder" in result.output
    assert harmonize(*command, *report).exit_code == 0


@pytest.mark.parametrize("command", [("scan",), ("run", "--dry-run"), ("run",)])
def test_what_was_found_is_shown_though_its_report_cannot_be_written(
    source, tmp_path, model, command
):
    name, *options = command
    folders = [source, tmp_path / "out"][: 1 if name == "scan" else 2]
    report = tmp_path / ("x" * 300)
    result = harmonize(name, *folders, "--model", model, *options, "--report", report)
    assert result.exit_code == 1
    assert "cannot write the report (File name too long)" in result.stderr
    assert "series: 1 " in result.stdout


@pytest.mark.parametrize("where", ["inside", "around", "same"])
def test_output_and_input_must_not_contain_each_other(source, model, where):
    out = {"inside": source / "out", "around": source.parent, "same": source}[where]
    result = harmonize("run", source, out, "--model", model)
    assert result.exit_code == 1
    assert "lie inside each other" in result.output


def test_input_that_is_not_there(run, tmp_path):
    result, _, out = run(tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "no such folder" in result.output
    assert not out.exists()


def test_an_absent_device_or_engine_is_exit_code_1(run, source):
    assert run(source, "--device", "cuda:99")[0].exit_code == 1
    result, _, _ = run(source, "--engine", "warp")
    assert result.exit_code == 1
    assert "valid are auto, tensorrt, onnxruntime, openvino, identity" in result.output


def test_a_wrong_folder_is_told_before_a_model_is_loaded(run, source, tmp_path, monkeypatch):
    monkeypatch.setattr(Harmonizer, "load", lambda *args, **options: pytest.fail("loaded"))
    assert "no such folder" in run(tmp_path / "nowhere")[0].stderr
    within = harmonize("run", source, source / "out", "--model", "b40f-to-b70f")
    assert "lie inside each other" in within.stderr
    nifti = ("nowhere.nii.gz", "out.nii.gz", "--model", "b40f-to-b70f", "--kernel", "B40f")
    assert "INPUT nowhere.nii.gz: no such file" in harmonize("run", *nifti).stderr


def test_nothing_is_said_of_gpus_where_there_is_none(run, source, monkeypatch):
    monkeypatch.setattr(cuda, "why_no_device", lambda: cuda.NO_DRIVER)
    assert "NVIDIA" not in run(source)[0].output
    assert run(source, "--verbose")[0].output.count(cuda.NO_DRIVER) == 2


def test_clamped_pixels_are_told_with_their_place_also_after_a_resume(run, source):
    for _ in range(2):
        result, report, _ = run(source, model="b40f-to-b70f")
        (series,) = report["series"]
        share = series["clips"] / (3 * 64 * 64)
        assert series["clamped"] == {
            "all": pytest.approx(share),
            "air": pytest.approx(share),
            "dense": 0,
            "tissue": 0,
        }
        assert share > 0
        assert "4 %, all in air" in result.output


def test_the_engine_and_why_no_faster_one_is_told(run, source, monkeypatch):
    monkeypatch.setattr(openvino, "why_not", lambda device: "not today")
    result, report, _ = run(source, "--device", "cpu")
    assert result.exit_code == 0
    assert "test-blur on onnxruntime" in result.output
    assert "not openvino on cpu: not today" in result.output
    assert report["engine"]["name"] == "onnxruntime"
    assert report["engine"]["passed_over"] == ["openvino on cpu: not today"]
    assert report["engine"]["deviation_hu"] is None


def test_precision_and_deviation_stand_in_the_report(run, source):
    result, report, _ = run(source, "--engine", "openvino")
    assert result.exit_code == 0
    assert report["engine"]["precision"] == "fp32"
    assert 0 <= report["engine"]["deviation_hu"]["p999"] < 0.05
    assert json.loads(report["engine"]["configuration"])["precision"] == "fp32"
    assert run(source, "--engine", "onnxruntime", "--precision", "bf16")[0].exit_code == 1
    assert run(source, "--precision", "fp4")[0].exit_code == 2


def test_wrong_usage_is_exit_code_2(source, tmp_path, model):
    assert harmonize("run", source).exit_code == 2
    out = tmp_path / "out"
    assert harmonize("run", source, out, "--model", model, "--batch-size", "many").exit_code == 2
    assert harmonize("frobnicate").exit_code == 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (ValueError("PatientName^Canary"), "unexpected ValueError at"),
        (MemoryError(), "onnxruntime on cpu: the system has not enough memory"),
    ],
)
def test_one_broken_series_does_not_stop_the_rest(run, source, monkeypatch, fault, reason):
    from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine

    write_sample_series(source / "b", "B40f", slices=2, size=64, seed=1)
    seen = []
    infer = OnnxRuntimeEngine._infer

    def failing(self, hu, pixel_spacing):
        """Fail for the second slice, however often it comes."""
        seen.append(hu.copy())
        if len(seen) > 1 and np.array_equal(hu, seen[1]):
            raise fault
        return infer(self, hu, pixel_spacing)

    monkeypatch.setattr(OnnxRuntimeEngine, "_infer", failing)
    result, report, out = run(source, "--engine", "onnxruntime")
    assert result.exit_code == 3
    assert report["summary"]["series"] == {"done": 1, "skipped": 0, "failed": 1}
    (failed,) = [series for series in report["series"] if series["status"] == "failed"]
    assert failed["reason"].startswith(reason)
    assert "Canary" not in json.dumps(report) + result.output
    assert len(new_series(out)) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, 7.0])
def test_bad_pixels_are_never_written(run, source, monkeypatch, bad):
    from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine

    monkeypatch.setattr(OnnxRuntimeEngine, "_infer", lambda self, hu, _: np.full_like(hu, bad))
    result, report, out = run(source, "--engine", "onnxruntime")
    assert result.exit_code == 3
    assert report["summary"]["files"]["failed"] == 3
    assert not new_series(out)
    assert not (out / ".rgan" / "staging").exists()


def test_an_interrupt_leaves_no_partial_series(run, source, monkeypatch):
    from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine

    def interrupted(self, hu, pixel_spacing):
        raise KeyboardInterrupt

    monkeypatch.setattr(OnnxRuntimeEngine, "_infer", interrupted)
    result, _, out = run(source, "--engine", "onnxruntime")
    assert result.exit_code == 130
    assert not new_series(out)
    assert not (out / ".rgan" / "staging").exists()


def test_a_series_that_cannot_be_written_fails(run, source, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    result, report, out = run(source)
    assert result.exit_code == 3
    assert "No space left on device" in report["series"][0]["reason"]
    assert not new_series(out)
    assert not (out / ".rgan" / "staging").exists()


def test_output_is_for_its_owner_only(run, source):
    _, _, out = run(source)
    for path in out.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_missing_extra_is_exit_code_1_and_says_what_to_install(
    run, source, monkeypatch, empty_cache
):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result, _, out = run(source)
    assert result.exit_code == 1
    assert "pip install 'rgan-sdk[cpu]'" in result.output
    assert not out.exists()


def test_file_names_reach_neither_markup_nor_terminal(run, source):
    odd = source / "x[" / "a[/b]\x1b[31m"
    odd.mkdir(parents=True)
    write_sample_series(odd, "B40f", slices=1, size=64, seed=3)
    (path,) = odd.iterdir()
    path.write_bytes(path.read_bytes()[:-100])
    result, report, _ = run(source)
    assert result.exit_code == 3
    assert report["summary"]["files"]["failed"] == 1
    assert "[/b]" in result.output
    assert "\x1b" not in result.output


def test_a_second_run_on_the_same_output_is_refused(run, source, monkeypatch, model, tmp_path):
    from rgan_sdk.run import directory

    plan = directory.make_plan
    others = []

    def meanwhile(*arguments, **options):
        others.append(harmonize("run", source, tmp_path / "out", "--model", model))
        return plan(*arguments, **options)

    monkeypatch.setattr(directory, "make_plan", meanwhile)
    result, _, out = run(source)
    assert result.exit_code == 0
    assert others[0].exit_code == 75
    assert "another run writes there" in others[0].output
    assert len(new_series(out)) == 1


def test_a_source_that_changes_during_the_run_fails_its_series(run, source, monkeypatch):
    from rgan_sdk.run import directory

    write_sample_series(source.parent / "other", "B40f", slices=1, size=64, seed=5)
    plan = directory.make_plan

    def then_change(*arguments, **options):
        made = plan(*arguments, **options)
        shutil.copy(source.parent / "other" / "slice-001.dcm", source / "a" / "slice-001.dcm")
        return made

    monkeypatch.setattr(directory, "make_plan", then_change)
    result, report, out = run(source)
    assert result.exit_code == 3
    assert "changed" in report["series"][0]["reason"]
    assert not new_series(out)
    assert not (out / ".rgan" / "staging").exists()


def test_a_picture_that_cannot_be_made_is_a_warning(run, source, monkeypatch):
    from rgan_sdk.run import pictures

    def broken(*arguments):
        raise ValueError("no font")

    monkeypatch.setattr(pictures, "write_preview", broken)
    result, report, _ = run(source, "--preview")
    assert result.exit_code == 0
    assert report["summary"]["series"]["done"] == 1
    assert "cannot be made" in report["warnings"][0]


def test_a_report_never_overwrites_input(source, tmp_path, model):
    before = hashes(source)
    report = source / "a" / "slice-001.dcm"
    result = harmonize("run", source, tmp_path / "out", "--model", model, "--report", report)
    assert result.exit_code == 2
    assert hashes(source) == before


def test_a_report_may_lie_in_the_new_output(source, tmp_path, model):
    out = tmp_path / "out"
    assert (
        harmonize("run", source, out, "--model", model, "--report", out / "r.json").exit_code == 0
    )
    assert (out / "r.json").exists()


def test_the_library_keeps_output_private_too(source, tmp_path, model):

    with Harmonizer.load(model, device="cpu", outside_domain=("spacing",)) as harmonizer:
        harmonize_directory(source, tmp_path / "out", harmonizer)
    for folder in (tmp_path / "out").iterdir():
        assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", [b"M\xfcller", b" soft ", b'"a",\nb;'])
def test_folders_and_files_of_any_name(run, source, name):
    folder = source / os.fsdecode(name)
    (source / "a").rename(folder)
    (folder / os.fsdecode(name)).write_text("no image")
    result, report, out = run(source, "--preview")
    assert result.exit_code == 0, result.output
    assert len(list((out / "previews").iterdir())) == 2
    parts = {os.fsencode(file["path"]).rpartition(b"/")[0] for file in report["files"]}
    assert parts == {name}
    assert harmonize("scan", source).exit_code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--ray", "ray://head:10001"), "must be started on a machine of the cluster"),
        (("--ray", "local", "--device", "cuda:0,cuda:1"), "a GPU of its own"),
    ],
)
def test_a_cluster_that_cannot_be_used_so_is_wrong_usage(run, source, options, said):
    result, report, out = run(source, *options)
    assert (result.exit_code, report, out.exists()) == (2, None, False)
    assert said in result.stderr
