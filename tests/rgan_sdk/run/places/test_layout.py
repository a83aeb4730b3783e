"""Folders of OUTPUT, and names of files in them."""

import stat
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from rgan_sdk.dicom.header import pseudonym
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_sdk.errors import OutputError
from rgan_sdk.run.places.layout import file_names, find_obstacle, folder_above, make_folders

ABOVE = PurePosixPath("3bb5d67ab461/5e888a649a52")


@pytest.fixture
def series(tmp_path):
    write_sample_series(tmp_path / "in", "B40f", slices=3, size=32)
    return find_series(tmp_path / "in").series[0]


def test_folders_are_named_by_pseudonyms(series):
    study = pseudonym(series.study_instance_uid)
    assert folder_above(series, "series") == PurePosixPath()
    assert folder_above(series, "study") == PurePosixPath(study)
    assert folder_above(series, "patient") == PurePosixPath(series.patient, study)
    hostile = replace(series, study_instance_uid="../../etc")
    assert len(folder_above(hostile, "study").name) == 12


def test_sorted_names_count_by_position(series):
    assert file_names(series, "uid") == {}
    names = file_names(series, "sorted")
    assert [names[file.sop_instance_uid] for file in series.slices] == [
        "0001.dcm",
        "0002.dcm",
        "0003.dcm",
    ]


def test_long_series_get_longer_names_so_that_these_sort(series):
    many = tuple(
        replace(series.slices[0], sop_instance_uid=f"1.2.{10_000 + n}", position=float(n))
        for n in range(10_000)
    )
    names = list(file_names(replace(series, slices=many), "sorted").values())
    assert (names[0], names[-1]) == ("00001.dcm", "10000.dcm")
    assert names == sorted(set(names))


def test_folders_are_made_for_their_owner_only(tmp_path):
    for _ in range(2):
        make_folders(tmp_path, ABOVE, durable=True)
    for folder in (tmp_path / ABOVE, (tmp_path / ABOVE).parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert find_obstacle(tmp_path, ABOVE) == ""


@pytest.mark.parametrize("place", [ABOVE.parent, ABOVE])
@pytest.mark.parametrize("kind", ["symbolic link", "not a folder"])
def test_nothing_is_put_behind_a_link_or_a_file(tmp_path, place, kind):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / place).parent.mkdir(parents=True)
    if kind == "not a folder":
        (out / place).touch()
    else:
        (out / place).symlink_to(elsewhere)
    assert f"{place} in OUTPUT is " in find_obstacle(out, ABOVE)
    assert kind in find_obstacle(out, ABOVE)
    with pytest.raises(OutputError, match="choose another OUTPUT"):
        make_folders(out, ABOVE, durable=False)
    assert list(elsewhere.iterdir()) == []


def test_output_itself_may_be_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    make_folders(tmp_path / "out", ABOVE, durable=True)
    assert (tmp_path / "disk" / ABOVE).is_dir()
