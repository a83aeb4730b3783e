"""``run`` with several models: one cohort, one target kernel."""

import csv
import json
import shutil
import threading
from collections import Counter
from pathlib import PurePosixPath

import pytest
from support.models import make_series_card, write_model
from support.runs import contents, folders, harmonize, new_series, read_report

from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_sdk.engines.identity import IdentityEngine
from rgan_sdk.errors import CancelledError, EngineUnavailableError
from rgan_sdk.run.cohort.models import CohortModel
from rgan_sdk.run.directory import harmonize_cohort
from rgan_sdk.run.observer import SilentObserver

KERNELS = ("B70f", "STANDARD", "B40f", "YA", "B70f")
"""Of the series in INPUT."""


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture
def source(tmp_path):
    for number, kernel in enumerate(KERNELS):
        folder = tmp_path / "in" / f"{number}-{kernel}"
        write_sample_series(folder, kernel, slices=2, size=64, seed=number)
    (tmp_path / "in" / "notes.txt").write_text("no DICOM")
    return tmp_path / "in"


@pytest.fixture
def model(tmp_path):
    """Return a function that writes a model to B40f, unless another target is given."""

    def write(name, *kernels, target="B40f", **changes):
        card = make_series_card(name=name, source_kernels=kernels, target_kernel=target, **changes)
        return write_model(tmp_path / f"{name}.onnx", card)

    return write


@pytest.fixture
def run(tmp_path, source):
    def run(out, *options, models=()):
        report = tmp_path / "report.json"
        report.unlink(missing_ok=True)
        named = [part for one in models for part in ("--model", one)]
        engine = ("--engine", "onnxruntime", "--device", "cpu")
        command = ("run", source, tmp_path / out, *named, *engine, "--report", report)
        result = harmonize(*command, *options)
        return result, read_report(report) if report.exists() else None

    return run


def by_kernel(report, field):
    return {
        one["convolution_kernel"]: one[field]
        for one in sorted(report["series"], key=lambda one: one["series_instance_uid"])
    }


def everything(out):
    """Return all files of OUTPUT, also the state of the run."""
    return {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}


def journal(out):
    return [json.loads(line) for line in (out / ".rgan" / "journal.jsonl").open()]


def test_each_series_gets_the_model_that_takes_it(run, model, tmp_path):
    sharp, ge = model("sharp", "B70f"), model("ge", "STANDARD")
    result, report = run("out", models=[sharp, ge])
    assert result.exit_code == 0, result.output
    assert by_kernel(report, "status") == {
        "B70f": "done",
        "STANDARD": "done",
        "B40f": "skipped",
        "YA": "skipped",
    }
    assert by_kernel(report, "model") == {
        "B70f": "sharp",
        "STANDARD": "ge",
        "B40f": None,
        "YA": None,
    }
    assert by_kernel(report, "processed")["B70f"] is True
    reasons = by_kernel(report, "reason")
    assert reasons["YA"] == (
        f"no model takes it. {sharp}: ConvolutionKernel (0018,1210) is YA; the model takes B70f. "
        f"{ge}: ConvolutionKernel (0018,1210) is YA; the model takes STANDARD"
    )
    assert reasons["B40f"] == (
        "ConvolutionKernel (0018,1210) is B40f, the target kernel already "
        "(`run --include-target` copies such series)"
    )
    assert report["model"] == report["engine"] == {}
    assert [(one["name"], one["engine"]["name"]) for one in report["models"]] == [
        ("sharp", "onnxruntime"),
        ("ge", "onnxruntime"),
    ]
    assert "model" in result.output
    assert len(new_series(tmp_path / "out")) == 3


def test_the_files_are_those_of_a_run_with_each_model_alone(run, model, tmp_path):
    sharp, ge = model("sharp", "B70f"), model("ge", "STANDARD")
    run("both", models=[sharp, ge])
    run("sharp", models=[sharp])
    run("ge", models=[ge])
    alone = contents(tmp_path / "sharp") | contents(tmp_path / "ge")
    assert len(alone) == 6
    assert contents(tmp_path / "both") == alone


def test_one_model_is_open_at_a_time_and_series_run_by_model(run, model, monkeypatch):
    """The engine of a model that no series needs is never opened."""
    from rgan_sdk import harmonizer

    create, events = harmonizer.create_engine, []

    def noting(opened, *options):
        engine = create(opened, *options)
        close, name = engine.close, opened.card.name
        events.append(f"open {name}")
        engine.close = lambda: (events.append(f"close {name}"), close())
        return engine

    monkeypatch.setattr(harmonizer, "create_engine", noting)
    models = [model("ge", "STANDARD"), model("idle", "FC10"), model("sharp", "B70f")]
    result, report = run("out", models=models)
    assert events == ["open ge", "close ge", "open sharp", "close sharp"]
    assert [one["model"] for one in report["series"] if one["status"] == "done"] == [
        "ge",
        "sharp",
        "sharp",
    ]
    assert report["models"][1]["engine"] == {}
    assert "idle on" not in result.output


