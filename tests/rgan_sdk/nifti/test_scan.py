"""What is read of a NIfTI file and its sidecar, and what is refused by name."""

import nibabel
import numpy as np
import pytest
from support.nifti import AFFINE, scan_hu, write_nifti

from rgan_sdk.dicom.uids import HARMONIZED_CODE, marked_uid
from rgan_sdk.errors import ConfigurationError, NiftiError
from rgan_sdk.nifti import scan as scans
from rgan_sdk.nifti.scan import open_scan, read_stored
from rgan_sdk.nifti.sidecar import Sidecar


@pytest.fixture
def write(tmp_path):
    def write(name="a.nii", hu=None, **options):
        return write_nifti(tmp_path / name, scan_hu(2, 16) if hu is None else hu, **options)

    return write


def test_the_kernel_comes_from_the_sidecar_or_the_user(write):
    path = write(sidecar={"ConvolutionKernel": ["Br38f", "3 "], "ImageType": ["original", "x"]})
    scan = open_scan(path, None)
    assert scan.convolution_kernel == "Br38f\\3"
    assert scan.image_type == ("ORIGINAL", "X")
    assert open_scan(path, "BR38F\\3").convolution_kernel == "Br38f\\3"
    assert open_scan(write("b.nii"), " B40f ").convolution_kernel == "B40f"
    assert open_scan(write("b.nii"), None).convolution_kernel is None


def test_a_kernel_that_contradicts_the_sidecar_is_refused_with_both(write):
    path = write(sidecar={"ConvolutionKernel": "B70f"})
    with pytest.raises(NiftiError, match=r"--kernel is B40f, but .* ConvolutionKernel B70f"):
        open_scan(path, "B40f")


@pytest.mark.parametrize("content", ["{", "[1]", "\ud800".encode("utf-8", "surrogatepass")])
def test_a_sidecar_that_is_no_json_object_is_named(write, content):
    path = write()
    data = content if isinstance(content, bytes) else content.encode()
    path.with_suffix(".json").write_bytes(data)
    with pytest.raises(NiftiError, match=r"a\.json: is no JSON"):
        open_scan(path, None)


def test_other_modalities_are_refused(write):
    with pytest.raises(NiftiError, match="no CT"):
        open_scan(write(sidecar={"Modality": "MR"}), "B40f")


def test_several_volumes_are_refused_but_not_an_empty_axis(tmp_path):
    stored = np.zeros((8, 8, 2, 3), np.int16)
    for name, array in (("four.nii", stored), ("one.nii", stored[..., :1]), ("2.nii", stored[0])):
        nibabel.save(nibabel.Nifti1Image(array, AFFINE), tmp_path / name)
    with pytest.raises(NiftiError, match="8x8x2x3; a scan has three"):
        open_scan(tmp_path / "four.nii", None)
    assert read_stored(open_scan(tmp_path / "one.nii", None)).shape == (8, 8, 2)


@pytest.mark.parametrize("dtype", ["complex64", "int64"])
def test_values_that_are_no_hu_are_refused_by_their_type(tmp_path, dtype):
    image = nibabel.Nifti1Image(np.zeros((8, 8, 2), dtype), AFFINE, dtype=dtype)
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.raises(NiftiError, match=f"its values are {dtype}"):
        open_scan(tmp_path / "a.nii", None)


def test_a_header_without_orientation_or_with_two_spacings_is_refused(write):
    path = write()
    content = bytearray(path.read_bytes())
    content[252:256] = bytes(4)  # qform_code and sform_code
    path.write_bytes(content)
    with pytest.raises(NiftiError, match="qform_code and sform_code are 0"):
        open_scan(path, None)
    with pytest.raises(NiftiError, match=r"0\.9 mm \(pixdim\) and 0\.7 mm \(affine\)"):
        open_scan(write(pixdim=[-1, 0.9, 0.7, 5, 0, 0, 0, 0]), None)
    with pytest.raises(NiftiError, match="is micron, not mm"):
        open_scan(write(xyzt_units=3), None)


def test_a_file_that_is_replaced_after_or_while_it_is_read_is_refused(write, monkeypatch):
    def load_and_replace(path):
        image = load(path)
        write("new.nii").replace(path)
        return image

    path, load = write(), scans._load
    scan = open_scan(path, None)
    write("new.nii").replace(path)
    with pytest.raises(NiftiError, match="changed during the run"):
        read_stored(scan)
    scan = open_scan(path, None)
    monkeypatch.setattr(scans, "_load", load_and_replace)
    for read in (lambda: read_stored(scan), lambda: open_scan(path, None)):
        with pytest.raises(NiftiError, match="changed during the run"):
            read()


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_truncated_files_and_other_files_are_refused(write, name):
    path = write(name)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(NiftiError, match="is truncated or damaged"):
        read_stored(open_scan(path, None))
    path.write_bytes(b"hello")
    with pytest.raises(NiftiError, match="is no NIfTI file"):
        open_scan(path, None)
    with pytest.raises(NiftiError, match="cannot be read"):
        open_scan(path.with_name(f"absent-{name}"), None)


def test_without_nibabel_it_is_said_how_to_get_it(write, monkeypatch):
    path = write()

    def fail(name):
        raise ImportError(name)

    monkeypatch.setattr(scans.importlib, "import_module", fail)
    with pytest.raises(ConfigurationError, match=r"pip install 'rgan-sdk\[nifti\]'"):
        open_scan(path, None)


def test_what_was_harmonized_in_dicom_is_known_after_its_conversion():
    assert Sidecar({"SeriesDescription": "chest RGAN>B70f"}).is_harmonized
    assert not Sidecar({"SeriesDescription": "chest RGAN>IDENTITY"}).is_harmonized
    assert Sidecar({"SeriesInstanceUID": marked_uid(HARMONIZED_CODE, "a")}).is_harmonized
    assert Sidecar({"Harmonization": {"engine": "onnxruntime"}}).is_harmonized
    assert not Sidecar({"Harmonization": {"engine": "identity"}}).is_harmonized
    assert not Sidecar({}).is_harmonized
