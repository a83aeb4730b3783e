"""The slices of a NIfTI file have the rows and columns that DICOM had."""

import nibabel
import numpy as np
import pytest
from support.dicom_phantoms import uid, write_ct
from support.nifti import AFFINE, convert, scan_hu, write_nifti

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.errors import NiftiError
from rgan_sdk.nifti.scan import open_scan, read_stored
from rgan_sdk.nifti.slice_order import find_order
from rgan_sdk.nifti.values import Values

TILTED = (1, 0, 0, 0, 0.9659, 0.2588)
TURNED = (0.9848, 0.1736, 0, -0.1736, 0.9848, 0)
PRONE = (-1, 0, 0, 0, -1, 0)


def read_slices(path):
    scan = open_scan(path, None)
    return Values(scan, read_stored(scan)).hu(0, scan.count)


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), PRONE, TILTED, TURNED])
def test_what_dcm2niix_converted_has_the_pixels_of_dicom(tmp_path, orientation):
    normal = np.cross(orientation[:3], orientation[3:])
    for index in range(3):
        stored = np.random.default_rng(index).integers(0, 4096, (12, 16)).astype("u2")
        write_ct(
            tmp_path / "in" / f"{index}.dcm",
            stored,
            bits_stored=12,
            ImageOrientationPatient=list(orientation),
            ImagePositionPatient=[round(float(x), 4) for x in 5 * index * normal],
            SOPInstanceUID=uid(1, 1, index + 1),
            InstanceNumber=index + 1,
        )
    (series,) = find_series(tmp_path / "in").series
    dicom = np.stack([read_slice(file.path, file.stamp).hu for file in series.slices])
    path = convert(tmp_path / "in", tmp_path / "out")
    np.testing.assert_array_equal(read_slices(path), dicom)
    assert open_scan(path, None).pixel_spacing == series.pixel_spacing


@pytest.mark.parametrize("axes", ["RAS", "LAS", "LPS", "RPS", "ARS", "PLS", "PLI"])
def test_whatever_a_program_did_to_the_axes_the_slices_are_the_same(tmp_path, axes):
    hu = scan_hu(2, 16)[:, :, :12]
    image = nibabel.load(write_nifti(tmp_path / "a.nii", hu))
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt(axes)
    )
    nibabel.save(image.as_reoriented(turn), tmp_path / "b.nii")
    expected = hu[::-1] if axes.endswith("I") else hu
    np.testing.assert_array_equal(read_slices(tmp_path / "b.nii"), expected)


@pytest.mark.parametrize("axes", ["RSA", "SLP"])
def test_slices_along_another_axis_than_the_third_are_refused(tmp_path, axes):
    image = nibabel.load(write_nifti(tmp_path / "a.nii", scan_hu(2, 16)))
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt(axes)
    )
    with pytest.raises(NiftiError, match="axis runs across the slices, and should be the third"):
        find_order(image.as_reoriented(turn).affine, None)


def test_the_sidecar_tells_which_axis_that_is():
    coronal = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
    with pytest.raises(NiftiError, match=r"its second axis .* ImageOrientationPatientDICOM"):
        find_order(AFFINE, coronal)


def test_a_sheared_and_an_empty_affine_are_refused():
    sheared = AFFINE.copy()
    sheared[1, 0] = 0.1
    with pytest.raises(NiftiError, match="not perpendicular"):
        find_order(sheared, None)
    with pytest.raises(NiftiError, match="without direction"):
        find_order(np.zeros((4, 4)), None)
