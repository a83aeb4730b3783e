"""The shards of a run, merged, say what one run would have said."""

import csv
import json
import shutil

import pytest
from support.dicom_phantoms import uid, write_ct, write_series
from support.models import make_series_card, write_model
from support.runs import contents, harmonize, new_series, read_report

from rgan_sdk.run.cohort.lock import lock_folder
from rgan_sdk.run.reports.stored import read_report as read_stored
from rgan_sdk.run.state.journal import Journal, read_journal


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "m.onnx", make_series_card())


@pytest.fixture
def source(tmp_path):
    """Eight series: six of the model's kernel, one of another, one damaged; and a text."""
    root = tmp_path / "in"
    for number in range(1, 7):
        write_series(root / str(number), 2, series=number)
    write_series(root / "7", 2, series=7, ConvolutionKernel="FC10")
    damaged = write_series(root / "8", 2, series=8)[0]
    damaged.write_bytes(damaged.read_bytes()[:-100])
    (root / "notes.txt").write_text("text")
    return root


@pytest.fixture
def listed(source, model, tmp_path):
    path = tmp_path / "list.csv"
    assert harmonize("scan", source, "--model", model, "--list", path).exit_code == 0
    return path


@pytest.fixture
def run(listed, model, tmp_path):
    def run(name, *options):
        out = tmp_path / "parts" / name
        result = harmonize("run", "--from", listed, out, "--model", model, *options)
        assert result.exit_code == 0, result.output
        return out

    return run