def test_a_series_that_several_models_take_fails(run, model, tmp_path):
    one, other = model("one", "B70f", "YA"), model("other", "B70f")
    result, report = run("out", models=[one, other])
    assert result.exit_code == 3
    assert by_kernel(report, "status")["B70f"] == "failed"
    assert by_kernel(report, "reason")["B70f"] == (
        f"ambiguous: several models take it, {one}, {other}; leave one out, or name one in a work "
        "list"
    )
    assert by_kernel(report, "model")["YA"] == "one"
    assert len(new_series(tmp_path / "out")) == 1


def test_a_model_that_takes_a_series_as_it_is_goes_first(run, model):
    models = [model("sharp", "B70f"), model("ge", "STANDARD")]
    _, report = run("out", "--outside-domain", "kernel", models=models)
    assert by_kernel(report, "model")["B70f"] == "sharp"
    assert by_kernel(report, "model")["STANDARD"] == "ge"
    assert by_kernel(report, "status")["B40f"] == "skipped"
    assert by_kernel(report, "reason")["YA"].startswith("ambiguous")


def test_models_with_several_targets_need_one_named(run, model, tmp_path):
    sharp, soft = model("sharp", "B70f"), model("soft", "STANDARD", target="B30f")
    result, _ = run("out", models=[sharp, soft])
    assert result.exit_code == 2
    assert f"{sharp} makes B40f; {soft} makes B30f" in " ".join(result.output.split())
    assert "--target-kernel" in result.output
    assert not (tmp_path / "out").exists()
    result, report = run("out", "--target-kernel", "b40F", models=[sharp, soft])
    assert result.exit_code == 0
    assert by_kernel(report, "model")["B70f"] == "sharp"
    assert by_kernel(report, "status")["STANDARD"] == "skipped"
    result, _ = run("other", "--target-kernel", "B10f", models=[sharp])
    assert result.exit_code == 2
    assert "no model makes the target kernel B10f" in result.output


def test_series_with_the_target_kernel_are_copied_byte_for_byte(run, model, source, tmp_path):
    result, report = run("out", "--include-target", models=[model("sharp", "B70f")])
    assert result.exit_code == 0, result.output
    (copy,) = (one for one in report["series"] if one["processed"] is False)
    assert copy["status"] == "done"
    assert copy["model"] is None
    assert copy["output"] == copy["series_instance_uid"]
    assert copy["reason"] == (
        "copied unchanged: ConvolutionKernel (0018,1210) is B40f, the target kernel already"
    )
    originals = sorted(path.read_bytes() for path in (source / "2-B40f").iterdir())
    copies = folders(tmp_path / "out")[copy["output"]]
    assert sorted(copies.values()) == originals
    (warning,) = report["warnings"]
    assert warning.startswith("1 series were copied and 2 harmonized to the same kernel")
    assert "site effect" in warning
    assert "site effect" in result.output
    record = journal(tmp_path / "out")[-1]
    assert (record["model"], record["processed"]) == ("", False)


def test_a_copy_is_checked_and_done_again_like_any_series(run, model, source, tmp_path):
    models = [model("sharp", "B70f")]
    run("out", "--include-target", models=models)
    whole = contents(tmp_path / "out")
    (folder,) = (
        tmp_path / "out" / one["output"]
        for one in journal(tmp_path / "out")
        if one.get("model") == ""
    )
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    run("out", "--include-target", models=models)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times
    first = min(folder.iterdir())
    content = bytearray(first.read_bytes())
    content[-1] ^= 1
    first.write_bytes(content)
    result, report = run("out", "--include-target", "--verify-outputs", models=models)
    assert result.exit_code == 0
    (copy,) = (one for one in report["series"] if one["processed"] is False)
    assert "done again, file changed" in copy["reason"]
    assert contents(tmp_path / "out") == whole


