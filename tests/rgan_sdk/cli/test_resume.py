"""Runs that were stopped go on; what is there already is neither trusted nor done again blindly."""

import json
import os
import shutil
from datetime import datetime

import pydicom
import pytest
from support.checksums import listed
from support.damage import DAMAGES, EXTRA, first
from support.models import make_series_card, write_model
from support.runs import contents, folders, harmonize, new_series, read_report

from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_sdk.dicom.uids import hashed_uid
from rgan_sdk.engines.identity import IdentityEngine
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine
from rgan_sdk.errors import DeviceMemoryError, InferenceError, OutputError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.run.directory import harmonize_directory


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "m.onnx", make_series_card())


@pytest.fixture
def source(tmp_path):
    for number in range(4):
        folder = tmp_path / "in" / str(number)
        write_sample_series(folder, "B40f", slices=2, size=64, seed=number)
    return tmp_path / "in"


@pytest.fixture
def run(tmp_path, model, source):
    def run(out, *options, model=model):
        report = tmp_path / "report.json"
        report.unlink(missing_ok=True)
        command = ("run", source, tmp_path / out, "--model", model, "--report", report)
        engine = () if "--engine" in options else ("--engine", "onnxruntime")
        result = harmonize(*command, *engine, *options)
        return result, read_report(report) if report.exists() else None

    return run


def stop_after(monkeypatch, calls):
    """Interrupt at a later call of the engine."""
    infer, counted = OnnxRuntimeEngine._infer, []

    def stopping(self, hu, pixel_spacing):
        counted.append(1)
        if len(counted) > calls:
            raise KeyboardInterrupt
        return infer(self, hu, pixel_spacing)

    monkeypatch.setattr(OnnxRuntimeEngine, "_infer", stopping)


@pytest.mark.parametrize("calls", [0, 1, 3, 5, 7])
def test_a_run_that_was_stopped_goes_on(run, tmp_path, monkeypatch, calls):
    undisturbed, _ = run("whole")
    assert undisturbed.exit_code == 0
    with monkeypatch.context() as patch:
        stop_after(patch, calls)
        stopped, _ = run("out")
    assert stopped.exit_code == 130
    out = tmp_path / "out"
    before = {path: path.stat().st_mtime_ns for path in new_series(out)}
    assert calls // 2 - 2 <= len(before) <= calls // 2
    resumed, report = run("out")
    assert resumed.exit_code == 0
    assert report["summary"]["series"] == {"done": 4, "skipped": 0, "failed": 0}
    assert contents(out) == contents(tmp_path / "whole")
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_the_report_of_a_finished_run_is_the_same_again(run):
    _, first = run("out")
    result, again = run("out")
    assert result.exit_code == 0
    assert again["series"] == first["series"]
    assert again["timestamp"] == first["timestamp"]
    assert again["stages"] == {}


def test_what_is_half_written_is_not_trusted(run, tmp_path):
    run("whole")
    out = tmp_path / "out"
    run("out")
    folder = new_series(out)[0]
    staging = out / ".rgan" / "staging"
    staging.mkdir()
    folder.rename(staging / folder.name)  # as if it had been killed before the rename
    min((staging / folder.name).iterdir()).write_bytes(b"half")
    result, _ = run("out")
    assert result.exit_code == 0
    assert contents(out) == contents(tmp_path / "whole")
    assert not staging.exists()


@pytest.mark.parametrize("names", ["uid", "sorted"])
def test_a_finished_series_gets_the_picture_that_it_lacks(run, tmp_path, names):
    options = ("--preview", "--names", names)
    run("whole", *options)
    run("out", *options[1:])
    result, report = run("out", *options)
    assert result.exit_code == 0, result.output
    pictures = {path.name for path in (tmp_path / "whole" / "previews").iterdir()}
    assert {path.name for path in (tmp_path / "out" / "previews").iterdir()} == pictures
    assert len(report["previews"]) == len(pictures) == 5
    assert report["warnings"] == []
    _, report = run("out", *options)
    assert report["previews"] == ["previews/contact-sheet.png"]


