import itertools
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread
from support.dicom_phantoms import uid, write_ct
from support.requirements import require_data

from rgan_sdk.dicom.header import SliceHeader, read_header
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.series import group_slices, slice_normal
from rgan_sdk.dicom.stamp import Stamp
from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.regions.masks.grid import Plane, SeriesGrid
from rgan_train.evaluation.regions.masks.read import Mask, empty_names, mask_rois, read_masks

SLICES, ROWS, COLUMNS = 5, 6, 8
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
TURNED = (0.9541666, -0.2080757, 0.2151061, 0.2785886, 0.880128, -0.3843997)  # in three directions
ORIGIN = np.array([-120.3, 40.7, 512.25])
SPACING = (0.7, 0.9)
DISTANCE = 2.5
PITCH = (SPACING[1], SPACING[0], DISTANCE)  # mm along x, y and z of the file


def write_scan(folder, orientation=AXIAL, numbers=range(SLICES), **attributes):
    """Write the slices of a series to files in an arbitrary order."""
    for name, number in enumerate(sorted(numbers, key=lambda number: number % 3)):
        origin = ORIGIN + number * DISTANCE * np.array(slice_normal(orientation))
        own = {
            "SOPInstanceUID": uid(1, 1, number + 1),
            "ImagePositionPatient": [f"{value:.6f}" for value in origin],
            "ImageOrientationPatient": list(orientation),
            "PixelSpacing": list(SPACING),
        }
        write_ct(folder / f"{name}.dcm", np.zeros((ROWS, COLUMNS), np.uint16), **own | attributes)
    return find_series(folder).series[0]


@pytest.fixture(scope="module", params=[AXIAL, TURNED], ids=["axial", "turned"])
def series(request, tmp_path_factory):
    return write_scan(tmp_path_factory.mktemp("ct"), request.param)


@pytest.fixture(scope="module")
def axial(tmp_path_factory):
    return write_scan(tmp_path_factory.mktemp("ct"))


def labels(seed=0):
    return np.random.default_rng(seed).integers(0, 4, (SLICES, ROWS, COLUMNS)).astype(np.uint8)


def image_on(series, values, first=0, **layers):
    """Return an image whose first slice is one of the series."""
    image = SimpleITK.GetImageFromArray(values, **layers)
    directions = *np.reshape(series.orientation, (2, 3)), slice_normal(series.orientation)
    image.SetDirection(np.transpose(directions).ravel().tolist())
    image.SetOrigin(series.slices[first].origin)
    image.SetSpacing(PITCH)
    return image


def write(path, image):
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "nrrd", "nhdr", "NII.GZ"])
def test_each_value_of_a_label_map_is_a_mask(series, tmp_path, ending):
    values = labels()
    path = write(tmp_path / f"a.{ending.lower()}", image_on(series, values))
    masks = read_masks(path.rename(tmp_path / f"a.{ending}"), series)
    assert [mask.name for mask in masks] == ["label 1", "label 2", "label 3"]
    for value, mask in enumerate(masks, start=1):
        np.testing.assert_array_equal(mask.voxels, values == value)


def flipped(image):
    for flips in itertools.product([False, True], repeat=3):
        yield SimpleITK.Flip(image, flips, flipAboutOrigin=False)


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
def test_axes_in_any_order_and_direction_are_the_same_grid(series, tmp_path, axes):
    values = labels()
    for image in flipped(SimpleITK.PermuteAxes(image_on(series, values), axes)):
        (_, _, mask) = read_masks(write(tmp_path / "a.nrrd", image), series)
        np.testing.assert_array_equal(mask.voxels, values == 3)


def test_a_voxel_lies_where_dicom_says(series, tmp_path):
    values = np.zeros((SLICES, ROWS, COLUMNS), np.uint8)
    values[3, 1, 6] = 1
    image = image_on(series, values)
    # PS3.3 C.7.6.2.1.1
    row, column = np.reshape(series.orientation, (2, 3))
    point = series.slices[3].origin + row * 6 * SPACING[1] + column * 1 * SPACING[0]
    assert image.TransformPhysicalPointToIndex(point.tolist()) == (6, 1, 3)
    (mask,) = read_masks(write(tmp_path / "a.nii", image), series)
    assert np.argwhere(mask.voxels).tolist() == [[3, 1, 6]]


