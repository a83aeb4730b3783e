"""Files beside slices that may have been slices themselves."""

from pathlib import Path

import pytest
from support.dicom_phantoms import write_series

from rgan_sdk.dicom.inventory import RESTORE, find_series
from rgan_sdk.dicom.read.scanner import HeaderScan
from rgan_sdk.dicom.slices.lost import place_of, series_beside
from rgan_sdk.errors import UnreadableFileError


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:600])


LOSSES = {
    empty: "empty file",
    zero: "not DICOM, only zeros at its beginning",
    cut: "PixelData is missing: the file may be truncated",
}


@pytest.mark.parametrize("lose", LOSSES)
def test_a_series_fails_if_a_file_among_its_slices_may_have_been_one(tmp_path: Path, lose):
    *_, last = write_series(tmp_path / "a", 4)
    write_series(tmp_path / "b", 4, series=2)
    lose(last)
    inventory = find_series(tmp_path)
    assert [len(series.slices) for series in inventory.series] == [4]
    assert inventory.series[0].notes == ()
    (failed,) = inventory.failed
    assert failed.reason == f"a/1-3.dcm: {LOSSES[lose]}; {RESTORE}"
    assert len(failed.outcomes) == 4
    assert inventory.outcomes == ()
    last.rename(tmp_path / "moved away.dcm")
    assert [len(series.slices) for series in find_series(tmp_path).series] == [3, 4]


def test_a_slice_that_may_not_be_read_fails_its_series(tmp_path: Path, monkeypatch):
    # Root may read everything, so the error is made here.
    paths = write_series(tmp_path, 4)
    read = HeaderScan.read

    def refusing(self, names, on_files=None):
        yield from read(self, (name for name in names if name != str(paths[1])), on_files)
        yield str(paths[1]), UnreadableFileError("cannot be read: Permission denied")

    monkeypatch.setattr(HeaderScan, "read", refusing)
    monkeypatch.setattr("rgan_sdk.dicom.inventory.read_series_uid", lambda path: None)
    (failed,) = find_series(tmp_path).failed
    assert failed.reason == f"1-1.dcm: cannot be read: Permission denied; {RESTORE}"


def test_where_several_series_lie_each_has_a_note(tmp_path: Path):
    write_series(tmp_path, 3)
    write_series(tmp_path, 3, series=2)
    write_series(tmp_path / "apart", 3, series=3)
    empty(tmp_path / "1-1.dcm")
    zero(tmp_path / "1-2.dcm")
    inventory = find_series(tmp_path)
    assert [len(series.slices) for series in inventory.series] == [1, 3, 3]
    *noted, apart = [series.notes for series in inventory.series]
    assert apart == inventory.failed == ()
    note = (
        "it, or another series in its folder, may lack slices: 1-1.dcm and 1 more (empty file); "
        "restore what was a slice, and move away what was none"
    )
    assert noted == [(note,), (note,)]
    assert [(one.path.name, one.status) for one in inventory.outcomes] == [
        ("1-1.dcm", "skipped"),
        ("1-2.dcm", "skipped"),
    ]


def test_other_files_beside_slices_hurt_nobody(tmp_path: Path):
    write_series(tmp_path, 3)
    (tmp_path / "notes.dcm").write_text("text")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n" * 50)
    (tmp_path / "done").touch()
    (tmp_path / ".dcm").touch()
    (tmp_path / "mask.raw").write_bytes(bytes(1000))
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "empty.dcm").touch()
    inventory = find_series(tmp_path)
    assert [(len(series.slices), series.notes) for series in inventory.series] == [(3, ())]
    assert {outcome.status for outcome in inventory.outcomes} == {"skipped"}
    assert inventory.failed == ()


def test_a_number_is_no_suffix():
    assert place_of("in/CT.1.2.840.7") == place_of("in/IM0001") == ("in", "")
    assert place_of("in/1.2.840.7.DCM") == place_of("in/a.dcm") == ("in", "dcm")


def test_paths_are_looked_at_only_where_a_file_is_lost():
    def unread():
        raise AssertionError
        yield

    assert series_beside([], unread()) == {}