def test_the_journal_lists_the_files_of_each_series(run, tmp_path):
    run("out")
    out = tmp_path / "out"
    _, *records = map(json.loads, (out / ".rgan" / "journal.jsonl").open())
    assert sorted(record["output"] for record in records) == [p.name for p in new_series(out)]
    for record in records:
        files = [tuple(file.values()) for file in record["files"]]
        assert files == [listed(path) for path in sorted((out / record["output"]).iterdir())]


WHY = {
    "missing": "file missing: {file}",
    "cut": "file of {half} instead of {size} bytes: {file}",
    "empty": "file of 0 instead of {size} bytes: {file}",
    "emptied": "file missing: {file} (and 1 more)",
    "removed": "folder missing",
    "extra": f"file that does not belong there: {EXTRA}",
    "flipped": "file changed: {file}",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_finished_series_that_was_damaged_is_done_again(run, tmp_path, damage):
    run("out")
    out, whole = tmp_path / "out", contents(tmp_path / "out")
    folder = new_series(out)[1]
    file, size = first(folder).name, first(folder).stat().st_size
    others = {path: path.stat().st_mtime_ns for path in new_series(out) if path != folder}
    DAMAGES[damage](folder)
    found = contents(out)
    why = WHY[damage].format(file=file, size=size, half=size // 2)
    dry, planned = run("out", "--verify-outputs", "--dry-run")
    assert dry.exit_code == 0
    assert contents(out) == found
    reasons = sorted(series["reason"] for series in planned["series"])
    assert reasons == ["finished"] * 3 + [f"to be done again, {why}"]
    result, report = run("out", "--verify-outputs")
    assert result.exit_code == 0
    assert contents(out) == whole
    assert all(path.stat().st_mtime_ns == time for path, time in others.items())
    (again,) = [series for series in report["series"] if series["reason"]]
    assert (again["status"], again["output"]) == ("done", folder.name)
    assert again["reason"].startswith(f"done again, {why}")
    assert f"done again, {why}" in result.output
    kept = out / ".rgan" / "replaced" / f"{folder.name}-1"
    assert kept.exists() == (f"what was there is in .rgan/replaced/{kept.name}" in again["reason"])
    left = {name: content for name, content in found.items() if name.startswith(folder.name)}
    assert {f"{folder.name}/{path.name}": path.read_bytes() for path in kept.glob("*")} == left
    _, report = run("out", "--verify-outputs")
    assert not any(series["reason"] for series in report["series"])


def test_bits_are_compared_only_where_asked(run, tmp_path):
    run("out")
    DAMAGES["flipped"](new_series(tmp_path / "out")[0])
    _, report = run("out")
    assert not any(series["reason"] for series in report["series"])
    _, report = run("out", "--verify-outputs")
    assert sum(bool(series["reason"]) for series in report["series"]) == 1


def test_a_damaged_series_that_cannot_be_done_again_stays(run, tmp_path, monkeypatch):
    run("out")
    folder = new_series(tmp_path / "out")[0]
    DAMAGES["extra"](folder)
    found = contents(tmp_path / "out")

    def failing(self, hu, pixel_spacing):
        raise InferenceError("it broke")

    with monkeypatch.context() as patch:
        patch.setattr(OnnxRuntimeEngine, "_infer", failing)
        result, report = run("out")
    assert result.exit_code == 3
    (failed,) = [series for series in report["series"] if series["status"] == "failed"]
    assert "it broke; it was to be done again, file that does not belong" in failed["reason"]
    assert contents(tmp_path / "out") == found


def test_another_model_or_option_is_refused(run, tmp_path):
    run("out")
    before = contents(tmp_path / "out")
    other = write_model(tmp_path / "other.onnx", make_series_card(version="9.0.0"))
    for arguments, options, name in (
        ((), {"model": other}, "model"),
        (("--engine", "identity", "--batch-size", 2), {}, "configuration"),
        (("--outside-domain", "kernel"), {}, "options"),
        (("--shard", "1/2"), {}, "options"),
    ):
        for dry in ((), ("--dry-run",)):
            result, _ = run("out", *arguments, *dry, **options)
            assert result.exit_code == 1
            assert f"were made with another {name}" in result.output
    assert contents(tmp_path / "out") == before


def make_older(out):
    """Make a finished folder as versions left it that knew --any-kernel and no marked UIDs."""
    journal = out / ".rgan" / "journal.jsonl"
    run, *finished = map(json.loads, journal.open())
    del run["options"]["outside_domain"]
    run["options"] = {"any_kernel": False, **run["options"]}
    timestamp = datetime.fromisoformat(run["timestamp"])
    for series in finished:
        del series["outside"]
        parts = ("series", series["source"], "0", series["model"], run["configuration"])
        older = hashed_uid(*parts, run["software"], timestamp.isoformat())
        (out / series["output"]).rename(out / older)
        series["output"] = older
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in (run, *finished)))


