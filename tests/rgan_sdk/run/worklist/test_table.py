"""The work list: what it holds, what survives a spreadsheet, and what is wrong where."""

import csv
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest
from support.dicom_phantoms import uid, write_series

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.errors import ConfigurationError, OutputError
from rgan_sdk.run.worklist import ListedSeries, WorkList
from rgan_sdk.run.worklist.table import COLUMNS

BEGAN = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def work(tmp_path):
    """Return a written list: a series in one folder, and one in two with a kernel of two values."""
    root = tmp_path / "in"
    write_series(root / "a", 3, series=1)
    paths = write_series(root / "b" / "1", 2, series=2, ConvolutionKernel=["Br40d", "3"])
    (root / "b" / "2").mkdir()
    paths[0].rename(root / "b" / "2" / "moved.dcm")
    rows = [
        ListedSeries.of(series, root, models)
        for series, models in zip(find_series(root).series, (["/m.onnx"], []), strict=True)
    ]
    work = WorkList(tmp_path / "list.csv", root, BEGAN, tuple(rows))
    work.write()
    return work


def cells(work: WorkList) -> list[dict[str, str]]:
    with work.path.open(newline="") as file:
        return list(csv.DictReader(file))


def rewrite(work: WorkList, rows: list[dict[str, str]], delimiter: str = ",") -> None:
    with work.path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def test_a_row_says_what_a_series_is_and_where(work):
    first, second = cells(work)
    assert tuple(first) == COLUMNS
    assert first["root"] == second["root"] == str(work.root)
    assert first["timestamp"] == second["timestamp"] == "2026-01-31T12:00:00+00:00"
    assert [first[name] for name in ("series", "group", "folder", "files")] == [
        uid(1, 1),
        "0",
        "a",
        "3",
    ]
    assert (first["kernel"], first["spacing"], first["model"]) == ("B40f", "0.7", "/m.onnx")
    assert (second["folder"], second["kernel"], second["model"]) == ("b/**", "Br40d\\3", "")


def test_a_list_is_read_as_it_was_written(work):
    read = WorkList.read(work.path)
    assert (read.root, read.timestamp) == (work.root, BEGAN)
    assert [row.folder for row in read.rows] == [PurePosixPath("a"), PurePosixPath("b/**")]
    assert [row.line for row in read.rows] == [2, 3]
    assert read.models == ("/m.onnx",)
    assert [vars(row) | {"line": 0} for row in read.rows] == [vars(row) for row in work.rows]


@pytest.mark.parametrize("delimiter", ";\t")
def test_spreadsheets_part_cells_otherwise(work, delimiter):
    rewrite(work, cells(work), delimiter)
    assert len(WorkList.read(work.path).rows) == 2


def test_further_columns_and_deleted_rows_do_no_harm(work):
    rewrite(work, [row | {"remark": "mine"} for row in cells(work)[1:]])
    (row,) = WorkList.read(work.path).rows
    assert row.series == uid(1, 2)


def test_an_emptied_row_is_a_deleted_one(work):
    first, second = cells(work)
    rewrite(work, [dict.fromkeys(first, ""), second])
    (row,) = WorkList.read(work.path).rows
    assert (row.series, row.line) == (uid(1, 2), 3)


def test_names_of_folders_need_not_be_utf8(tmp_path):
    root = tmp_path / "in"
    folder = Path(f"{root}/\udce4 b ")
    write_series(folder, 1)
    rows = [ListedSeries.of(series, root, []) for series in find_series(root).series]
    WorkList(tmp_path / "list.csv", root, BEGAN, tuple(rows)).write()
    (row,) = WorkList.read(tmp_path / "list.csv").rows
    assert root / row.folder == folder


def test_rows_are_taken_by_model(work):
    rows = cells(work)
    rows[1]["model"] = "other"
    rewrite(work, rows)
    read = WorkList.read(work.path)
    assert [row.model for row in read.take(["/m.onnx"]).rows] == ["/m.onnx"]
    assert read.take([]).rows == ()


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("root", "in", "is '"),
        ("timestamp", "2026-01-31T12:00:00", "is '"),
        ("series", "", "is empty"),
        ("group", "-1", "'-1' is not a count"),
        ("folder", "../b", "must be relative to root"),
        ("folder", "/b", "must be relative to root"),
        ("files", "2.0", "'2.0' is not a count"),
        ("spacing", "0,7", "'0,7' is not a number of mm"),
        ("spacing", "nan", "'nan' is not a number of mm"),
        ("model", "m | other", "names several that fit, m | other; leave one of them"),
        ("sources", "", "is empty"),
    ],
)
def test_a_bad_cell_is_named_with_its_line_and_column(work, column, text, reason):
    rows = cells(work)
    rows[1][column] = text
    rewrite(work, rows)
    with pytest.raises(ConfigurationError, match=f"list.csv, line 3, column {column}: ") as caught:
        WorkList.read(work.path)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("root", "in", "in is not an absolute path"),
        ("root", "/nowhere", "there is no folder /nowhere; if it was moved, change root"),
        ("timestamp", "yesterday", "'yesterday' is not like 2026-01-31T12:00:00"),
        ("timestamp", "2026-01-31T12:00:00", "with its time zone"),
    ],
)
def test_what_holds_for_all_rows_is_named_in_the_first(work, column, text, reason):
    rewrite(work, [row | {column: text} for row in cells(work)])
    with pytest.raises(ConfigurationError, match=f"line 2, column {column}: ") as caught:
        WorkList.read(work.path)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("kernel,", "kern,", 1), "line 1: no column kernel"),
        (lambda text: text.splitlines()[0], "lists no series"),
        (lambda text: "", "line 1: no column root"),
        (lambda text: text.rsplit(",", 1)[0], "line 3, column sources: the line ends before it"),
        (lambda text: text.rstrip() + ",more", "line 3, column sources: the line has further"),
        (lambda text: text + text.splitlines()[1], "line 4, column series: 1.2.826"),
    ],
)
def test_a_list_that_is_none_is_refused(work, change, reason):
    work.path.write_text(change(work.path.read_text()))
    with pytest.raises(ConfigurationError) as caught:
        WorkList.read(work.path)
    assert reason in str(caught.value)


def test_a_list_must_be_there_and_writable(work, tmp_path):
    with pytest.raises(ConfigurationError, match=r"none.csv: cannot be read \(No such file"):
        WorkList.read(tmp_path / "none.csv")
    lost = WorkList(tmp_path / "none" / "list.csv", work.root, BEGAN, work.rows)
    with pytest.raises(OutputError, match="the list cannot be written"):
        lost.write()