def test_a_source_that_changes_during_the_run_is_not_copied(
    run, model, source, tmp_path, monkeypatch
):
    from rgan_sdk.run import directory

    plan = directory.make_plan

    def then_change(*arguments, **options):
        made = plan(*arguments, **options)
        path = next((source / "2-B40f").iterdir())
        path.write_bytes(path.read_bytes())
        return made

    monkeypatch.setattr(directory, "make_plan", then_change)
    result, report = run("out", "--include-target", models=[model("sharp", "B70f")])
    assert result.exit_code == 3
    assert by_kernel(report, "status") == {
        "B70f": "done",
        "B40f": "failed",
        "STANDARD": "skipped",
        "YA": "skipped",
    }
    assert "changed during the run" in by_kernel(report, "reason")["B40f"]
    assert len(new_series(tmp_path / "out")) == 2


def test_a_dry_run_says_what_a_run_does(run, model, tmp_path):
    models = [model("sharp", "B70f"), model("ge", "STANDARD")]
    options = ("--include-target",)
    _, planned = run("out", *options, "--dry-run", models=models)
    assert not (tmp_path / "out").exists()
    _, done = run("out", *options, models=models)
    for field in ("model", "processed", "reason"):
        assert by_kernel(planned, field) == by_kernel(done, field)
    assert planned["models"] == done["models"]
    _, again = run("out", *options, "--dry-run", models=models)
    assert {one["reason"] for one in again["series"] if one["status"] == "planned"} == {"finished"}


def test_a_model_that_cannot_be_run_fails_its_series_only(run, model, monkeypatch, tmp_path):
    from rgan_sdk import harmonizer

    create = harmonizer.create_engine

    def refusing(opened, *options):
        if opened.card.name == "ge":
            raise EngineUnavailableError("no such device")
        return create(opened, *options)

    monkeypatch.setattr(harmonizer, "create_engine", refusing)
    sharp, ge = model("sharp", "B70f"), model("ge", "STANDARD")
    result, report = run("out", models=[sharp, ge])
    assert result.exit_code == 3
    assert by_kernel(report, "reason")["STANDARD"] == f"{ge} cannot be run: no such device"
    assert by_kernel(report, "status")["B70f"] == "done"
    result, _ = run("other", models=[ge, sharp])
    assert result.exit_code == 1
    assert "no such device" in result.output
    assert not new_series(tmp_path / "other")


def test_a_resume_may_add_a_model_and_copies(run, model, tmp_path):
    sharp, ge = model("sharp", "B70f"), model("ge", "STANDARD")
    run("whole", "--include-target", models=[sharp, ge])
    run("out", models=[sharp])
    kept = {path: path.stat().st_mtime_ns for path in new_series(tmp_path / "out")}
    assert len(kept) == 2
    result, report = run("out", models=[ge, sharp])
    assert result.exit_code == 0, result.output
    assert report["summary"]["series"]["done"] == 3
    result, report = run("out", "--include-target", models=[ge, sharp])
    assert result.exit_code == 0, result.output
    assert report["summary"]["series"]["done"] == 4
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    kinds = [line["kind"] for line in journal(tmp_path / "out")]
    assert kinds == ["run", "series", "series", *("resume", "model", "series"), "resume", "series"]


def test_a_resume_may_not_drop_what_was_used(run, model, tmp_path):
    sharp, ge, idle = model("sharp", "B70f"), model("ge", "STANDARD"), model("idle", "FC10")
    run("out", "--include-target", models=[sharp, ge, idle])
    before = contents(tmp_path / "out")
    for models in ([ge], [ge, idle]):
        result, _ = run("out", "--include-target", models=models)
        assert result.exit_code == 1
        assert "made with another model; run with" in result.output
        assert "model was sharp (SHA-256" in result.output
    result, _ = run("out", models=[sharp, ge])
    assert result.exit_code == 1
    assert contents(tmp_path / "out") == before
    assert run("out", "--include-target", models=[ge, sharp])[0].exit_code == 0


def test_copies_that_were_added_may_not_be_dropped(run, model):
    sharp = model("sharp", "B70f")
    run("out", models=[sharp])
    run("out", "--include-target", models=[sharp])
    result, _ = run("out", models=[sharp])
    assert result.exit_code == 1
    assert "holds copies of series that have the target kernel already" in result.output


def test_what_made_only_series_that_were_removed_may_be_dropped(run, model, tmp_path):
    sharp, ge, out = model("sharp", "B70f"), model("ge", "STANDARD"), tmp_path / "out"
    _, report = run("out", "--include-target", models=[sharp, ge])
    for one in report["series"]:
        if one["output"] and one["model"] != "sharp":
            shutil.rmtree(out / one["output"])
    left = contents(out)
    result, report = run("out", models=[sharp])
    assert result.exit_code == 0, result.output
    assert report["summary"]["series"] == {"done": 2, "skipped": 3, "failed": 0}
    assert contents(out) == left
    result, report = run("out", "--include-target", models=[ge, sharp])
    assert result.exit_code == 0, result.output
    assert report["summary"]["series"]["done"] == 4