def test_a_map_of_some_slices(series, tmp_path):
    values = labels()[:2]
    path = write(tmp_path / "a.nii", image_on(series, values, first=2))
    (mask, *_) = read_masks(path, series)
    np.testing.assert_array_equal(mask.voxels[2:4], values == 1)
    assert not mask.voxels[[0, 1, 4]].any()


@pytest.mark.parametrize("dtype", [np.int16, np.uint32, np.float32, np.float64])
def test_types_of_labels(axial, tmp_path, dtype):
    values = labels() * 100
    masks = read_masks(write(tmp_path / "a.nii", image_on(axial, values.astype(dtype))), axial)
    # 300 does not fit 8 bits.
    assert [mask.name for mask in masks] == ["label 44", "label 100", "label 200"]
    np.testing.assert_array_equal(masks[1].voxels, values == 100)


def test_names_in_the_header_of_slicer(axial, tmp_path):
    image = image_on(axial, labels())
    for segment, (name, value) in enumerate([("liver", 3), ("spleen", 1), ("empty", 9)]):
        image.SetMetaData(f"Segment{segment}_Name", name)
        image.SetMetaData(f"Segment{segment}_LabelValue", str(value))
    masks = read_masks(write(tmp_path / "a.seg.nrrd", image), axial)
    assert [mask.name for mask in masks] == ["spleen", "label 2", "liver", "empty"]
    assert empty_names(masks) == ["empty"]


def test_layers_of_slicer(axial, tmp_path):
    layers = np.stack([labels(0), labels(1)], axis=-1)
    image = image_on(axial, layers, isVector=True)
    for segment, (name, layer) in enumerate([("liver", 0), ("lesion", 1), ("lesion", 1)]):
        image.SetMetaData(f"Segment{segment}_Name", name)
        image.SetMetaData(f"Segment{segment}_LabelValue", str(segment + 1))
        image.SetMetaData(f"Segment{segment}_Layer", str(layer))
    masks = {m.name: m.voxels for m in read_masks(write(tmp_path / "a.seg.nrrd", image), axial)}
    np.testing.assert_array_equal(masks["liver"], layers[..., 0] == 1)
    np.testing.assert_array_equal(masks["lesion"], layers[..., 1] == 2)
    np.testing.assert_array_equal(masks["lesion (2)"], layers[..., 1] == 3)


def test_rounded_geometry_is_the_same_grid(series, tmp_path):
    image = image_on(series, labels())
    image.SetOrigin([round(value, 2) for value in image.GetOrigin()])
    image.SetSpacing([0.9001, 0.7001, 2.51])
    assert len(read_masks(write(tmp_path / "a.nrrd", image), series)) == 3


