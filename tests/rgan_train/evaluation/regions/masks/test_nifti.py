"""NIfTI files with axes not quite at right angles, and with two opinions of their place."""

import gzip
import struct

import numpy as np
import pytest
import SimpleITK
from support.dicom_phantoms import write_series

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.regions.masks.read import read_masks

SPACING = (0.8, 0.5, 2.0)
LABELS = np.zeros((4, 10, 12), np.uint8)
LABELS[1:3, 2:7, 3:8] = 1


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Slices at z = -6, -4, -2 and 0 mm, the first pixel at x = -10, y = -20 mm."""
    folder = tmp_path_factory.mktemp("ct")
    write_series(folder, 4, stored=np.zeros((10, 12), np.uint16), PixelSpacing=[0.5, 0.8])
    return find_series(folder).series[0]


def sform(shear=0.0, axes=(0, 1), shift=0.0):
    """Return the matrix of the series in RAS, with one axis leaning towards another."""
    steps = np.diag([-0.8, -0.5, 2.0])
    steps[axes[0], axes[1]] = shear * abs(steps[axes[1], axes[1]])
    return np.column_stack([steps, [10 + shift, 20, -6]])


def write(path, matrix, codes=(0, 2)):
    """Write the labels with a matrix, and with codes of qform and sform."""
    image = SimpleITK.GetImageFromArray(LABELS)
    image.SetSpacing(SPACING)
    image.SetOrigin((-10, -20, -6))
    plain = path.with_name("plain.nii")
    SimpleITK.WriteImage(image, str(plain))
    content = bytearray(plain.read_bytes())
    struct.pack_into("<hh", content, 252, *codes)
    struct.pack_into("<12f", content, 280, *np.ravel(matrix))
    path.write_bytes(gzip.compress(bytes(content)) if path.suffix == ".gz" else bytes(content))
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("axes", [(0, 1), (1, 0), (0, 2), (2, 1)])
@pytest.mark.parametrize("shear", [1e-5, 5e-4, -1.7e-3])
def test_axes_that_are_off_by_less_than_a_tenth_of_a_degree(series, tmp_path, name, axes, shear):
    (mask,) = read_masks(write(tmp_path / name, sform(shear, axes)), series)
    np.testing.assert_array_equal(mask.voxels, LABELS == 1)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize(("shear", "angle"), [(2e-3, "0.115"), (-0.05, "2.86")])
def test_more_is_refused_and_the_angle_named(series, tmp_path, name, shear, angle):
    path = write(tmp_path / name, sform(shear))
    with pytest.raises(
        ConfigurationError, match=rf"are {angle} degrees off a right angle, and 0.1"
    ):
        read_masks(path, series)


def test_a_matrix_that_is_none(series, tmp_path):
    with pytest.raises(ConfigurationError, match="sform has no direction for an axis"):
        read_masks(write(tmp_path / "a.nii", sform() * [[np.nan], [1], [1]]), series)


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (1, 1), (1, 4)])
def test_forms_that_agree(series, tmp_path, codes):
    (mask,) = read_masks(write(tmp_path / "a.nii", sform(), codes), series)
    np.testing.assert_array_equal(mask.voxels, LABELS == 1)


@pytest.mark.parametrize("matrix", [sform(shift=0.8), sform() * [[-1], [1], [1]], sform(0.05)])
def test_forms_that_place_voxels_differently(series, tmp_path, matrix):
    with pytest.raises(ConfigurationError, match=r"sform and its qform .* mm apart"):
        read_masks(write(tmp_path / "a.nii", matrix, (1, 1)), series)


def test_a_form_without_a_code_does_not_count(series, tmp_path):
    (mask,) = read_masks(write(tmp_path / "a.nii", sform(shift=99), (1, 0)), series)
    np.testing.assert_array_equal(mask.voxels, LABELS == 1)