def test_copying_that_copied_nothing_may_be_dropped(run, model):
    fc30 = model("fc30", "B70f", target="FC30")
    run("out", "--include-target", models=[fc30])
    result, _ = run("out", models=[fc30])
    assert result.exit_code == 0, result.output


def test_copies_alone_keep_their_target(run, model):
    idle, other = model("idle", "FC10"), model("other", "B70f", target="YA")
    assert run("out", "--include-target", models=[idle])[0].exit_code == 0
    result, _ = run("out", "--include-target", models=[other])
    assert result.exit_code == 1
    assert "made with another options" in result.output


def test_a_model_whose_file_was_changed_is_refused(run, model):
    sharp, ge = model("sharp", "B70f"), model("ge", "STANDARD")
    run("out", models=[sharp, ge])
    model("sharp", "B70f", version="2.0.0")
    result, _ = run("out", models=[sharp, ge])
    assert result.exit_code == 1
    assert "model was sharp (SHA-256" in result.output


def test_a_finished_series_keeps_its_model(run, model, tmp_path):
    """A model that is added takes it too; without an earlier run it would be ambiguous."""
    sharp, other = model("sharp", "B70f"), model("other", "B70f", "STANDARD")
    run("out", models=[sharp])
    before = contents(tmp_path / "out")
    result, report = run("out", models=[sharp, other])
    assert result.exit_code == 0, result.output
    assert by_kernel(report, "model")["B70f"] == "sharp"
    assert by_kernel(report, "model")["STANDARD"] == "other"
    assert contents(tmp_path / "out").items() >= before.items()


def test_a_model_in_another_configuration_does_not_go_on(run, model, tmp_path, monkeypatch):
    sharp, ge = model("sharp", "B70f"), model("ge", "STANDARD")
    run("out", models=[sharp, ge])
    before = everything(tmp_path / "out")
    for options in ((), ("--include-target",)):
        result, _ = run("out", "--engine", "identity", *options, models=[sharp, ge])
        assert result.exit_code == 1
        assert "made with another configuration" in result.output
        assert everything(tmp_path / "out") == before


def test_the_journal_of_an_earlier_version_goes_on(run, model, tmp_path):
    """It knows neither models of their own line nor ``processed``."""
    sharp, ge = model("sharp", "B70f"), model("ge", "STANDARD")
    run("out", models=[sharp])
    path = tmp_path / "out" / ".rgan" / "journal.jsonl"
    run_line, *series = journal(tmp_path / "out")
    assert run_line["models"][0]["name"] == "sharp"
    assert json.loads(run_line["configuration"])["engine"] == "onnxruntime"
    for record in series:
        assert record.pop("processed") is True
    path.write_text("".join(json.dumps(line) + "\n" for line in (run_line, *series)))
    times = {one: one.stat().st_mtime_ns for one in new_series(tmp_path / "out")}
    content = path.read_bytes()
    assert run("out", models=[sharp])[0].exit_code == 0
    assert path.read_bytes() == content
    result, report = run("out", models=[sharp, ge])
    assert result.exit_code == 0, result.output
    assert report["summary"]["series"]["done"] == 3
    assert all(one.stat().st_mtime_ns == time for one, time in times.items())


def test_one_file_given_twice_is_one_model(run, model, tmp_path):
    sharp = model("sharp", "B70f")
    same = shutil.copy(sharp, tmp_path / "same.onnx")
    result, report = run("out", models=[sharp, same])
    assert result.exit_code == 0
    assert by_kernel(report, "status")["B70f"] == "done"


def test_shards_share_the_cohort(run, model, tmp_path):
    models = [model("one", "B70f"), model("other", "B70f", "STANDARD")]
    found = {}
    for part in ("1/2", "2/2"):
        _, report = run(f"out-{part[0]}", "--include-target", "--shard", part, models=models)
        for one in report["series"]:
            if "another shard" not in one["reason"]:
                found.setdefault(one["series_instance_uid"], []).append(one["status"])
    assert sorted(found.values()) == [["done"], ["done"], ["failed"], ["failed"], ["skipped"]]


def test_nothing_is_eligible_for_several_models(run, model):
    result, _ = run(
        "out", models=[model("a", "FC10", target="FC30"), model("b", "FC20", target="FC30")]
    )
    assert result.exit_code == 4
    assert "nothing in INPUT is eligible for these models" in result.output


