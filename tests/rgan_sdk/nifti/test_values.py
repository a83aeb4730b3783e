"""Values of a NIfTI file as HU and back, whatever their type and their scaling."""

import nibabel
import numpy as np
import pytest
from support.models import make_series_card, write_model
from support.nifti import AFFINE, array_of, scan_hu, slices_of, write_nifti

from rgan_sdk.errors import NiftiError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.nifti.scan import open_scan, read_stored, write_scan
from rgan_sdk.nifti.values import Values

STORED = [
    ("int16", 1.0, 0.0),
    ("uint16", 1.0, -2048.0),
    ("int16", 0.5, -1000.0),
    ("int32", 0.25, 0.0),
    ("uint8", 8.0, -1024.0),
    (">i2", 1.0, 0.0),
    ("float32", 1.0, 0.0),
    ("float32", 2.0, -1024.0),
    ("float64", 1.0, 0.0),
]


@pytest.fixture(scope="module")
def harmonizer(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.onnx"
    with Harmonizer.load(
        write_model(path, make_series_card()), engine="onnxruntime", device="cpu"
    ) as one:
        yield one


def open_values(path):
    scan = open_scan(path, "B40f")
    return scan, Values(scan, read_stored(scan))


@pytest.mark.parametrize(("dtype", "slope", "intercept"), STORED)
def test_each_type_is_harmonized_and_keeps_header_and_scaling(
    tmp_path, harmonizer, dtype, slope, intercept
):
    path = write_nifti(tmp_path / "a.nii", scan_hu(), dtype, slope, intercept, descrip=b"mine")
    scan, values = open_values(path)
    hu = values.hu(0, 3)
    np.testing.assert_array_equal(hu, slices_of(path))
    expected = harmonizer(hu, pixel_spacing=0.7)
    new = values.harmonize(harmonizer, lambda _: None)
    write_scan(scan, new.stored, tmp_path / "b.nii", compress=False, comment="")
    step = slope / 2 if np.dtype(dtype).kind in "iu" else 1e-3
    assert np.abs(slices_of(tmp_path / "b.nii") - expected).max() <= step
    before, after = path.read_bytes(), (tmp_path / "b.nii").read_bytes()
    assert before[:352] == after[:352]
    assert len(before) == len(after)
    assert before != after


def test_what_the_model_leaves_alone_keeps_its_stored_value(tmp_path, harmonizer):
    stored = array_of(scan_hu()).astype(np.int32)
    stored[10:14, 10:14] = 2**24 + 1  # beyond the window, and beyond what float32 can tell
    image = nibabel.Nifti1Image(stored, AFFINE)
    nibabel.save(image, tmp_path / "a.nii")
    _, values = open_values(tmp_path / "a.nii")
    new = values.harmonize(harmonizer, lambda _: None)
    np.testing.assert_array_equal(new.stored == 2**24 + 1, stored == 2**24 + 1)
    assert (new.stored != stored).any()
    assert new.clips == 0


def test_a_slope_of_zero_means_that_values_are_not_scaled(tmp_path, harmonizer):
    path = write_nifti(tmp_path / "a.nii", scan_hu(), scl_slope=0, scl_inter=7)
    scan, values = open_values(path)
    np.testing.assert_array_equal(values.hu(0, 3), scan_hu())
    new = values.harmonize(harmonizer, lambda _: None)
    write_scan(scan, new.stored, tmp_path / "b.nii", compress=False, comment="")
    assert path.read_bytes()[:352] == (tmp_path / "b.nii").read_bytes()[:352]
    np.testing.assert_array_equal(open_values(tmp_path / "b.nii")[0].slope, 1)


class Shift:
    """Adds to HU, as a model would."""

    batch_size = 2

    def __init__(self, hu):
        self.by = np.float32(hu)

    def harmonize_some(self, hu, out, pixel_spacing):
        out[:] = hu + self.by
        return len(hu)


@pytest.mark.parametrize(("dtype", "slope"), [("int16", 1.0), ("float32", 1.0), ("int32", 0.5)])
def test_what_was_stored_in_twelve_bits_stays_in_their_range(tmp_path, dtype, slope):
    hu = scan_hu()
    for lowest, reached, clips in ((-1024.0, -1024.0, 1), (-1025.0, -1065.0, 0)):
        hu = hu.clip(-960, None)
        hu[0, 0, 0] = lowest
        path = write_nifti(tmp_path / f"{clips}.nii", hu, dtype, slope)
        scan, values = open_values(path)
        new = values.harmonize(Shift(-40), lambda _: None)
        assert new.clips == clips
        write_scan(scan, new.stored, tmp_path / "new.nii", compress=False, comment="")
        assert slices_of(tmp_path / "new.nii").min() == reached


@pytest.mark.parametrize(("shift", "stored"), [(1000, 255), (-1000, 0)])
def test_values_beyond_the_type_are_clamped_and_counted(tmp_path, shift, stored):
    path = write_nifti(tmp_path / "a.nii", np.full((2, 8, 8), 100.0), "uint8", 1.0, -30.0)
    _, values = open_values(path)
    new = values.harmonize(Shift(shift), lambda _: None)
    assert new.clips == 128
    assert set(new.stored.flat) == {stored}


def test_values_that_are_no_numbers_are_counted_and_refused(tmp_path):
    hu = scan_hu()
    hu[0, 3, :5], hu[1, 4, 5], hu[2, 0, 0] = np.nan, np.inf, -np.inf
    scan = open_scan(write_nifti(tmp_path / "a.nii", hu, "float32"), "B40f")
    with pytest.raises(NiftiError, match="7 of its values are NaN, infinite"):
        Values(scan, read_stored(scan))


def test_numbers_without_air_may_be_no_hu(tmp_path):
    _, values = open_values(write_nifti(tmp_path / "a.nii", scan_hu() + 1024))
    with pytest.raises(NiftiError, match="--assume-hu"):
        values.check_units()
    _, values = open_values(write_nifti(tmp_path / "b.nii", scan_hu()))
    values.check_units()
