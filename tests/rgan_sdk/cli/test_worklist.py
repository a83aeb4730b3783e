"""``scan --list`` and ``run --from``: the same files as without a list."""

import csv
import shutil

import pytest
from support.models import make_series_card, write_model
from support.runs import contents, harmonize, new_series, read_report

from rgan_sdk.dicom.synthetic.sample import write_sample_series


@pytest.fixture
def source(tmp_path):
    for number, kernel in enumerate(("B40f", "B40f", "H30s")):
        folder = tmp_path / "in" / str(number)
        write_sample_series(folder, kernel, slices=2, size=64, seed=number)
    (tmp_path / "in" / "notes.txt").write_text("no DICOM")
    return tmp_path / "in"


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "m.onnx", make_series_card())


@pytest.fixture
def listed(tmp_path, source, model, monkeypatch):
    """Return a list of the folder, made at another time than the runs that follow."""
    path = tmp_path / "list.csv"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    result = harmonize("scan", source, "--model", model, "--list", path)
    assert result.exit_code == 0, result.output
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    return path


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def rewrite(path, kept):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, kept[0].keys())
        writer.writeheader()
        writer.writerows(kept)


def test_a_run_from_a_list_writes_the_bytes_of_a_run_on_the_folder(
    listed, source, model, tmp_path, monkeypatch
):
    report = tmp_path / "report.json"
    result = harmonize("run", "--from", listed, tmp_path / "out", "--report", report)
    assert result.exit_code == 0, result.output
    statuses = [(one["status"], one["reason"][:17]) for one in read_report(report)["series"]]
    assert sorted(statuses) == [("done", ""), ("done", ""), ("skipped", "ConvolutionKernel")]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert harmonize("run", source, tmp_path / "plain", "--model", model).exit_code == 0
    assert len(contents(tmp_path / "out")) == 4
    assert contents(tmp_path / "out") == contents(tmp_path / "plain")


def test_the_list_names_the_model_that_takes_a_series(listed, model):
    assert [row["model"] for row in rows(listed)].count(str(model)) == 2
    assert {row["kernel"] for row in rows(listed) if not row["model"]} == {"H30s"}


def test_only_the_rows_that_are_left_are_done_and_a_longer_list_goes_on(listed, model, tmp_path):
    everything = rows(listed)
    first = next(row for row in everything if row["model"])
    rewrite(listed, [first])
    out = tmp_path / "out"
    assert harmonize("run", "--from", listed, out).exit_code == 0
    (folder,) = new_series(out)
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    rewrite(listed, everything)
    dry = harmonize("run", "--from", listed, out, "--dry-run")
    assert "finished" in dry.output
    assert harmonize("run", "--from", listed, out).exit_code == 0
    assert len(new_series(out)) == 2
    assert times == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_run_on_the_folder_goes_on_where_a_list_was_stopped(listed, source, model, tmp_path):
    out = tmp_path / "out"
    everything = rows(listed)
    rewrite(listed, [row for row in everything if row["model"]][:1])
    assert harmonize("run", "--from", listed, out).exit_code == 0
    assert harmonize("run", source, out, "--model", model).exit_code == 0
    rewrite(listed, everything)
    assert harmonize("run", "--from", listed, tmp_path / "whole").exit_code == 0
    assert contents(out) == contents(tmp_path / "whole")


def test_a_list_of_another_time_does_not_go_on(listed, source, model, tmp_path):
    out = tmp_path / "out"
    assert harmonize("run", source, out, "--model", model).exit_code == 0
    before = contents(out)
    for options in ((), ("--dry-run",)):
        result = harmonize("run", "--from", listed, out, *options)
        assert result.exit_code == 1
        assert "this list is of 2023-11-14T22:13:20+00:00" in result.output
    assert contents(out) == before
    for folder in new_series(out):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    assert harmonize("run", "--from", listed, out).exit_code == 0
    assert len(new_series(out)) == 2


def test_a_series_that_is_not_as_listed_fails_and_the_others_are_done(listed, source, tmp_path):
    row = next(row for row in rows(listed) if row["model"])
    next((source / row["folder"]).iterdir()).unlink()
    report = tmp_path / "report.json"
    result = harmonize("run", "--from", listed, tmp_path / "out", "--report", report)
    assert result.exit_code == 3
    statuses = {one["series_instance_uid"]: one for one in read_report(report)["series"]}
    assert "1 of its files are there, 2 listed" in statuses[row["series"]]["reason"]
    assert len(new_series(tmp_path / "out")) == 1


@pytest.fixture
def other(listed, tmp_path):
    """Return another model, which the list names for one of the series."""
    path = write_model(tmp_path / "other.onnx", make_series_card(name="other"))
    changed = rows(listed)
    next(row for row in changed if row["model"])["model"] = str(path)
    rewrite(listed, changed)
    return path


def test_each_row_names_its_model(listed, other, tmp_path):
    """Both models take both series, and the list decides."""
    report = tmp_path / "report.json"
    result = harmonize("run", "--from", listed, tmp_path / "out", "--report", report)
    assert result.exit_code == 0, result.output
    wanted = {row["series"]: "other" if row["model"] == str(other) else "test-blur"
              for row in rows(listed) if row["model"]}  # fmt: skip
    made = {one["series_instance_uid"]: one["model"] for one in read_report(report)["series"]}
    assert {uid: made[uid] for uid in wanted} == wanted
    assert set(wanted.values()) == {"other", "test-blur"}


