"""How series stand in OUTPUT. tests/rgan_sdk/cli/test_resume.py has whole runs."""

import json
import os
from functools import partial

import pytest
from support.damage import EXTRA, FILES

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.run.directory import harmonize_directory, plan_directory
from rgan_sdk.run.observer import SilentObserver
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.outputs import examine, take_the_place
from rgan_sdk.run.state.damage import find_damage
from rgan_sdk.run.state.identity import make_derivation
from rgan_sdk.run.state.journal import read_journal


def test_what_was_there_is_kept_each_time(folder, tmp_path):
    replaced = tmp_path / "replaced"
    for number in (1, 2):
        (folder / EXTRA).write_text(f"keep me {number}")
        new = tmp_path / "new"
        new.mkdir()
        assert take_the_place(new, folder, replaced) == f"1.2.3-{number}"
        assert (replaced / f"1.2.3-{number}" / EXTRA).read_text() == f"keep me {number}"
        assert list(folder.iterdir()) == []
    new.mkdir()
    assert take_the_place(new, folder, replaced) == ""  # an empty folder is nothing to keep
    assert len(list(replaced.iterdir())) == 2


def test_if_there_is_nothing_to_put_in_place_all_stays(folder, tmp_path):
    with pytest.raises(FileNotFoundError):
        take_the_place(tmp_path / "absent", folder, tmp_path / "replaced")
    assert find_damage(folder, FILES) == ""


def test_a_link_that_leads_nowhere_is_kept(tmp_path):
    (tmp_path / "1.2.3").symlink_to(tmp_path / "unmounted")
    (tmp_path / "new").mkdir()
    assert take_the_place(tmp_path / "new", tmp_path / "1.2.3", tmp_path / "replaced") == "1.2.3-1"
    assert (tmp_path / "replaced" / "1.2.3-1").is_symlink()


def test_a_finished_folder_that_is_a_link_now_is_made_anew(source, bound, finished, tmp_path):
    out, name = finished
    elsewhere = (out / name).rename(tmp_path / "elsewhere")
    (out / name).symlink_to(elsewhere)
    report = harmonize_directory(source, out, bound())
    (again,) = (entry for entry in report.series if entry.output)
    assert again.reason.startswith("done again, a symbolic link in place of its folder")
    assert (out / name).is_dir()
    assert not (out / name).is_symlink()
    assert (out / ".rgan" / "replaced" / f"{name}-1").readlink() == elsewhere
    assert len(list(elsewhere.iterdir())) == 3


class Counting(SilentObserver):
    def __init__(self):
        self.heard = []

    def on_verified(self, files, total):
        self.heard.append((files, total))


@pytest.fixture
def finished(source, tmp_path, bound):
    report = harmonize_directory(source, tmp_path / "out", bound())
    return tmp_path / "out", next(entry.output for entry in report.series if entry.output)


def stand(source, out, harmonizer, options=None, observer=None):
    (series,) = find_series(source / "taken").series
    earlier = read_journal(out)
    derive = partial(make_derivation, harmonizer, earlier.timestamp)
    (standing,) = examine(
        [series], derive, out, earlier.finished, options or RunOptions(), observer
    )
    return standing


def test_the_observer_hears_of_each_file_that_is_verified(source, bound, finished):
    observer = Counting()
    standing = stand(source, finished[0], bound(), RunOptions(verify_outputs=True), observer)
    assert standing.is_done
    assert observer.heard == [(3, 3)]
    observer = Counting()
    assert stand(source, finished[0], bound(), observer=observer).is_done
    assert observer.heard == []


def test_a_folder_that_cannot_be_read_is_not_replaced(source, bound, finished, monkeypatch):
    def denied(path):
        if path == finished[0] / finished[1]:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    scandir = os.scandir
    monkeypatch.setattr("rgan_sdk.run.state.damage.os.scandir", denied)
    standing = stand(source, finished[0], bound())
    assert not standing.is_done
    assert standing.conflict == f"{finished[1]} in OUTPUT cannot be read (Permission denied)"


def test_a_plan_fails_what_the_run_would_fail(source, bound, finished):
    out, _ = finished
    journal = out / ".rgan" / "journal.jsonl"
    run, series = map(json.loads, journal.open())
    journal.write_text(f"{json.dumps(run)}\n{json.dumps({**series, 'sources': '00' * 32})}\n")
    planned = plan_directory(source, out, bound())
    report = harmonize_directory(source, out, bound())
    assert [entry.reason for entry in planned.series] == [entry.reason for entry in report.series]
    assert "its files have other sizes than those that" in planned.series[-1].reason
    assert planned.series[-1].status == "failed"
