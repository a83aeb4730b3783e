"""The series of a list are found again, and nothing else is looked at."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pydicom
import pytest
from support.dicom_phantoms import uid, write_series

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.run.worklist import ListedSeries, WorkList
from rgan_sdk.run.worklist.search import find_listed


@pytest.fixture
def root(tmp_path):
    write_series(tmp_path / "in" / "a", 3, series=1)
    write_series(tmp_path / "in" / "b", 2, series=2)
    return tmp_path / "in"


def make_list(root) -> WorkList:
    rows = (ListedSeries.of(series, root, []) for series in find_series(root).series)
    numbered = (replace(row, line=number) for number, row in enumerate(rows, 2))
    return WorkList(root / "w.csv", root, datetime(2026, 1, 1, tzinfo=UTC), tuple(numbered))


def only(work: WorkList, *places: int) -> WorkList:
    return replace(work, rows=tuple(work.rows[place] for place in places))


def test_the_same_series_are_found_as_in_the_whole_folder(root):
    found = find_listed(make_list(root))
    assert found.series == find_series(root).series
    assert found.failed == found.outcomes == ()


def test_only_the_folders_of_listed_series_are_read(root):
    seen = []
    (root / "junk").mkdir()
    (root / "junk" / "notes.txt").write_text("no DICOM")
    (root / "a" / "notes.txt").write_text("no DICOM")
    found = find_listed(only(make_list(root), 0), seen.append)
    assert [series.series_instance_uid for series in found.series] == [uid(1, 1)]
    assert sum(seen) == 4
    assert found.outcomes == ()


def test_a_folder_is_not_searched_deeper_than_its_series_lies(root):
    write_series(root, 1, series=3)
    work = make_list(root)
    assert [str(row.folder) for row in work.rows] == ["a", "b", "."]
    seen = []
    assert len(find_listed(only(work, 2), seen.append).series) == 1
    assert sum(seen) == 1


def test_a_series_in_several_folders_is_found(root):
    (root / "b" / "more").mkdir()
    (root / "b" / "2-0.dcm").rename(root / "b" / "more" / "x.dcm")
    work = make_list(root)
    assert [str(row.folder) for row in work.rows] == ["a", "b/**"]
    assert find_listed(work).series == find_series(root).series


def test_a_group_of_slices_keeps_its_number_without_the_others(root):
    write_series(root / "c", 2, series=3)
    for path in write_series(root / "d", 2, series=4, ConvolutionKernel="B70f"):
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = uid(1, 3)
        dataset.save_as(path)
    work = make_list(root)
    whole = find_series(root).series
    assert [(row.group, row.kernel) for row in work.rows[2:]] == [(0, "B40f"), (1, "B70f")]
    assert find_listed(only(work, 3)).series == whole[3:]


def failed(work: WorkList) -> str:
    """Return why the first listed series failed; the second is found all the same."""
    found = find_listed(work)
    assert [series.series_instance_uid for series in found.series] == [uid(1, 2)]
    (one,) = found.failed
    assert one.series_instance_uid == uid(1, 1)
    assert {outcome.reason for outcome in one.outcomes} <= {one.reason}
    return one.reason


def test_missing_files_and_folders_fail_their_series_by_line(root):
    work = make_list(root)
    (root / "a" / "1-0.dcm").unlink()
    assert failed(work) == (
        "2 of its files are there, 3 listed; write the list again with "
        "`rgan-harmonize scan --list` (w.csv, line 2)"
    )
    for path in (root / "a").iterdir():
        path.unlink()
    assert failed(work).startswith("no file of it is in the folder a any more")
    (root / "a").rmdir()
    assert failed(work).startswith("folder a cannot be read: No such file")


def test_a_folder_behind_a_link_is_not_followed(root, tmp_path):
    work = make_list(root)
    (root / "a").rename(tmp_path / "elsewhere")
    (root / "a").symlink_to(tmp_path / "elsewhere")
    assert failed(work).startswith("folder a lies behind a symbolic link")


def test_a_changed_file_fails_its_series(root):
    work = make_list(root)
    path = root / "a" / "1-0.dcm"
    dataset = pydicom.dcmread(path)
    dataset.SeriesDescription = "a much longer description"
    dataset.save_as(path)
    assert failed(work).startswith("its files are not those that were listed")
    path.write_bytes(path.read_bytes()[:-20])
    assert failed(work).startswith("a/1-0.dcm: truncated: PixelData")


def test_a_file_that_may_have_been_a_slice_fails_the_listed_series_beside_it(root):
    work = make_list(root)
    (root / "a" / "1-3.dcm").touch()
    assert failed(work).startswith("a/1-3.dcm: empty file; it may have been a slice")


@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("ConvolutionKernel", "B70f", "ConvolutionKernel (0018,1210) is B70f, B40f is listed"),
        ("PixelSpacing", [0.8, 0.8], "PixelSpacing (0028,0030) is 0.8 mm, 0.7 mm is listed"),
    ],
)
def test_a_header_of_the_same_size_that_says_otherwise_fails(root, attribute, value, reason):
    work = make_list(root)
    for path in (root / "a").iterdir():
        dataset = pydicom.dcmread(path)
        setattr(dataset, attribute, value)
        dataset.save_as(path)
    assert failed(work).startswith(reason)


def test_each_file_has_one_outcome_where_rows_share_a_series(root):
    for path in write_series(root / "c", 2, series=4, ConvolutionKernel="B70f"):
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = uid(1, 1)
        dataset.save_as(path)
    work = make_list(root)
    (root / "a" / "1-0.dcm").unlink()
    found = find_listed(work)
    good = [file.path for series in found.series for file in series.slices]
    bad = [outcome.path for one in found.failed for outcome in one.outcomes]
    assert len({*good, *bad}) == len(good) + len(bad) == 6


def test_a_copy_elsewhere_does_no_harm(root):
    work = make_list(root)
    shutil.copytree(root / "a", root / "copy of a")
    assert len(find_listed(work).series) == 2
