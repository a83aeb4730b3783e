"""The cache folder is this user's own."""

import stat

import pytest

from rgan_sdk.cache import cache_folder, read_own, write_own
from rgan_sdk.errors import ConfigurationError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RGAN_CACHE", str(tmp_path / "cache"))


def test_what_is_written_is_read(tmp_path):
    path = cache_folder("plans") / "one"
    assert path.parent == tmp_path / "cache" / "plans"
    write_own(path, b"first")
    write_own(path, b"content")
    assert read_own(path) == b"content"
    assert [file.name for file in path.parent.iterdir()] == ["one"]


def test_others_can_neither_read_nor_list_it():
    path = cache_folder("plans") / "one"
    write_own(path, b"content")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_what_others_can_write_to_is_not_trusted(mode):
    path = cache_folder("plans") / "one"
    write_own(path, b"content")
    path.chmod(mode)
    assert read_own(path) is None


def test_an_absent_file_is_none():
    assert read_own(cache_folder("plans") / "absent") is None


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("RGAN_CACHE", str(tmp_path / "file"))
    with pytest.raises(ConfigurationError, match="set RGAN_CACHE"):
        cache_folder("plans")
    with pytest.raises(ConfigurationError, match="set RGAN_CACHE"):
        write_own(tmp_path / "absent" / "file", b"content")