def move(image, *, shift=(0, 0, 0), spacing=PITCH):
    """Move an image by mm along its own axes."""
    directions = np.reshape(image.GetDirection(), (3, 3))
    image.SetOrigin((image.GetOrigin() + directions @ shift).tolist())
    image.SetSpacing(spacing)
    return image


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"spacing": (0.9, 0.8, 2.5)},
            r"pixel spacing is 0\.8\\0\.9, .* is 0\.7\\0\.9 mm; resample",
        ),
        ({"spacing": (0.9, 0.7, 1.25)}, r"lies at .* mm along the slice normal, where .* has no"),
        ({"spacing": (0.9, 0.7, 3.0)}, "has no slice; the nearest, [1-4], is at"),
        ({"shift": (0.45, 0, 0)}, r"position of the first pixel is .*, that of the series is"),
        ({"shift": (0, -0.35, 0)}, "position of the first pixel"),
        ({"shift": (0, 0, 1.25)}, "has no slice"),
        ({"shift": (0, 0, 2.5)}, "has no slice; the nearest, 4, "),
    ],
)
def test_another_grid(series, tmp_path, change, reason):
    path = write(tmp_path / "a.nrrd", move(image_on(series, labels()), **change))
    with pytest.raises(ConfigurationError, match=reason) as refused:
        read_masks(path, series)
    assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({"shift": (0.2, 0.15, 0.5)}, True),
        ({"shift": (0.25, 0, 0)}, False),
        ({"shift": (0, 0.2, 0)}, False),
        ({"shift": (0, 0, -0.65)}, False),
        ({"spacing": (0.9 * 1.03, 0.7, 2.5)}, True),  # 0.21 pixels at the last of eight
        ({"spacing": (0.9 * 1.04, 0.7, 2.5)}, False),
        ({"spacing": (0.9, 0.7, 2.65)}, True),  # 0.6 mm, 0.24 slices, at the last of five
        ({"spacing": (0.9, 0.7, 2.67)}, False),
    ],
)
def test_the_tolerance_is_a_quarter_of_a_voxel(series, tmp_path, change, fits):
    path = write(tmp_path / "a.nrrd", move(image_on(series, labels()), **change))
    if fits:
        assert len(read_masks(path, series)) == 3
    else:
        with pytest.raises(ConfigurationError, match="resample"):
            read_masks(path, series)


CROP = (slice(1, 4), slice(2, 5), slice(3, 7))
"""Slices, rows and columns of a cropped map."""


def cropped(series, values):
    """Return the map without what lies outside ``CROP``, which also moves its first voxel."""
    slices, rows, columns = CROP
    return image_on(series, values)[columns, rows, slices]


def within_crop(values):
    inside = np.zeros_like(values)
    inside[CROP] = values[CROP]
    return inside


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "nrrd", "mha", "mhd"])
def test_a_map_of_a_part_of_the_scan(series, tmp_path, ending):
    values = labels()
    masks = read_masks(write(tmp_path / f"a.{ending}", cropped(series, values)), series)
    for value, mask in enumerate(masks, start=1):
        np.testing.assert_array_equal(mask.voxels, within_crop(values) == value)


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
def test_a_part_with_axes_in_any_order_and_direction(series, tmp_path, axes):
    values = labels()
    for image in flipped(SimpleITK.PermuteAxes(cropped(series, values), axes)):
        (_, _, mask) = read_masks(write(tmp_path / "a.nii", image), series)
        np.testing.assert_array_equal(mask.voxels, within_crop(values) == 3)


def padded(series, values, margin=(2, 1, 3)):
    """Return the map with empty voxels around it, along x, y and z of the file."""
    return SimpleITK.ConstantPad(image_on(series, values), margin, margin, 0)


def test_a_map_that_goes_beyond_the_scan(series, tmp_path):
    values = labels()
    (mask, *_) = read_masks(write(tmp_path / "a.nrrd", padded(series, values)), series)
    np.testing.assert_array_equal(mask.voxels, values == 1)


@pytest.mark.parametrize(
    ("voxel", "reason"),
    [
        ((1, 3, 5), r"outside slice 2 of the series: rows 2 to 2 and columns -1 to 2, where"),
        ((4, 7, 5), r"outside slice 2 of the series: rows 2 to 6 and columns 2 to 2, where"),
        ((4, 3, 0), "has no slice; the nearest, 0, "),
        ((4, 3, 10), "has no slice; the nearest, 4, "),
    ],
)
def test_what_is_marked_beyond_the_scan_is_refused(axial, tmp_path, voxel, reason):
    image = padded(axial, np.zeros((SLICES, ROWS, COLUMNS), np.uint8))
    image[4, 3, 5] = 1
    image[voxel] = 1
    with pytest.raises(ConfigurationError, match=reason):
        read_masks(write(tmp_path / "a.nrrd", image), axial)


