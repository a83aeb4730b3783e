"""Files that are there whole or not at all."""

import hashlib
import os
import stat
import threading
from pathlib import Path

import pytest

from rgan_sdk.errors import OutputError
from rgan_sdk.files import atomic_write, decode_text, file_sha256, is_utf8, sync


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_replaces_the_one_before(tmp_path):
    path = tmp_path / "file.json"
    path.write_text("before")
    with atomic_write(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
        assert temporary.parent == tmp_path
    assert path.read_text() == "after"
    assert names(tmp_path) == ["file.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_all_is_as_before(tmp_path, error):
    path = tmp_path / "file.json"
    path.write_text("before")

    def fail():
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "before"
    assert names(tmp_path) == ["file.json"]


def test_writers_do_not_meet(tmp_path):
    """Several processes may write the same file: each has a temporary file of its own."""
    path, barrier = tmp_path / "file", threading.Barrier(8)

    def write(number):
        with atomic_write(path) as temporary:
            barrier.wait()
            temporary.write_text(str(number) * 1000)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(path.read_text())) == 1
    assert len(path.read_text()) == 1000
    assert names(tmp_path) == ["file"]


def test_a_durable_file_is_synced_before_it_has_its_name(tmp_path, monkeypatch):
    seen = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda file: (seen.append("fsync"), fsync(file))[1])
    monkeypatch.setattr(
        Path, "replace", lambda path, target: (seen.append("rename"), replace(path, target))[1]
    )
    with atomic_write(tmp_path / "file", durable=True) as temporary:
        temporary.write_text("content")
    assert seen == ["fsync", "rename"]
    seen.clear()
    with atomic_write(tmp_path / "file") as temporary:
        temporary.write_text("content")
    assert seen == ["rename"]


def test_a_folder_that_is_not_there(tmp_path):
    def write():
        with atomic_write(tmp_path / "absent" / "file") as temporary:
            temporary.write_text("content")

    with pytest.raises(FileNotFoundError):
        write()


def test_the_mode_is_what_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "file") as temporary:
            temporary.write_text("content")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_hash_is_that_of_the_content(tmp_path):
    content = os.urandom(300_000)
    (tmp_path / "file").write_bytes(content)
    assert file_sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    with pytest.raises(FileNotFoundError):
        file_sha256(tmp_path / "absent")


def test_what_cannot_be_synced_is_told(tmp_path):
    sync(tmp_path)
    with pytest.raises(OutputError, match="absent cannot be written"):
        sync(tmp_path / "absent")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_texts_that_people_edit(encoding):
    assert decode_text("Müller;1\r\n".encode(encoding)) == "Müller;1\r\n"
    assert decode_text(b"\xfe\xff" + "Müller".encode("utf-16-be")) == "Müller"


def test_a_text_that_is_not_utf_8():
    with pytest.raises(UnicodeDecodeError):
        decode_text(b"M\xfcller")
    assert decode_text(b"M\xfcller", "surrogateescape") == os.fsdecode(b"M\xfcller")


def test_names_that_are_not_utf_8():
    assert is_utf8("Müller \U0001f600")
    assert not is_utf8(os.fsdecode(b"M\xfcller"))