def test_a_folder_of_an_older_version_is_continued(run, tmp_path, source):
    run("out")
    make_older(tmp_path / "out")
    before = folders(tmp_path / "out")
    for command in (("--dry-run",), ("--verify-outputs",), ()):
        result, report = run("out", *command)
        assert result.exit_code == 0
        assert {entry["output"] for entry in report["series"]} <= {None, *before}
        assert folders(tmp_path / "out") == before
    result, _ = run("out", "--outside-domain", "kernel")
    assert "were made with another options" in result.output
    write_sample_series(source / "4", "B40f", slices=2, size=64, seed=4)
    result, report = run("out")
    assert report["summary"]["series"] == {"done": 5, "skipped": 0, "failed": 0}
    assert len(folders(tmp_path / "out")) == 5
    assert run("out")[0].exit_code == 0
    assert len(folders(tmp_path / "out")) == 5


def test_a_damaged_series_of_an_older_version_is_not_done_again(run, tmp_path):
    run("out")
    make_older(tmp_path / "out")
    victim = new_series(tmp_path / "out")[0]
    next(victim.iterdir()).unlink()
    before = folders(tmp_path / "out")
    result, report = run("out")
    assert result.exit_code == 3
    (failed,) = [series for series in report["series"] if series["status"] == "failed"]
    assert failed["reason"].startswith(f"{victim.name} is damaged, file missing: ")
    assert "would get other UIDs if it were done again; remove that folder" in failed["reason"]
    assert folders(tmp_path / "out") == before
    shutil.rmtree(victim)
    result, report = run("out")
    assert report["summary"]["series"] == {"done": 4, "skipped": 0, "failed": 0}