def rows_of(folder):
    with (folder / "mapping.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def plain(report, *, without=()):
    """Return a report without what differs from run to run."""
    for name in ("stages", "environment", "engine", "parts", *without):
        report.pop(name, None)
    report["series"].sort(key=lambda entry: entry["series_instance_uid"])
    for entry in report["series"]:
        entry["output"] = entry["output"] and entry["output"].rpartition("/")[2]
    for entry in report["files"]:
        entry["sha256"] = None
    return report


def test_the_shards_of_a_list_are_one_run(run, tmp_path):
    whole = run("whole")
    parts = [run(f"part-{i}", "--shard", f"{i}/3") for i in (1, 2, 3)]
    result = harmonize("merge", *parts)
    assert result.exit_code == 0, result.output
    merged = tmp_path / "parts"
    written = {}
    for part in parts:
        written |= contents(part)
    assert written == contents(whole)
    report = read_report(merged / "report.json")
    assert [part["shard"] for part in report["parts"]] == ["1/3", "2/3", "3/3"]
    for entry in report["series"]:
        assert (merged / entry["output"]).is_dir() if entry["output"] else entry["status"] != "done"
    expected = json.loads((whole / ".rgan" / "report.json").read_text())
    assert plain(report) == plain(expected)
    by_source = {row["source_series"]: row for row in rows_of(merged)}
    for row in rows_of(whole):
        mine = by_source.pop(row["source_series"])
        assert not mine["output_folder"] or (merged / mine["output_folder"]).is_dir()
        assert {**mine, "output_folder": ""} == {**row, "output_folder": ""}
    assert not by_source


def test_a_shard_of_a_list_reads_no_other_folder(run, source):
    part = run("part", "--shard", "1/3")
    report = json.loads((part / ".rgan" / "report.json").read_text())
    assert 0 < len(report["files"]) < 12
    assert not any("another shard" in file["reason"] for file in report["files"])


def test_the_shards_of_a_folder_are_one_run(source, model, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    whole = tmp_path / "whole"
    assert harmonize("run", source, whole, "--model", model).exit_code == 3
    parts = [tmp_path / f"part-{i}" for i in (1, 2)]
    for number, part in enumerate(parts, 1):
        harmonize("run", source, part, "--model", model, "--shard", f"{number}/2")
    result = harmonize("merge", *parts, "--into", tmp_path / "merged")
    assert result.exit_code == 3  # the damaged series
    report = read_report(tmp_path / "merged" / "report.json")
    expected = json.loads((whole / ".rgan" / "report.json").read_text())
    assert plain(report) == plain(expected)
    assert "../part-1/" in (tmp_path / "merged" / "mapping.csv").read_text()


def test_a_missing_shard_is_said(run, tmp_path):
    parts = [run(f"part-{i}", "--shard", f"{i}/3") for i in (1, 3)]
    result = harmonize("merge", *parts)
    assert result.exit_code == 3
    assert "shard 2/3 is missing" in result.output
    report = json.loads((tmp_path / "parts" / "report.json").read_text())
    assert report["warnings"] == ["shard 2/3 is missing: its series are not in this report"]


def test_a_series_is_not_merged_twice(run, tmp_path):
    result = harmonize("merge", run("one"), run("two"))
    assert result.exit_code == 1
    assert "leave one of these folders out" in result.output
    assert not (tmp_path / "parts" / "mapping.csv").exists()


def test_files_of_two_inputs_are_not_taken_for_one(model, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    parts = [tmp_path / "parts" / site for site in ("1", "2")]
    for series, part in enumerate(parts, 1):
        source = tmp_path / f"site-{series}"
        for number, path in enumerate(write_series(source, 1 + series, series=series)):
            path.rename(path.with_name(f"slice-{number}.dcm"))
        assert harmonize("run", source, part, "--model", model).exit_code == 0
    result = harmonize("merge", *parts)
    assert result.exit_code == 1
    assert "merge the OUTPUT folders of each INPUT by themselves" in result.output
    assert not (tmp_path / "parts" / "report.json").exists()


def test_parts_of_different_runs_are_refused(run, source, model, tmp_path, monkeypatch):
    first = run("first", "--shard", "1/2")
    other = tmp_path / "parts" / "other"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    harmonize("run", source, other, "--model", model, "--shard", "2/2")
    result = harmonize("merge", first, other)
    assert result.exit_code == 1
    assert "share a work list" in result.output
    strict = run("strict", "--shard", "2/2", "--outside-domain", "spacing")
    result = harmonize("merge", first, strict)
    assert result.exit_code == 1
    assert "they differ in options" in result.output
    result = harmonize("merge", first, run("third", "--shard", "3/3"))
    assert "shards of several divisions" in result.output


@pytest.mark.parametrize("name", ["options", "model"])
def test_parts_are_compared_as_they_were_last_resumed(run, tmp_path, name):
    other = write_model(tmp_path / "other.onnx", make_series_card(name="other"))
    extended = {"options": ("--include-target",), "model": ("--model", other)}[name]
    first, second = run("1", "--shard", "1/2"), run("2", "--shard", "2/2")
    run("1", "--shard", "1/2", *extended)
    result = harmonize("merge", first, second)
    assert result.exit_code == 1
    assert f"they differ in {name}" in result.output
    begun_so = run("3", "--shard", "2/2", *extended)
    run("2", "--shard", "2/2", *extended)
    for part in (begun_so, second):
        result = harmonize("merge", first, part)
        assert result.exit_code == 0, result.output


@pytest.fixture
def run_several(source, tmp_path, monkeypatch):
    """Return a function that runs with model ``a`` and others, each for a kernel of its own."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    kernels = {"a": "B40f", "b": "FC10", "c": "FC10", "d": "FC50"}
    models = {
        name: write_model(
            tmp_path / f"{name}.onnx", make_series_card(name=name, source_kernels=(kernel,))
        )
        for name, kernel in kernels.items()
    }

    def run(name, *others, shard, engine="identity"):
        out = tmp_path / "parts" / name
        given = [part for one in ("a", *others) for part in ("--model", models[one])]
        harmonize("run", source, out, *given, "--engine", engine, "--shard", shard)
        return out

    return run


def test_shards_of_several_models_are_one_run(run_several, tmp_path):
    first = run_several("1", "b", "d", shard="1/2")
    result = harmonize("merge", first, run_several("2", "d", "b", shard="2/2"))
    assert result.exit_code == 3, result.output  # the damaged series
    report = read_report(tmp_path / "parts" / "report.json")
    used = {one["name"]: one["engine"].get("name") for one in report["models"]}
    assert used == {"a": "identity", "b": "identity", "d": None}
    for part in report["parts"]:
        engines = {one["name"]: one["engine"].get("name") for one in part["models"]}
        assert (engines["a"], engines["d"]) == ("identity", None)


@pytest.mark.parametrize(
    ("others", "engine", "text"),
    [
        (["b"], "onnxruntime", "the configuration of a"),
        (["c"], "identity", "model"),
        (["d"], "identity", "model"),
        (["b", "d"], "identity", "model"),
    ],
)
def test_shards_with_other_models_or_engines_are_refused(run_several, others, engine, text):
    first = run_several("1", "b", shard="1/2")
    second = run_several("2", *others, shard="2/2", engine=engine)
    result = harmonize("merge", first, second)
    assert result.exit_code == 1, result.output
    assert f"they differ in {text}; run or resume each" in " ".join(result.output.split())
    assert not (first.parent / "report.json").exists()


def test_a_shard_that_was_run_twice_is_refused(run):
    result = harmonize("merge", *(run(name, "--shard", "1/2") for name in ("one", "two")))
    assert result.exit_code == 1
    assert "shard 1/2 is given twice" in result.output


def test_only_a_merged_report_is_replaced(run, tmp_path):
    part = run("part")
    for _ in range(2):
        assert harmonize("merge", part).exit_code == 0
    report = tmp_path / "parts" / "report.json"
    for text in ((part / ".rgan" / "report.json").read_text(), "mine"):
        report.write_text(text)
        result = harmonize("merge", part)
        assert result.exit_code == 1
        assert "was not written by `merge`" in result.output
        assert report.read_text() == text


def test_a_part_that_works_again_is_unfinished(run, listed, model):
    part = run("part")
    for folder in new_series(part):
        shutil.rmtree(folder)
    report = part / ".rgan" / "report.json"
    assert report.exists()
    with lock_folder(part, durable=False):
        earlier = read_journal(part)
        Journal(part, earlier.identity, earlier.timestamp, earlier)
    result = harmonize("merge", part)
    assert result.exit_code == 1
    assert "run the same command again" in result.output


def test_an_unfinished_part_is_refused(run):
    part = run("part", "--shard", "1/2")
    (part / ".rgan" / "report.json").unlink()
    result = harmonize("merge", part)
    assert result.exit_code == 1
    assert "run the same command again" in result.output


def test_what_is_no_part_is_refused(run, tmp_path):
    (tmp_path / "empty").mkdir()
    result = harmonize("merge", tmp_path / "empty")
    assert result.exit_code == 1
    assert "holds no run" in result.output
    part = run("part")
    result = harmonize("merge", part, "--into", part)
    assert result.exit_code == 1
    assert "holds a run itself" in result.output


def test_merging_changes_no_part(run):
    part = run("part")
    before = {path: path.stat() for path in sorted(part.rglob("*"))}
    assert harmonize("merge", part).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in sorted(part.rglob("*"))} == {
        path: status.st_mtime_ns for path, status in before.items()
    }
    assert len(new_series(part)) == 6


def test_a_stored_report_gives_its_entries_back(run):
    path = run("part") / ".rgan" / "report.json"
    expected = json.loads(path.read_text())
    stored = read_stored(path)
    assert [vars(file) for file in stored.files()] == expected["files"]
    assert json.loads(json.dumps([vars(entry) for entry in stored.series])) == expected["series"]


@pytest.mark.parametrize("text", ["", "{", '{"schema": 99}', "[]"])
def test_what_is_no_report_is_refused(run, text):
    part = run("part")
    (part / ".rgan" / "report.json").write_text(text)
    result = harmonize("merge", part)
    assert result.exit_code == 1
    assert "report.json" in result.output


def test_a_group_that_fails_does_not_hide_the_others(model, tmp_path):
    source, listed = tmp_path / "in", tmp_path / "list.csv"
    write_series(source / "a", 2)
    write_ct(source / "b" / "1.dcm", SOPInstanceUID=uid(1, 1, 9), FrameOfReferenceUID=uid(9))
    assert harmonize("scan", source, "--model", model, "--list", listed).exit_code == 0
    (source / "b" / "1.dcm").unlink()
    out = tmp_path / "parts" / "1"
    harmonize("run", "--from", listed, out, "--model", model)
    assert harmonize("merge", out).exit_code == 3
    merged = {row["group"]: row["outcome"] for row in rows_of(tmp_path / "parts")}
    assert merged == {"0": "done", "1": "failed"}
    assert len(read_report(tmp_path / "parts" / "report.json")["series"]) == 2


def test_paths_lead_to_the_series_from_a_folder_behind_a_link(run, tmp_path):
    part = run("whole")
    (tmp_path / "deep" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "below")
    into = tmp_path / "link" / "merged"
    assert harmonize("merge", part, "--into", into).exit_code == 0
    folders = [row["output_folder"] for row in rows_of(into) if row["output_folder"]]
    assert len(folders) == 6
    assert all((into / folder).is_dir() for folder in folders)


def test_a_mapping_that_another_program_saved_is_refused(run):
    part = run("whole")
    mapping = part / "mapping.csv"
    mapping.write_text(mapping.read_text().replace(",", ";"))
    result = harmonize("merge", part)
    assert result.exit_code == 1
    assert f"{mapping}: is not as `run` wrote it; run the same command again" in result.stderr
