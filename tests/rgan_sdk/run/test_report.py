"""The report as JSON."""

import json

import pytest

from rgan_sdk.errors import OutputError
from rgan_sdk.run.report import Report, SeriesEntry
from rgan_sdk.run.reports.files import FileEntries, FileEntry


@pytest.fixture
def report():
    files = FileEntries()
    files.append(FileEntry("b.dcm", "done"))
    files.append(FileEntry("c.dcm", "failed", "it broke"))
    files.append(FileEntry("a.dcm", "done"))
    return Report(
        environment={"python": "3.11"},
        series=[
            SeriesEntry("1.2.3", 0, "B40f", 2, "done", clips=3, output="2.25.7"),
            SeriesEntry("1.2.4", 0, None, 1, "failed", "it broke"),
        ],
        files=files,
        stages={"read": 1.0, "infer": 5.0, "write": 2.0},
    )


def test_outcomes_are_counted(report):
    assert report.summary == {
        "series": {"done": 1, "skipped": 0, "failed": 1},
        "files": {"done": 2, "skipped": 0, "failed": 1},
    }


def test_a_plan_counts_what_is_planned():
    report = Report({}, series=[SeriesEntry("1.2", 0, "B40f", 1, "planned")])
    assert report.summary["series"] == {"planned": 1, "skipped": 0, "failed": 0}
    assert report.summary["files"] == {"done": 0, "skipped": 0, "failed": 0}


def test_the_slowest_stage_sets_the_pace(report):
    assert report.bottleneck == "infer"


def test_json_holds_everything_files_by_path(report):
    content = json.loads(report.to_json())
    assert content["schema"] == 1
    assert content["summary"] == report.summary
    assert [file["path"] for file in content["files"]] == ["a.dcm", "b.dcm", "c.dcm"]
    assert content["files"][2] == {
        "path": "c.dcm",
        "status": "failed",
        "reason": "it broke",
        "sha256": None,
    }
    assert content["series"][0]["output"] == "2.25.7"
    of_other_runs = {"advice", "models", "parts"}  # of scans, several models, merged runs
    assert set(content) == {"schema", "summary", *vars(report)} - of_other_runs - {"aim"}


def test_each_series_and_file_has_a_line(report):
    lines = report.to_json().splitlines()
    assert sum('"path":' in line for line in lines) == 3
    assert sum('"series_instance_uid":' in line for line in lines) == 2


def test_a_report_is_written_whole(report, tmp_path):
    path = tmp_path / "report.json"
    path.write_text("an older one")
    report.write(path)
    assert path.read_text() == report.to_json()
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_a_report_that_cannot_be_written_leaves_the_old_one(report, tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    path.write_text("an older one")
    monkeypatch.setattr(FileEntries, "to_json", lambda *_: iter(["{}", "\ud800"]))
    with pytest.raises(UnicodeEncodeError):
        report.write(path)
    assert path.read_text() == "an older one"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]
    with pytest.raises(OutputError, match="cannot write the report"):
        Report({}).write(tmp_path / "absent" / "report.json")