@pytest.mark.parametrize(
    ("shift", "offset"),
    [((0.45, 0, 0), r"[+-]0\.50 columns and [+-]0\.00"), ((0, 0.21, 0), r"0\.00 .* \+0\.30 rows")],
)
def test_a_part_beside_the_grid_names_its_offset(series, tmp_path, shift, offset):
    image = move(cropped(series, labels()), shift=shift)
    with pytest.raises(ConfigurationError, match=rf"its pixels lie .*{offset}"):
        read_masks(write(tmp_path / "a.nrrd", image), series)


@pytest.mark.parametrize("degrees", [3, 44, 45])
def test_another_orientation(axial, tmp_path, degrees):
    image = image_on(axial, labels())
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    image.SetDirection([c, -s, 0, s, c, 0, 0, 0, 1])
    with pytest.raises(ConfigurationError, match=r"orientation is .*, that of the series is 1\\0"):
        read_masks(write(tmp_path / "a.nrrd", image), axial)


def test_every_second_slice_is_another_grid(axial, tmp_path):
    path = write(tmp_path / "a.nrrd", move(image_on(axial, labels()[:3]), spacing=(0.9, 0.7, 5)))
    with pytest.raises(
        ConfigurationError, match="slices are 5 mm apart, farther than those of the"
    ):
        read_masks(path, axial)


def test_slices_at_one_position_cannot_be_told_apart(axial, tmp_path):
    again = replace(axial.slices[1], sop_instance_uid=f"{axial.slices[1].sop_instance_uid}.7")
    slices = (*axial.slices[:2], again, *axial.slices[2:])
    path = write(tmp_path / "a.nrrd", image_on(axial, labels()))
    with pytest.raises(ConfigurationError, match="the series has 2 slices at"):
        read_masks(path, replace(axial, slices=slices))


def test_a_series_of_one_slice(tmp_path):
    series = write_scan(tmp_path / "ct", numbers=[0], SliceThickness=4)
    image = image_on(series, labels()[:1])
    assert len(read_masks(write(tmp_path / "a.nii", image), series)) == 3
    with pytest.raises(ConfigurationError, match="has no slice"):
        read_masks(write(tmp_path / "a.nii", move(image, shift=(0, 0, 1.1))), series)


def test_directions_that_are_not_quite_orthogonal(tmp_path):
    orientation = 1.0, 0.0, 0.0, 0.009, 0.9999, 0.0
    path = write_ct(tmp_path / "1.dcm", np.zeros((100, 8), np.uint16))
    header = replace(read_header(path), orientation=orientation)
    (series,) = group_slices([header])
    plane = Plane(100, 8, header.pixel_spacing, orientation, header.origin)
    assert SeriesGrid(series).place_of(plane) == (0, 0, 0)
    last_row = np.array([header.origin]) + np.multiply(orientation[3:], 0.7 * 99)
    np.testing.assert_allclose(SeriesGrid(series).pixels(last_row, 0), [(0, 99)], atol=1e-9)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (labels() * 0.3, "holds fractions"),
        (labels() - 1000.0, r"holds 4 values from -1000.0 to -997.0, so it is an image"),
        (np.zeros((SLICES, ROWS, COLUMNS), np.uint8), "marks no pixel of the series; give another"),
        (np.full((SLICES, ROWS, COLUMNS), np.nan, np.float32), "holds fractions"),
        (np.zeros((ROWS, COLUMNS), np.uint8), "has 2 dimensions, but a label map has 3"),
    ],
)
def test_what_is_no_label_map(axial, tmp_path, values, reason):
    image = SimpleITK.GetImageFromArray(values)
    path = write(tmp_path / "a.nrrd", image_on(axial, values) if values.ndim == 3 else image)
    with pytest.raises(ConfigurationError, match=reason):
        read_masks(path, axial)


def test_an_image_is_not_taken_for_a_thousand_structures(tmp_path):
    series = write_scan(tmp_path / "ct", numbers=range(30))
    values = np.arange(30 * ROWS * COLUMNS, dtype=np.int16).reshape(30, ROWS, COLUMNS)
    with pytest.raises(ConfigurationError, match="holds 1440 values from 0 to 1439"):
        read_masks(write(tmp_path / "a.nii", image_on(series, values)), series)