def test_a_list_names_the_models_of_a_cohort(source, model, tmp_path):
    sharp, ge = model("sharp", "B70f"), model("ge", "STANDARD", target="B30f")
    listed, report = tmp_path / "list.csv", tmp_path / "report.json"
    scanned = harmonize("scan", source, "--model", sharp, "--model", ge, "--list", listed)
    assert scanned.exit_code == 0, scanned.output
    command = ("run", "--from", listed, tmp_path / "out", "--report", report)
    refused = harmonize(*command)
    assert refused.exit_code == 2
    assert "one cohort has one target kernel" in refused.output
    result = harmonize(*command, "--target-kernel", "B40f", "--include-target")
    assert result.exit_code == 0, result.output
    found = read_report(report)
    assert by_kernel(found, "status") == {
        "B70f": "done",
        "B40f": "done",
        "STANDARD": "skipped",
        "YA": "skipped",
    }
    reason = by_kernel(found, "reason")["STANDARD"]
    assert reason == f"the list names {ge} for it, which takes no part in this run"


def test_identity_runs_are_not_called_processed(run, model):
    _, report = run("out", "--engine", "identity", models=[model("sharp", "B70f")])
    assert by_kernel(report, "processed")["B70f"] is False
    assert by_kernel(report, "model")["B70f"] == "sharp"
    assert IdentityEngine.name == "identity"


def test_nifti_files_take_one_model(model, tmp_path):
    scan = tmp_path / "scan.nii.gz"
    scan.touch()
    models = ("--model", model("sharp", "B70f"), "--model", model("ge", "STANDARD"))
    result = harmonize("run", scan, tmp_path / "out.nii.gz", *models)
    assert result.exit_code == 2
    assert "a second --model does not apply to one NIfTI file" in result.output


def test_cohorts_have_layouts_sorted_names_and_a_mapping(run, model, source, tmp_path):
    write_sample_series(source / "last", "B40f", slices=3, size=64, seed=9)
    models = [model("sharp", "B70f"), model("ge", "STANDARD")]
    options = ("--include-target", "--layout", "patient", "--names", "sorted")
    result, report = run("out", *options, models=models)
    assert result.exit_code == 0, result.output
    out, done = tmp_path / "out", [one for one in report["series"] if one["status"] == "done"]
    assert len(done) == 5
    for entry in done:
        folder = out / entry["output"]
        assert len(folder.relative_to(out).parts) == 3
        names = [f"{number:04}.dcm" for number in range(1, entry["slices"] + 1)]
        assert sorted(path.name for path in folder.iterdir()) == names
    copies = [out / one["output"] for one in done if one["model"] is None]
    copied = {path.read_bytes() for folder in copies for path in folder.iterdir()}
    sources = [*(source / "2-B40f").iterdir(), *(source / "last").iterdir()]
    assert copied == {path.read_bytes() for path in sources}
    with (out / "mapping.csv").open(newline="") as file:
        rows = {row["source_series"]: row for row in csv.DictReader(file)}
    assert len(rows) == len(report["series"]) == 6
    for entry in report["series"]:
        row, uid = rows[entry["series_instance_uid"]], entry["series_instance_uid"]
        output = entry["output"] or ""
        assert row["output_folder"] == output
        new = uid if entry["processed"] is False else PurePosixPath(output).name
        assert row["output_series"] == new
        assert row["model"] == (entry["model"] or "")
        assert row["processed"] == str(bool(entry["processed"])).lower()
    before = contents(out)
    result, report = run("out", *options, models=models)
    assert result.exit_code == 0, result.output
    assert contents(out) == before
    assert len([one for one in report["series"] if one["status"] == "done"]) == 5
    result, _ = run("out", "--include-target", models=models)
    assert result.exit_code == 1
    assert "layout was patient" in result.output


def test_a_cohort_can_be_cancelled_and_continued(model, source, tmp_path):
    models = [CohortModel.load(one) for one in (model("ge", "STANDARD"), model("sharp", "B70f"))]
    cancel, out = threading.Event(), tmp_path / "out"

    class Stop(SilentObserver):
        def on_finished(self, entry):
            if entry.model == "ge":
                cancel.set()

    with pytest.raises(CancelledError):
        harmonize_cohort(source, out, models, observer=Stop(), cancel=cancel)
    assert len(new_series(out)) == 1
    with (out / "mapping.csv").open(newline="") as file:
        outcomes = Counter(row["outcome"] for row in csv.DictReader(file))
    assert outcomes == {"done": 1, "unfinished": 2, "skipped": 2}
    report = harmonize_cohort(source, out, models)
    assert [one.status for one in report.series].count("done") == 3
