import os
import stat
import zlib
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from support.dicom_phantoms import write_ct

from rgan_sdk.dicom import discovery
from rgan_sdk.dicom.discovery import open_dicom, walk
from rgan_sdk.errors import IneligibleError, UnreadableFileError


def reason_not_to_open(path: Path) -> str:
    with pytest.raises(IneligibleError) as caught, open_dicom(path):
        pass
    return str(caught.value)


def test_walk_lists_everything_that_is_no_folder_sorted_by_path(tmp_path: Path):
    (tmp_path / "b" / "deep.dcm").mkdir(parents=True)
    for name in ("z", "a", "b/y", "b/deep.dcm/x"):
        (tmp_path / name).write_bytes(b"")
    names = [Path(path).relative_to(tmp_path).as_posix() for path, _ in walk(tmp_path)]
    assert names == ["a", "b/deep.dcm/x", "b/y", "z"]


def test_walk_follows_no_link_and_opens_nothing_special(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo.dcm")
    problems = {Path(path).name: str(problem) for path, problem in walk(tmp_path) if problem}
    assert problems == {
        "link": "symbolic link, not followed",
        "loop": "symbolic link, not followed",
        "dangling": "symbolic link, not followed",
        "fifo.dcm": "not a regular file",
    }


def test_walk_looks_into_no_state_of_a_run(tmp_path: Path):
    kept = tmp_path / "out" / ".rgan" / "replaced"
    kept.mkdir(parents=True)
    for folder in (tmp_path / "out", kept):
        (folder / "slice").write_bytes(b"")
    (state, problem), found = walk(tmp_path)
    assert (state, str(problem)) == (
        f"{tmp_path}/out/.rgan",
        "state of an earlier run, not searched",
    )
    assert found == (f"{tmp_path}/out/slice", None)
    assert list(walk(kept.parent)) == [(f"{kept}/slice", None)]


def test_walk_accepts_a_link_as_root(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("real")
    assert [path for path, _ in walk(tmp_path / "link")] == [f"{tmp_path}/link/file"]


def test_walk_of_a_missing_root_is_an_os_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        next(walk(tmp_path / "missing"))


def test_walk_reports_a_folder_that_it_cannot_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "locked").mkdir()
    (tmp_path / "open").write_bytes(b"")
    listing = os.scandir

    def scandir(path: str | Path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    problems = {Path(path).name: problem for path, problem in walk(tmp_path)}
    assert isinstance(problems["locked"], PermissionError)
    assert problems["open"] is None


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    assert reason_not_to_open(tmp_path / "fifo") == "not a regular file"


@pytest.mark.parametrize(
    "content",
    [
        b"some text, named .dcm\n" * 20,
        b"x",
        b"MZ" + b"\x90" * 300,
        b"\x08\x00\x05\x00\xff\xff\xff\xff" + b"\0" * 100,
        b"\x00\x08\x00\x05CS\x00\x0aISO_IR 100",
    ],
)
def test_other_files_are_not_dicom_whatever_their_name(tmp_path: Path, content: bytes):
    path = tmp_path / "file.dcm"
    path.write_bytes(content)
    assert reason_not_to_open(path) == "not DICOM"


def test_zeros_are_not_dicom_but_may_have_been(tmp_path: Path):
    path = tmp_path / "file.dcm"
    for size in (1, 132, 5000):
        path.write_bytes(b"\0" * size)
        assert reason_not_to_open(path) == "not DICOM, only zeros at its beginning"


def test_an_empty_file_says_so(tmp_path: Path):
    path = tmp_path / "empty.dcm"
    path.write_bytes(b"")
    assert reason_not_to_open(path) == "empty file"


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_data_set_without_preamble_or_meta_is_dicom(tmp_path: Path, syntax: str):
    part10 = write_ct(tmp_path / "part10", syntax=syntax)
    with part10.open("rb") as file:
        dataset = dcmread(file)
    length = 128 + 4 + 12 + dataset.file_meta.FileMetaInformationGroupLength
    bare = tmp_path / "bare"
    bare.write_bytes(part10.read_bytes()[length:])
    with open_dicom(bare) as file:
        assert dcmread(file, force=True).SOPInstanceUID == dataset.SOPInstanceUID


def test_big_endian_is_recognised_by_its_preamble(tmp_path: Path):
    path = write_ct(tmp_path / "big", syntax=ExplicitVRBigEndian)
    with open_dicom(path) as file:
        assert dcmread(file).Modality == "CT"


def test_a_deflated_data_set_is_inflated(tmp_path: Path):
    path = write_ct(tmp_path / "deflated", syntax=DeflatedExplicitVRLittleEndian)
    assert b"Scanner Works" not in path.read_bytes()
    with open_dicom(path) as file:
        assert b"Scanner Works" in file.read()


def test_a_deflate_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(discovery, "MAX_INFLATED_BYTES", 1 << 20)
    path = write_ct(tmp_path / "bomb", syntax=DeflatedExplicitVRLittleEndian)
    content = path.read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    path.write_bytes(content[:start] + packer.compress(b"\0" * (8 << 20)) + packer.flush())
    with pytest.raises(UnreadableFileError, match="beyond 1 MiB"), open_dicom(path):
        pass


def test_a_truncated_deflated_data_set_is_unreadable(tmp_path: Path):
    path = write_ct(tmp_path / "cut", syntax=DeflatedExplicitVRLittleEndian)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UnreadableFileError, match="truncated"), open_dicom(path):
        pass


def test_a_foreign_error_is_translated_without_its_message(tmp_path: Path):
    path = write_ct(tmp_path / "file")
    with pytest.raises(UnreadableFileError) as caught, open_dicom(path):
        raise KeyError("DOE^JOHN")
    assert str(caught.value) == "malformed DICOM (KeyError)"


def test_too_little_memory_is_no_fault_of_the_file(tmp_path: Path):
    path = write_ct(tmp_path / "file")
    with pytest.raises(UnreadableFileError, match="not enough memory"), open_dicom(path):
        raise MemoryError


def test_a_file_that_may_not_be_read_says_why(tmp_path: Path):
    with pytest.raises(UnreadableFileError, match="No such file"), open_dicom(tmp_path / "gone"):
        pass


def test_looking_at_a_file_leaves_it_alone(tmp_path: Path):
    path = write_ct(tmp_path / "file")
    path.chmod(stat.S_IRUSR)
    before = path.read_bytes(), path.stat().st_mtime_ns
    with open_dicom(path) as file:
        file.read()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