def test_where_nothing_is_finished_anything_may_change(run, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        assert run("out")[0].exit_code == 130
    assert run("out", "--outside-domain", "spacing")[0].exit_code == 0


def test_no_resume_wants_an_empty_folder(run):
    assert run("out", "--no-resume")[0].exit_code == 0
    result, _ = run("out", "--no-resume")
    assert result.exit_code == 1
    assert "leave --no-resume out" in result.output


def test_a_source_that_has_changed_since_is_told(run, source):
    run("out")
    path = min((source / "0").iterdir())
    dataset = pydicom.dcmread(path)
    dataset.ImageComments = "longer now"
    dataset.save_as(path)
    result, report = run("out")
    assert result.exit_code == 3
    (failed,) = [series for series in report["series"] if series["status"] == "failed"]
    assert failed["reason"].startswith("its files have other sizes than those that ")
    assert "in another encoding now, or were changed; remove that folder to" in failed["reason"]


def test_a_source_that_was_edited_and_kept_its_size_has_a_note(run, source, tmp_path):
    run("out")
    path = min((source / "0").iterdir())
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    time = path.stat().st_mtime_ns + 3_600_000_000_000
    path.write_bytes(content)
    os.utime(path, ns=(time, time))
    for dry in ((), ("--dry-run",)):
        result, report = run("out", *dry)
        assert result.exit_code == 0
        noted = [one for one in report["series"] if any("newer" in note for note in one["notes"])]
        assert [one["status"] for one in noted] == ["planned" if dry else "done"]
        (note,) = noted[0]["notes"]
        folder = note.split()[6]
        assert note == (
            f"files of it are newer than {folder} in OUTPUT; if they were edited since, remove "
            "that folder to make it anew"
        )
    os.utime(tmp_path / "out" / folder, ns=(time, time))
    _, report = run("out")
    assert not any("newer" in note for one in report["series"] for note in one["notes"])
    shutil.rmtree(tmp_path / "out" / folder)
    _, report = run("out")
    assert [one["output"] for one in report["series"] if one["reason"]] == [folder]


@pytest.mark.parametrize("names", ["uid", "sorted"])
def test_a_slice_that_is_not_there_any_more_is_told(run, source, tmp_path, names):
    run("out", "--names", names)
    min((source / "0").iterdir()).unlink()
    result, report = run("out", "--names", names)
    assert result.exit_code == 3
    (failed,) = [series for series in report["series"] if series["status"] == "failed"]
    assert failed["reason"].startswith("its slices, or the sizes of their files, are not those")
    folder = next(name for name in folders(tmp_path / "out") if name in failed["reason"])
    shutil.rmtree(tmp_path / "out" / folder)
    result, report = run("out", "--names", names)
    assert report["summary"]["series"] == {"done": 4, "skipped": 0, "failed": 0}


def test_series_that_the_journal_does_not_know_are_told(run, tmp_path):
    run("out")
    out = tmp_path / "out"
    journal = out / ".rgan" / "journal.jsonl"
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join(lines[:-1]) + "\n")
    result, report = run("out")
    assert result.exit_code == 3
    assert report["summary"]["series"] == {"done": 3, "skipped": 0, "failed": 1}
    for lost in (journal, out / ".rgan" / "lock"):
        lost.unlink()
        result, _ = run("out")
        assert result.exit_code == 1
        assert "is not empty" in result.output
    shutil.rmtree(out / ".rgan")
    assert run("out")[0].exit_code == 1


def test_a_run_that_never_began_is_no_obstacle(run, tmp_path):
    (tmp_path / "out" / ".rgan").mkdir(parents=True)
    assert run("out")[0].exit_code == 0


def test_a_line_that_was_cut_off_was_never_acted_on(run, tmp_path):
    run("out")
    out, journal = tmp_path / "out", tmp_path / "out" / ".rgan" / "journal.jsonl"
    content = journal.read_bytes()
    last = json.loads(content.splitlines()[-1])["output"]
    shutil.rmtree(out / last)
    journal.write_bytes(content[:-20])
    assert run("out")[0].exit_code == 0
    assert len(new_series(out)) == 4
    assert journal.read_bytes() == content


@pytest.mark.parametrize("damage", ["no JSON\n", "[]\n", '{"kind": "run", "schema": 99}\n', "\n"])
def test_a_damaged_journal_is_refused(run, tmp_path, damage):
    run("out")
    (tmp_path / "out" / ".rgan" / "journal.jsonl").write_text(damage)
    for dry in ((), ("--dry-run",)):
        result, _ = run("out", *dry)
        assert result.exit_code == 1
        assert "damaged" in result.output or "another version" in result.output
    assert len(new_series(tmp_path / "out")) == 4


def test_shards_share_out_all_series(run):
    found = []
    for number in (1, 2, 3):
        result, report = run(f"out-{number}", "--shard", f"{number}/3")
        done = [entry["series_instance_uid"] for entry in report["series"] if entry["output"]]
        assert result.exit_code == (0 if done else 4)
        assert len(report["series"]) == 4
        found += done
    assert len(found) == len(set(found)) == 4


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3"])
def test_a_shard_that_is_none(run, text):
    assert run("out", "--shard", text)[0].exit_code == 2


