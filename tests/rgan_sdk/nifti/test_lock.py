"""One run at a time for a file, and nothing left of one that was killed."""

import fcntl

import pytest

from rgan_sdk.errors import OutputBusyError, OutputError
from rgan_sdk.nifti.lock import lock_file


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_file_and_its_sidecar_are_held_once(tmp_path, name):
    with lock_file(tmp_path / "a.nii"):
        with lock_file(tmp_path / "b.nii"):
            pass
        with (
            pytest.raises(OutputBusyError, match=f"{name}: another run writes there"),
            lock_file(tmp_path / name),
        ):
            pass
    with lock_file(tmp_path / name):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_held_again", [False, True])
def test_a_run_that_begins_while_another_ends_holds_nothing(tmp_path, monkeypatch, is_held_again):
    place, lock = tmp_path / ".a.json.lock", fcntl.flock

    def lock_late(file, how):
        place.unlink()  # as the other does at its end
        if is_held_again:
            place.touch()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    with pytest.raises(OutputBusyError), lock_file(tmp_path / "a.nii"):
        pass
    assert place.exists() == is_held_again


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path):
    left = [".a[1].nii.gz.9419c77b.part", ".a[1].json.d28658e1.part", ".a[1].json.lock"]
    others = [".a1.nii.gz.9419c77b.part", "a[1].nii.gz.9419c77b.part", ".a[1].nii.gz.mine.part"]
    for name in (*left, *others):
        (tmp_path / name).touch()
    with lock_file(tmp_path / "a[1].nii.gz"):
        assert not any((tmp_path / name).exists() for name in left[:2])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path):
    with (
        pytest.raises(OutputError, match=r"a\.nii: cannot be written"),
        lock_file(tmp_path / "absent" / "a.nii"),
    ):
        pass
