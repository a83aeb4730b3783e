"""What the group may read."""

import stat
from pathlib import Path

import pytest

from rgan_sdk.run.delivery.sharing import open_to_group, share
from rgan_sdk.run.report import Report


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    for name in ("p/s/1.2.3", "p/s/1.2.4", ".rgan"):
        folder.joinpath(name).mkdir(parents=True)
    for name in ("p/s/1.2.3/1.dcm", "p/s/1.2.4/1.dcm", ".rgan/lock", "secret"):
        folder.joinpath(name).touch()
    (folder / "p/s/1.2.3/link").symlink_to(folder / "secret")
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)
    tmp_path.chmod(0o700)
    return folder


def test_a_series_and_the_way_to_it_are_opened_and_nothing_else(out):
    report = Report({})
    open_to_group(out, "p/s/1.2.3", report)
    open_to_group(out, "absent.csv", report)
    opened = {path for path in (out.parent, out, *out.rglob("*")) if mode(path) & stat.S_IRGRP}
    way = [out, out / "p", out / "p/s", out / "p/s/1.2.3"]
    assert opened == {*way, out / "p/s/1.2.3/1.dcm", out / "p/s/1.2.3/link"}  # a link has all
    assert [mode(path) for path in way] == [0o750] * 4
    assert mode(out / "p/s/1.2.3/1.dcm") == 0o640
    assert report.warnings == []


def test_no_right_is_lost(out):
    out.chmod(0o2775)
    (out / "p/s/1.2.3/1.dcm").chmod(0o444)
    open_to_group(out, "p/s/1.2.3", Report({}))
    assert (mode(out), mode(out / "p/s/1.2.3/1.dcm")) == (0o2775, 0o444)


def test_a_folder_that_cannot_be_read_is_a_warning(out, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    report = Report({})
    monkeypatch.setattr(Path, "iterdir", refuse)
    open_to_group(out, "p/s/1.2.3", report)
    assert report.warnings == ["1.2.3 cannot be made readable for the group (Permission denied)"]
    assert mode(out / "p/s/1.2.3") == 0o750


def test_what_cannot_be_opened_is_a_warning(out, monkeypatch):
    def refuse(path, mode):
        raise PermissionError(1, "Operation not permitted", str(path))

    report = Report({})
    monkeypatch.setattr(Path, "chmod", refuse)
    share([out / "secret", out / "absent"], report)
    assert report.warnings == [
        "secret cannot be made readable for the group (Operation not permitted)"
    ]
