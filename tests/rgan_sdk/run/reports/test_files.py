"""The outcomes of files: one for each, whether they were recorded alone or with their series."""

import json

import pytest

from rgan_sdk.run.reports.files import FileEntries, FileEntry


@pytest.fixture
def entries() -> FileEntries:
    entries = FileEntries()
    entries.add(["/in/b/2", "/in/b/1"], "done", prefix="/in/", sha256s={"/in/b/2": "ff"})
    entries.append(FileEntry("a", "skipped", 'not "DICOM"', "00"))
    entries.add(["/in/b\u00e9"], "done", prefix="/in/")
    return entries


def test_each_file_has_an_entry(entries):
    expected = [
        FileEntry("b/2", "done", sha256="ff"),
        FileEntry("b/1", "done"),
        FileEntry("a", "skipped", 'not "DICOM"', "00"),
        FileEntry("b\u00e9", "done"),
    ]
    assert list(entries) == expected
    assert [entries[index] for index in range(4)] == expected
    assert (entries[-1], entries[1:3], len(entries)) == (expected[-1], expected[1:3], 4)
    with pytest.raises(IndexError):
        entries[4]


def test_outcomes_are_counted(entries):
    assert entries.outcomes() == {("done", ""): 3, ("skipped", 'not "DICOM"'): 1}


def test_json_is_sorted_by_path(entries):
    lines = json.loads(f"[{','.join(entries.to_json(','))}]")
    assert lines == [vars(entry) for entry in sorted(entries, key=lambda entry: entry.path)]
