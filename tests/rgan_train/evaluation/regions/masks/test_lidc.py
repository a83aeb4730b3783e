"""Nodules in the XML of LIDC-IDRI."""

import numpy as np
import pytest
from support.dicom_phantoms import write_series
from support.lidc import roi, square, write_nodules
from support.requirements import require_data

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.regions.masks.mask import StructureChoice
from rgan_train.evaluation.regions.masks.read import read_masks

SHAPE = (4, 10, 12)


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Slices at z = -6, -4, -2 and 0 mm."""
    return scan(tmp_path_factory.mktemp("ct"))


def scan(folder, **attributes):
    write_series(folder, 4, **{"stored": np.zeros(SHAPE[1:], np.uint16)} | attributes)
    return find_series(folder).series[0]


def blocks(*boxes):
    """Return voxels, true in the boxes: slice, left, top, right, bottom."""
    voxels = np.zeros(SHAPE, bool)
    for number, left, top, right, bottom in boxes:
        voxels[number, top:bottom, left:right] = True
    return voxels


def test_outlines_lie_outside_of_the_nodule(series, tmp_path):
    rois = [roi(-4, square(3, 2, 7, 6)), roi(-2.0, square(4, 3, 6, 5))]
    (mask,) = read_masks(write_nodules(tmp_path / "a.xml", [rois]), series)
    assert (mask.name, mask.notes) == ("nodule 1, reader 1", ())
    np.testing.assert_array_equal(mask.voxels, blocks((1, 3, 2, 7, 6), (2, 4, 3, 6, 5)))


def test_the_corners_of_an_outline_are_enough(series, tmp_path):
    corners = [(2, 1), (7, 1), (7, 6), (2, 6)]
    (mask,) = read_masks(write_nodules(tmp_path / "a.xml", [[roi(-4, corners)]]), series)
    np.testing.assert_array_equal(mask.voxels, blocks((1, 3, 2, 7, 6)))
    diamond = [(5, 1), (8, 4), (5, 7), (2, 4)]
    (mask,) = read_masks(write_nodules(tmp_path / "b.xml", [[roi(-4, diamond)]]), series)
    row, column = np.indices(SHAPE[1:])
    expected = abs(row - 4) + abs(column - 5) < 3
    np.testing.assert_array_equal(mask.voxels[1], expected)


def test_an_exclusion_is_a_hole_on_its_slice_wherever_it_stands(series, tmp_path):
    hole = roi(-4, square(4, 4, 6, 6), "FALSE")
    rois = [hole, roi(-4, square(2, 2, 9, 9)), roi(-2, square(2, 2, 9, 9))]
    (mask,) = read_masks(write_nodules(tmp_path / "a.xml", [rois]), series)
    expected = blocks((1, 2, 2, 9, 9), (2, 2, 2, 9, 9)) & ~blocks((1, 4, 4, 6, 6))
    np.testing.assert_array_equal(mask.voxels, expected)


def test_what_overlaps_is_one_nodule(series, tmp_path):
    first, second = square(1, 1, 4, 4), square(6, 6, 9, 9)
    both = square(3, 3, 7, 7)
    readers = [
        [[roi(-6, first)], [roi(0, first)]],
        [[roi(-6, second)]],
        [],
        [[roi(0, square(2, 2, 5, 5))], [roi(-6, both)]],
    ]
    names = [mask.name for mask in read_masks(write_nodules(tmp_path / "a.xml", *readers), series)]
    assert names == [
        "nodule 1, reader 1",
        "nodule 1, reader 2",
        "nodule 1, reader 4",
        "nodule 2, reader 1",
        "nodule 2, reader 4",
    ]
    chosen = StructureChoice(["Nodule 2, reader 4"])
    (mask,) = read_masks(tmp_path / "a.xml", series, chosen)
    np.testing.assert_array_equal(mask.voxels, blocks((3, 2, 2, 5, 5)))


def test_nodules_under_3_mm_are_counted_in_a_note(series, tmp_path):
    point = [roi(-4, [(5, 5)])]
    path = write_nodules(tmp_path / "a.xml", [point], [[roi(-4, square(3, 2, 7, 6))], point, point])
    (mask,) = read_masks(path, series)
    assert mask.name == "nodule 1, reader 2"
    assert mask.notes == (
        "nodules under 3 mm are points and have no region (reader 1: 1, reader 2: 2)",
    )
    with pytest.raises(ConfigurationError, match="outlines no nodule: it marks 1 under 3 mm"):
        read_masks(write_nodules(tmp_path / "b.xml", [point]), series)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (roi(-3, square(3, 2, 7, 6)), "where the series has no slice"),
        (roi(-40, square(3, 2, 7, 6)), "where the series has no slice"),
        (roi(-4, square(3, 2, 12, 6)), "leaves the image, which has 12 columns and 10 rows"),
    ],
)
def test_a_nodule_that_is_not_on_the_series_is_left_out_whole(series, tmp_path, bad, reason):
    good = roi(-4, square(3, 2, 7, 6))
    first, second = read_masks(write_nodules(tmp_path / "a.xml", [[good, bad], [good]]), series)
    assert not first.voxels.any()
    assert first.notes[0].startswith("left out: an outline ")
    assert reason in first.notes[0]
    np.testing.assert_array_equal(second.voxels, blocks((1, 3, 2, 7, 6)))


def test_the_named_image_must_lie_at_the_height(series, tmp_path):
    image = series.slices[2].sop_instance_uid
    good = roi(-2, square(3, 2, 7, 6), image=image)
    (mask,) = read_masks(write_nodules(tmp_path / "a.xml", [[good]]), series)
    assert mask.voxels[2].any()
    bad = roi(-4, square(3, 2, 7, 6), image=image)
    with pytest.raises(ConfigurationError, match="refers to slice 2 of the series but lies on"):
        read_masks(write_nodules(tmp_path / "b.xml", [[bad]]), series)


def test_another_study_is_refused(series, tmp_path):
    path = write_nodules(tmp_path / "a.xml", [[roi(-4, square(3, 2, 7, 6))]], study="1.2.3")
    with pytest.raises(
        ConfigurationError, match=r"StudyInstanceUID is 1\.2\.3, that of the series"
    ):
        read_masks(path, series)
    path = write_nodules(tmp_path / "a.xml", [[roi(-4, square(3, 2, 7, 6))]], study="")
    assert read_masks(path, series)


def test_tilted_slices_are_refused(tmp_path):
    c, s = np.cos(0.3), np.sin(0.3)
    tilted = [1, 0, 0, 0, round(c, 6), round(s, 6)]
    series = scan(tmp_path / "ct", ImageOrientationPatient=tilted)
    path = write_nodules(tmp_path / "a.xml", [[roi(-4, square(3, 2, 7, 6))]])
    with pytest.raises(ConfigurationError, match="those of the series are tilted"):
        read_masks(path, series)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("<xCoord>2<", "<xCoord>two<", "noduleID 'N0': xCoord is 'two', which is no position"),
        ("<xCoord>2<", "<xCoord>nan<", "xCoord is 'nan'"),
        ("<xCoord>2<", "<xCoord>2.5<", "whole numbers"),
        ("-4 <", "<", "imageZposition is ''"),
        (">TRUE<", ">PERHAPS<", "inclusion is 'PERHAPS', neither TRUE nor FALSE; the file is"),
        ("edgeMap>", "edge>", "a roi without edgeMap"),
        ("roi>", "region>", "has no roi"),
        ("</readingSession>", "", "is not XML"),
        ("LidcReadMessage", "IdriReadMessage", "is XML, but not of LIDC: its root is Idri"),
        ("readingSession", "session", "outlines no nodule"),
        ('UTF-8"?>', 'UTF-8"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>', "refused"),
    ],
)
def test_damaged_files_are_named(series, tmp_path, old, new, reason):
    path = write_nodules(tmp_path / "a.xml", [[roi(-4, square(3, 2, 7, 6))]])
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConfigurationError, match=reason) as refused:
        read_masks(path, series)
    assert str(refused.value).startswith(f"{path}: ")


def test_four_readers_see_one_nodule_of_a_real_scan():
    folder = require_data("lidc_idri_0001_ge_standard")
    (series,) = find_series(folder).series
    masks = read_masks(folder / "LIDC-IDRI-0001_069.xml", series)
    assert [mask.name for mask in masks] == [f"nodule 1, reader {n}" for n in (1, 2, 3, 4)]
    assert [mask.voxels.sum() for mask in masks] == [5905, 4613, 4955, 5498]
    assert "reader 1: 3, reader 3: 3, reader 4: 3" in masks[0].notes[0]
    shared = np.all([mask.voxels for mask in masks], axis=0)
    assert shared.sum() == 4184
    hu = read_slice(series.slices[90].path).hu
    assert np.median(hu[shared[90]]) > -100  # soft tissue
    assert np.median(hu[~shared[90] & masks[0].voxels[90]]) < -100  # at its edge, some lung