def test_several_values_for_a_voxel(axial, tmp_path):
    image = image_on(axial, np.stack([labels()] * 2, axis=-1), isVector=True)
    with pytest.raises(ConfigurationError, match="has 2 values for each voxel"):
        read_masks(write(tmp_path / "a.nrrd", image), axial)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.nii.gz", b"\x1f\x8bnonsense", "SimpleITK cannot read the file"),
        ("a.nrrd", b"", "SimpleITK cannot read the file"),
        ("a.mhx", b"ObjectType = Image" * 20, r"not DICOM; a mask is a label map \(.nii, .nii.gz"),
        ("a.dcm", b"", "empty file; a mask is a label map"),
        ("a", b"\0" * 128 + b"DICM" + b"\2\0\0\0UL\4\0\1", "malformed|truncated"),
    ],
)
def test_other_files(axial, tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=reason) as refused:
        read_masks(path, axial)
    assert str(refused.value).startswith(f"{path}: ")


def test_files_that_are_not_there(axial, tmp_path):
    for name, reason in [
        ("a.nii", "missing or damaged"),
        ("a.dcm", "No such file"),
        ("", "cannot|regular"),
    ]:
        with pytest.raises(ConfigurationError, match=reason):
            read_masks(tmp_path / name, axial)


def test_other_dicom_objects(axial):
    with pytest.raises(ConfigurationError, match="neither a Segmentation nor an RT Structure Set"):
        read_masks(axial.slices[0].path, axial)


def test_regions_of_the_slices_that_the_stack_holds():
    voxels = np.zeros((6, 2, 2), bool)
    voxels[2:5, 0, 0] = True
    masks = [Mask("a", voxels), Mask("b", np.zeros_like(voxels)), Mask("c", ~voxels)]
    rois = mask_rois(masks, [5, 4, 3, 0])
    assert [(roi.group, roi.slice_number, roi.pixels) for roi in rois] == [
        ("a", 1, 1),
        ("a", 2, 1),
        *(("c", index, pixels) for index, pixels in enumerate([4, 3, 3, 4])),
    ]
    assert empty_names(masks) == ["b"]


def example_series():
    """Read the headers of a scan whose UIDs were removed, and give it UIDs."""
    folder = require_data("totalsegmentator_example")
    headers = []
    for path in (folder / "example_ct_dicom").iterdir():
        header = dcmread(path, stop_before_pixels=True)
        headers.append(
            SliceHeader(
                path=path,
                stamp=Stamp.from_stat(path.stat()),
                sop_instance_uid=path.name.removeprefix("CT."),
                series_instance_uid="1.2",
                study_instance_uid="1.3",
                frame_of_reference_uid="",
                patient="",
                manufacturer="",
                convolution_kernel=None,
                rows=header.Rows,
                columns=header.Columns,
                pixel_spacing=tuple(header.PixelSpacing),
                slice_thickness=None,
                orientation=tuple(header.ImageOrientationPatient),
                origin=tuple(header.ImagePositionPatient),
            )
        )
    return group_slices(headers)[0]


def test_organs_of_a_real_scan_have_their_hu():
    series = example_series()
    folder = require_data("totalsegmentator_example")
    masks = {mask.name: mask for mask in read_masks(folder / "example_seg_dicom.nii.gz", series)}
    hu = read_slice(series.slices[10].path).hu
    liver, spine, aorta = "label 5", "label 32", "label 52"
    for name, low, high in [(liver, 60, 120), (spine, 150, 400), (aorta, 100, 250)]:
        inside = hu[masks[name].voxels[10]]
        assert low < inside.mean() < high
        assert inside.size > 300
    with pytest.raises(
        ConfigurationError, match=r"pixel spacing is 3\\3, that of the series is 0\.976562"
    ):
        read_masks(folder / "example_seg.nii.gz", series)