def test_one_model_may_have_two_names_in_a_list(listed, model, tmp_path):
    same = shutil.copy(model, tmp_path / "same.onnx")
    changed = rows(listed)
    next(row for row in changed if row["model"])["model"] = str(same)
    rewrite(listed, changed)
    result = harmonize("run", "--from", listed, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert len(new_series(tmp_path / "out")) == 2


def test_rows_for_models_that_are_not_given_are_left_out(listed, other, tmp_path):
    result = harmonize("run", "--from", listed, tmp_path / "out", "--model", other)
    assert result.exit_code == 0, result.output
    assert "1 series for other models left out" in result.output
    assert len(new_series(tmp_path / "out")) == 1


def test_a_list_does_not_give_a_finished_series_to_another_model(listed, model, other, tmp_path):
    out, report = tmp_path / "out", tmp_path / "report.json"
    assert harmonize("run", "--from", listed, out).exit_code == 0
    before, mapping = contents(out), rows(out / "mapping.csv")
    rewrite(listed, [{**row, "model": row["model"] and str(model)} for row in rows(listed)])
    both = ("--model", model, "--model", other)
    result = harmonize("run", "--from", listed, out, *both, "--report", report)
    assert result.exit_code == 3
    (failed,) = (one for one in read_report(report)["series"] if one["status"] == "failed")
    assert failed["reason"].startswith(f"OUTPUT holds it as {other} made it, and the list names")
    assert contents(out) == before
    (made,) = (row for row in mapping if row["model"] == "other")
    shutil.rmtree(out / made["output_folder"])
    assert harmonize("run", "--from", listed, out, *both).exit_code == 0
    assert [row["model"] for row in rows(out / "mapping.csv")].count("test-blur") == 2


def test_a_list_without_a_model_needs_one(listed, model, tmp_path):
    rewrite(listed, [row | {"model": ""} for row in rows(listed)])
    result = harmonize("run", "--from", listed, tmp_path / "out")
    assert result.exit_code == 2
    assert "no row names a model; name one with --model" in result.output
    assert harmonize("run", "--from", listed, tmp_path / "out", "--model", model).exit_code == 0


def test_a_list_for_other_models_only_is_refused(listed, tmp_path):
    rewrite(listed, [row for row in rows(listed) if row["model"]])
    result = harmonize("run", "--from", listed, tmp_path / "out", "--model", "b40f-to-b70f")
    assert result.exit_code == 2
    assert "no row is for b40f-to-b70f, only for" in result.output


@pytest.mark.parametrize("typed", ["{}.onnx", "link/{}.onnx"])
def test_a_model_may_be_typed_like_the_option(listed, model, other, tmp_path, monkeypatch, typed):
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    names = {str(path): typed.format(path.stem) for path in (model, other)}
    rewrite(listed, [row | {"model": names.get(row["model"], "")} for row in rows(listed)])
    result = harmonize("run", "--from", listed, "out", "--dry-run", "--report", "report.json")
    assert result.exit_code == 0, result.output
    found = [one["status"] for one in read_report(tmp_path / "report.json")["series"]]
    assert sorted(found) == ["planned", "planned", "skipped"]
    result = harmonize("run", "--from", listed, "out", "--model", model, "--dry-run")
    assert "1 series for other models left out" in result.stderr


def test_a_bad_list_ends_the_run_before_it_begins(listed, tmp_path):
    rewrite(listed, [row | {"spacing": "wide"} for row in rows(listed)])
    result = harmonize("run", "--from", listed, tmp_path / "out")
    assert result.exit_code == 1
    assert "list.csv, line 2, column spacing: 'wide' is not a number of mm" in result.output
    assert not (tmp_path / "out").exists()


def test_input_and_list_are_not_given_together(listed, source, model, tmp_path):
    result = harmonize("run", source, tmp_path / "out", "--from", listed)
    assert result.exit_code == 2
    assert "--from stands in place of INPUT" in result.output
    for arguments, missing in (((), "INPUT"), ((source,), "OUTPUT")):
        result = harmonize("run", *arguments, "--model", model)
        assert result.exit_code == 2
        assert f"Missing argument '{missing}'" in result.output
    assert "Missing option '--model'" in harmonize("run", source, tmp_path / "out").output


def test_output_must_not_lie_in_the_listed_folder(listed, source):
    result = harmonize("run", "--from", listed, source / "out")
    assert result.exit_code == 1
    assert "lie inside each other" in result.output


def test_a_list_is_not_written_into_input_nor_without_series(source, tmp_path):
    result = harmonize("scan", source, "--list", source / "list.csv")
    assert result.exit_code == 2
    assert f"the list {source / 'list.csv'} would lie inside INPUT" in result.output
    (tmp_path / "empty").mkdir()
    result = harmonize("scan", tmp_path / "empty", "--list", tmp_path / "none.csv")
    assert result.exit_code == 1
    assert "no CT series; no list written" in result.output
    assert not (tmp_path / "none.csv").exists()


def test_a_list_names_packaged_models_where_none_is_given(tmp_path):
    write_sample_series(tmp_path / "in", "B40f", slices=2, size=64)
    path = tmp_path / "list.csv"
    assert harmonize("scan", tmp_path / "in", "--list", path).exit_code == 0
    assert [row["model"] for row in rows(path)] == ["b40f-to-b70f"]


def test_two_models_that_fit_are_left_to_the_user(source, model, tmp_path):
    other = write_model(tmp_path / "other.onnx", make_series_card(name="other"))
    path = tmp_path / "list.csv"
    options = ("--model", model, "--model", other, "--list", path)
    assert harmonize("scan", source, *options).exit_code == 0
    assert {row["model"] for row in rows(path)} == {f"{model} | {other}", ""}
    result = harmonize("run", "--from", path, tmp_path / "out")
    assert result.exit_code == 1
    assert "column model: names several that fit" in result.output
