import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import RTStructureSetStorage
from support.dicom_phantoms import save, uid, write_series
from support.requirements import require_data

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.regions.masks.mask import StructureChoice
from rgan_train.evaluation.regions.masks.read import empty_names, read_masks

ROWS, COLUMNS = 10, 12
FRAME_OF_REFERENCE = uid(2)


def write_scan(folder, slices=4, **attributes):
    stored = np.zeros((ROWS, COLUMNS), np.uint16)
    write_series(folder, slices, **{"stored": stored, "PixelSpacing": [0.5, 0.8]} | attributes)


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Slices at z = -6, -4, -2 and 0 mm, the first pixel at x = -10, y = -20 mm."""
    folder = tmp_path_factory.mktemp("ct")
    write_scan(folder)
    return find_series(folder).series[0]


def box(number, left, top, right, bottom, kind="CLOSED_PLANAR", dz=0.0, image=None):
    """Return a contour along the edges of pixels."""
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    points = [
        (-10 + 0.8 * (x - 0.5), -20 + 0.5 * (y - 0.5), -6 + 2 * number + dz) for x, y in corners
    ]
    return contour(points, kind, image)


def contour(points, kind="CLOSED_PLANAR", image=None):
    item = Dataset()
    item.ContourGeometricType = kind
    item.NumberOfContourPoints = len(points)
    item.ContourData = [f"{value:.3f}" for value in np.ravel(points)]
    if image is not None:
        item.ContourImageSequence = [Dataset()]
        item.ContourImageSequence[0].ReferencedSOPInstanceUID = image
    return item


def write(path, structures, frame_of_reference=FRAME_OF_REFERENCE):
    """Write a structure set whose contours have another order than the names."""
    dataset = Dataset()
    dataset.SOPClassUID = RTStructureSetStorage
    dataset.SOPInstanceUID = uid(7)
    dataset.Modality = "RTSTRUCT"
    names, contours = [], []
    for number, (name, items) in enumerate(structures, start=5):
        names.append(Dataset())
        names[-1].ROINumber = number
        names[-1].ROIName = name
        names[-1].ReferencedFrameOfReferenceUID = frame_of_reference
        if items is not None:
            contours.append(Dataset())
            contours[-1].ReferencedROINumber = number
            contours[-1].ContourSequence = items
    dataset.StructureSetROISequence = names
    dataset.ROIContourSequence = contours[::-1]
    return save(path, dataset)


def blocks(*boxes):
    """Return voxels, true in the boxes: slice, left, top, right, bottom."""
    voxels = np.zeros((4, ROWS, COLUMNS), bool)
    for number, left, top, right, bottom in boxes:
        voxels[number, top:bottom, left:right] = True
    return voxels


def test_contours_are_filled_on_their_slices(series, tmp_path):
    tumour = [box(2, 1, 2, 5, 6), box(0, 3, 3, 4, 4), box(2, 7, 2, 9, 9)]
    path = write(tmp_path / "a.dcm", [("Tumour", tumour), ("Node", [box(1, 0, 0, 12, 10)])])
    first, second = read_masks(path, series)
    assert (first.name, second.name) == ("Tumour", "Node")
    np.testing.assert_array_equal(
        first.voxels, blocks((2, 1, 2, 5, 6), (0, 3, 3, 4, 4), (2, 7, 2, 9, 9))
    )
    np.testing.assert_array_equal(second.voxels, blocks((1, 0, 0, 12, 10)))


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_a_contour_within_another_is_a_hole_on_its_slice_only(series, tmp_path, kind):
    contours = [
        box(1, 1, 1, 8, 8, kind),
        box(1, 3, 3, 5, 5, kind),
        box(2, 3, 3, 5, 5, kind),
    ]
    other = [box(1, 4, 4, 6, 6)]
    mask, second = read_masks(write(tmp_path / "a.dcm", [("a", contours), ("b", other)]), series)
    expected = blocks((1, 1, 1, 8, 8), (2, 3, 3, 5, 5)) & ~blocks((1, 3, 3, 5, 5))
    np.testing.assert_array_equal(mask.voxels, expected)
    np.testing.assert_array_equal(second.voxels, blocks((1, 4, 4, 6, 6)))
    assert mask.notes == second.notes == ()


def test_a_pixel_counts_if_its_centre_is_inside(series, tmp_path):
    inside = [
        (-10 + 0.8 * x, -20 + 0.5 * y, -6)
        for x, y in [(2.9, 2.9), (5.1, 2.9), (5.1, 4.1), (2.9, 4.1)]
    ]
    (mask,) = read_masks(write(tmp_path / "a.dcm", [("a", [contour(inside)])]), series)
    np.testing.assert_array_equal(mask.voxels, blocks((0, 3, 3, 6, 5)))


def test_the_slices_may_stand_obliquely(tmp_path):
    c, s = np.cos(0.3), np.sin(0.3)
    row, column, normal = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    for number in range(3):
        write_scan(
            tmp_path / "ct",
            1,
            series=number + 1,
            SeriesInstanceUID=uid(1, 1),
            ImageOrientationPatient=[f"{value:.8f}" for value in (*row, *column)],
            ImagePositionPatient=[f"{value:.6f}" for value in 2.0 * number * normal],
        )
    series = find_series(tmp_path / "ct").series[0]
    corners = [(2.6, 1.6), (5.4, 1.6), (5.4, 8.4), (2.6, 8.4)]
    points = [2 * normal + 0.8 * x * row + 0.5 * y * column for x, y in corners]
    (mask,) = read_masks(write(tmp_path / "a.dcm", [("a", [contour(points)])]), series)
    np.testing.assert_array_equal(mask.voxels, blocks((1, 3, 2, 6, 9))[:3])


@pytest.mark.parametrize("dz", [0.45, -0.45])
def test_rounded_positions_are_on_their_slice(series, tmp_path, dz):
    path = write(tmp_path / "a.dcm", [("a", [box(1, 1, 1, 4, 4, dz=dz)])])
    np.testing.assert_array_equal(read_masks(path, series)[0].voxels, blocks((1, 1, 1, 4, 4)))


@pytest.mark.parametrize(("number", "dz"), [(1, 0.55), (1, 1.0), (0, -0.55), (3, 2.0)])
def test_contours_between_or_beyond_the_slices(series, tmp_path, number, dz):
    path = write(tmp_path / "a.dcm", [("Tumour", [box(number, 1, 1, 4, 4, dz=dz)])])
    with pytest.raises(ConfigurationError, match="Tumour: contour 1 lies at"):
        read_masks(path, series)


def test_a_contour_across_slices(series, tmp_path):
    points = [(-9, -18, -6), (-7, -18, -6), (-7, -18, -2)]
    path = write(tmp_path / "a.dcm", [("Tumour", [contour(points)])])
    with pytest.raises(ConfigurationError, match=r"Tumour: contour 1 lies at -6.000 to -2.000 mm"):
        read_masks(path, series)


def test_points_and_lines_enclose_nothing_and_are_not_dropped(series, tmp_path):
    structures = [
        ("Isocentre", [contour([(0, 0, 33)], "POINT")]),
        ("Cut", [box(1, 1, 1, 4, 4, "OPEN_PLANAR")]),
        ("Nothing", []),
        ("Without contours", None),
        ("Tumour", [box(1, 1, 1, 4, 4)]),
    ]
    masks = read_masks(write(tmp_path / "a.dcm", structures), series)
    assert [mask.name for mask in masks] == [name for name, _ in structures]
    assert empty_names(masks) == ["Isocentre", "Cut", "Nothing", "Without contours"]


def test_nothing_at_all(series, tmp_path):
    path = write(tmp_path / "a.dcm", [("Isocentre", None), ("Cut", [])])
    with pytest.raises(ConfigurationError, match=r"marks no pixel .* \(Isocentre, Cut\); give"):
        read_masks(path, series)
    with pytest.raises(ConfigurationError, match="marks no pixel of the series; give another mask"):
        read_masks(write(tmp_path / "b.dcm", []), series)


def test_names_that_are_missing_or_come_twice(series, tmp_path):
    items = [box(1, 1, 1, 4, 4)]
    stored = ["Node", "", "Node", "Node", "Node (2)"]
    path = write(tmp_path / "a.dcm", [(name, items) for name in stored])
    names = [mask.name for mask in read_masks(path, series)]
    assert names == ["Node", "ROI 6", "Node (2)", "Node (3)", "Node (2) (2)"]


def test_coordinates_come_in_threes(series, tmp_path):
    broken = box(1, 1, 1, 4, 4)
    broken.ContourData = broken.ContourData[:-1]
    path = write(tmp_path / "a.dcm", [("Tumour", [broken])])
    with pytest.raises(ConfigurationError, match="Tumour: contour 1 has 11 coordinates, not three"):
        read_masks(path, series)


def test_another_frame_of_reference(series, tmp_path):
    structures = [("a", [box(1, 1, 1, 4, 4)])]
    with pytest.raises(ConfigurationError, match=r"FrameOfReferenceUID is 1\.2\.3, that of"):
        read_masks(write(tmp_path / "a.dcm", structures, "1.2.3"), series)
    assert len(read_masks(write(tmp_path / "b.dcm", structures, ""), series)) == 1


def test_the_image_tells_apart_slices_at_one_position(tmp_path):
    for phase in (1, 2):
        write_scan(tmp_path / "ct", 2, series=phase, SeriesInstanceUID=uid(1, 1))
    (series,) = find_series(tmp_path / "ct").series
    assert len(series.slices) == 4
    wanted = series.slices[3].sop_instance_uid
    at = 3 + series.slices[3].position / 2  # box() counts from -6 mm

    def read(image):
        path = tmp_path / "a.dcm"
        return read_masks(write(path, [("a", [box(at, 1, 1, 4, 4, image=image)])]), series)

    np.testing.assert_array_equal(read(wanted)[0].voxels, blocks((3, 1, 1, 4, 4)))
    with pytest.raises(ConfigurationError, match=r"2 slices at 0\.000 mm, and the mask does not"):
        read(None)
    with pytest.raises(
        ConfigurationError, match="refers to slice 0 of the series but lies on slice 2"
    ):
        read(series.slices[0].sop_instance_uid)


def test_images_of_another_series_do_not_matter(series, tmp_path):
    """A structure set that was drawn on one kernel fits the other."""
    path = write(tmp_path / "a.dcm", [("a", [box(1, 1, 1, 4, 4, image=uid(8, 8))])])
    np.testing.assert_array_equal(read_masks(path, series)[0].voxels, blocks((1, 1, 1, 4, 4)))


GOOD = [box(0, 1, 1, 4, 4), box(2, 5, 5, 9, 9)]
EXPECTED = blocks((0, 1, 1, 4, 4), (2, 5, 5, 9, 9))


def with_coordinates(values):
    item = box(1, 1, 1, 4, 4)
    item.ContourData = values
    return item


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (box(1, 1, 1, 4, 4, dz=1.0), "lies at -3.000 mm along the slice normal, where the series"),
        (contour([(-9, -18, -6), (-7, -18, -6), (-7, -18, -2)]), "lies at -6.000 to -2.000 mm"),
        (box(1, 1, 1, 4, 4, "OPEN_PLANAR"), "is a point or an open line"),
        (contour([(-9, -18, -4)], "POINT"), "is a point or an open line"),
        (contour([(-9, -18, -4)]), "has fewer than three different points"),
        (contour([(-9, -18, -4), (-7, -18, -4)] * 3), "has fewer than three different points"),
        (with_coordinates(["1"] * 11), "has 11 coordinates, not three for each point"),
        (with_coordinates([]), "has 0 coordinates, not three for each point"),
        (with_coordinates(["NaN", *["1"] * 11]), "has a coordinate that is not a finite number"),
        (box(1, 40, 1, 44, 4), "lies beside the image, on slice 1"),
        (box(1, 1, -9, 4, -4), "lies beside the image, on slice 1"),
    ],
)
@pytest.mark.parametrize("place", [0, 2])
def test_one_bad_contour_is_named_and_the_others_go_on(series, tmp_path, bad, reason, place):
    contours = [*GOOD]
    contours.insert(place, bad)
    path = write(tmp_path / "a.dcm", [("Tumour", contours), ("Node", GOOD)])
    tumour, node = read_masks(path, series)
    (note,) = tumour.notes
    assert note.startswith(f"contour {place + 1} {reason}")
    for mask in (tumour, node):
        np.testing.assert_array_equal(mask.voxels, EXPECTED)
    assert node.notes == ()


def test_a_slice_whose_contour_is_left_out_has_no_mask(series, tmp_path):
    """The contour may have been a hole."""
    hole = with_coordinates(["NaN", *["1"] * 11])
    hole.ContourImageSequence = [Dataset()]
    hole.ContourImageSequence[0].ReferencedSOPInstanceUID = series.slices[2].sop_instance_uid
    (mask,) = read_masks(write(tmp_path / "a.dcm", [("Tumour", [*GOOD, hole])]), series)
    np.testing.assert_array_equal(mask.voxels, EXPECTED & blocks((0, 0, 0, 12, 10)))
    assert mask.notes[1] == "nothing is marked on slice 2: a contour of it is left out"


def test_a_contour_that_is_stored_again_counts_once(series, tmp_path):
    again = box(1, 1, 1, 5, 5)
    corners = np.reshape([float(value) for value in again.ContourData], (4, 3))
    turned = contour(np.roll(corners[::-1], 1, axis=0))
    contours = [box(1, 1, 1, 5, 5), box(2, 1, 1, 5, 5), again, turned]
    (mask,) = read_masks(write(tmp_path / "a.dcm", [("Tumour", contours)]), series)
    np.testing.assert_array_equal(mask.voxels, blocks((1, 1, 1, 5, 5), (2, 1, 1, 5, 5)))
    assert mask.notes == (
        "contour 3 repeats contour 1; the two count once",
        "contour 4 repeats contour 1; the two count once",
    )


def test_contours_that_overlap_in_part_are_named(series, tmp_path):
    contours = [box(1, 1, 1, 5, 5), box(1, 3, 3, 7, 7), box(2, 1, 1, 5, 5), box(2, 5, 1, 7, 5)]
    (mask,) = read_masks(write(tmp_path / "a.dcm", [("Tumour", contours)]), series)
    on_slice = blocks((1, 1, 1, 5, 5)) ^ blocks((1, 3, 3, 7, 7))
    np.testing.assert_array_equal(mask.voxels, on_slice | blocks((2, 1, 1, 7, 5)))
    (note,) = mask.notes
    assert note.startswith("contours on slice 1 overlap in part: pixels inside an even number of")


def test_contours_to_be_combined_by_xor_may_overlap_and_repeat(series, tmp_path):
    boxes = [(1, 1, 1, 5, 5), (1, 3, 3, 7, 7), (2, 1, 1, 5, 5), (2, 1, 1, 5, 5)]
    contours = [box(*one, "CLOSEDPLANAR_XOR") for one in boxes]
    (mask,) = read_masks(write(tmp_path / "a.dcm", [("Tumour", contours)]), series)
    np.testing.assert_array_equal(mask.voxels, blocks(boxes[0]) ^ blocks(boxes[1]))
    assert mask.notes == ()


def test_a_structure_in_another_frame_of_reference_is_named(series, tmp_path):
    path = write(tmp_path / "a.dcm", [("Tumour", GOOD), ("Node", GOOD)])
    dataset = dcmread(path)
    dataset.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"
    dataset.save_as(path)
    tumour, node = read_masks(path, series)
    assert not tumour.voxels.any()
    assert tumour.notes[0].startswith("left out: FrameOfReferenceUID is 1.2.3")
    np.testing.assert_array_equal(node.voxels, EXPECTED)


def test_many_bad_contours_do_not_fill_the_report(series, tmp_path):
    bad = [box(1, 1, 1, 4, 4, dz=1.0)] * 30
    (mask,) = read_masks(write(tmp_path / "a.dcm", [("Tumour", GOOD + bad)]), series)
    assert len(mask.notes) == 6
    assert mask.notes[-1] == "and 25 more remarks like these"


def test_structures_are_chosen_by_name(series, tmp_path):
    path = write(tmp_path / "a.dcm", [("Tumour", GOOD), ("Node", GOOD), ("Node", [])])
    names = [m.name for m in read_masks(path, series, StructureChoice(["node", "NODE (2)"]))]
    assert names == ["Node", "Node (2)"]
    choice = StructureChoice(["GTV"])
    assert read_masks(path, series, choice) == []
    with pytest.raises(ConfigurationError, match=r"no .* structure 'GTV'; they have: Tumour, Node"):
        choice.check_found()


def test_a_real_structure_set():
    root = require_data("4d_lung_113_HM10395")
    (series,) = find_series(root).series
    (path,) = [p for p in root.rglob("*.dcm") if p.parent.name.endswith("-47.35")]
    masks = {mask.name: mask.voxels for mask in read_masks(path, series)}
    assert list(masks) == ["Tumor_c40", "LN_c40", "Carina_c40", "Vertebra_c40"]
    drawn = {
        item.ReferencedROINumber: {round(float(c.ContourData[2])) for c in item.ContourSequence}
        for item in dcmread(path).ROIContourSequence
    }
    for number, voxels in zip((17, 18, 19, 20), masks.values(), strict=True):
        slices = np.flatnonzero(voxels.any(axis=(1, 2)))
        assert {round(series.slices[index].position) for index in slices} == drawn[number]
    hu = read_slice(series.slices[72].path).hu
    bone, node = hu[masks["Vertebra_c40"][72]], hu[masks["LN_c40"][72]]
    assert 100 < bone.mean() < 300
    assert -20 < node.mean() < 60
    carina = read_slice(series.slices[70].path).hu[masks["Carina_c40"][70]]
    assert np.percentile(carina, 5) < -900  # air, in both bronchi