class SmallMemoryEngine(IdentityEngine):
    """Chooses its batch by what is free, and can do less than it thought."""

    batch_invariant = False
    free, room = 8, 8

    @property
    def default_batch_size(self):
        return self.free

    def infer(self, hu, pixel_spacing=None):
        if len(hu) > self.room:
            raise DeviceMemoryError("too many slices")
        return super().infer(hu, pixel_spacing)


def small(model, free, room):
    engine = SmallMemoryEngine(HarmonizationModel.open(model))
    engine.free, engine.room = free, room
    return Harmonizer(engine)


def test_a_resumed_run_takes_the_batch_size_that_it_began_with(tmp_path, source, model):
    out = tmp_path / "out"
    first = harmonize_directory(source, out, small(model, 8, 8))
    assert first.engine["batch_size"] == 8
    new_series(out)[0].rename(tmp_path / "taken away")
    with small(model, 4, 8) as harmonizer:  # less is free now
        again = harmonize_directory(source, out, harmonizer)
        assert again.engine["batch_size"] == 8
        assert harmonizer.batch_size == harmonizer.fitting_batch_size == 4  # it is the caller's
    assert again.summary["series"] == {"done": 4, "skipped": 0, "failed": 0}
    with pytest.raises(OutputError, match="another configuration"):
        harmonize_directory(source, out, Harmonizer(SmallMemoryEngine(small(model, 1, 1).model), 2))


def test_only_a_run_that_goes_on_takes_its_batch_size(tmp_path, source, model):
    out, harmonizer = tmp_path / "out", small(model, 4, 8)
    harmonize_directory(source, out, small(model, 8, 8))
    for folder in new_series(out):
        shutil.rmtree(folder)  # nothing is left to go on with
    assert harmonize_directory(source, out, harmonizer).engine["batch_size"] == 4
    harmonize_directory(source, tmp_path / "eight", small(model, 8, 8))
    new_series(tmp_path / "eight")[0].rename(tmp_path / "taken away")
    assert harmonize_directory(source, tmp_path / "eight", harmonizer).engine["batch_size"] == 8
    assert harmonize_directory(source, tmp_path / "new", harmonizer).engine["batch_size"] == 4


@pytest.mark.parametrize("batch", ["0", "true", "1000000000", "-1"])
def test_an_impossible_batch_size_in_a_journal_is_another_configuration(
    tmp_path, source, model, batch
):
    out = tmp_path / "out"
    harmonize_directory(source, out, small(model, 8, 8))
    journal = out / ".rgan" / "journal.jsonl"
    journal.write_text(journal.read_text().replace('batch\\":8', f'batch\\":{batch}'))
    with pytest.raises(OutputError, match=f'configuration was .*"batch":{batch}'):
        harmonize_directory(source, out, small(model, 8, 8))


def test_a_halved_batch_is_told_and_loses_nothing(tmp_path, source, model):
    report = harmonize_directory(source, tmp_path / "out", small(model, 8, 3))
    assert report.summary["series"] == {"done": 4, "skipped": 0, "failed": 0}
    (warning,) = report.warnings
    assert "batches of 8 slices; they were halved to 2" in warning
    whole = harmonize_directory(source, tmp_path / "whole", small(model, 8, 8))
    assert [entry.output for entry in report.series] == [entry.output for entry in whole.series]


def test_without_room_for_one_slice_series_fail_and_the_run_goes_on(tmp_path, source, model):
    report = harmonize_directory(source, tmp_path / "out", small(model, 8, 0))
    assert report.summary["series"] == {"done": 0, "skipped": 0, "failed": 4}
    assert {entry.reason for entry in report.series} == {"too many slices"}


def test_several_devices_take_the_smallest_of_their_batches(tmp_path, source, model):
    with small(model, 8, 8) as one, small(model, 2, 8) as two:
        report = harmonize_directory(source, tmp_path / "out", one, others=[two])
    assert report.engine["batch_size"] == 2
    assert report.summary["series"]["done"] == 4
