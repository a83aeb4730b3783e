from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from support.dicom_phantoms import save, stored_values, write_ct
from support.requirements import require_data

from rgan_sdk.dicom import discovery
from rgan_sdk.dicom.header import read_header
from rgan_sdk.dicom.read import pydicom_reader as reader
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.errors import InvalidSeriesError, UnreadableFileError

UNCOMPRESSED = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]
COMPRESSED = [RLELossless, JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless, HTJ2KLossless]


def hu_by_definition(stored: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    return (stored.astype(np.float64) * slope + intercept).astype(np.float32)


@pytest.mark.parametrize("syntax", [*UNCOMPRESSED, *COMPRESSED])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("bits_allocated", "bits_stored"), [(16, 12), (16, 16), (16, 13), (8, 8)])
def test_the_same_hu_in_any_encoding(
    tmp_path: Path, syntax: str, signed: bool, bits_allocated: int, bits_stored: int
):
    stored = stored_values(
        signed=signed, bits_allocated=bits_allocated, bits_stored=bits_stored, size=64
    )
    attributes = {"RescaleSlope": "0.5", "RescaleIntercept": "-1000.25"}
    path = write_ct(tmp_path / "x", stored, syntax=syntax, bits_stored=bits_stored, **attributes)
    read_header(path)
    source = read_slice(path)
    assert source.stored.dtype == stored.dtype
    assert np.array_equal(source.stored, stored)
    assert source.hu.dtype == np.float32
    assert np.array_equal(source.hu, hu_by_definition(stored, 0.5, -1000.25))
    assert source.padding is None


@pytest.mark.parametrize("syntax", UNCOMPRESSED)
@pytest.mark.parametrize("signed", [False, True])
def test_bits_above_bits_stored_are_treated_as_pydicom_does(
    tmp_path: Path, syntax: str, signed: bool
):
    clean = stored_values(signed=signed)
    dirty = (clean.view(np.uint16) & 0x0FFF | 0x5000).astype(np.uint16)
    path = write_ct(
        tmp_path / "x",
        dirty,
        syntax=syntax,
        bits_stored=12,
        PixelRepresentation=int(signed),
    )
    source = read_slice(path)
    assert np.array_equal(source.stored, clean)
    assert np.array_equal(source.stored, dcmread(path).pixel_array)


def test_monochrome1_is_not_inverted(tmp_path: Path):
    stored = stored_values()
    plain = write_ct(tmp_path / "2", stored, bits_stored=12)
    inverse = write_ct(
        tmp_path / "1", stored, bits_stored=12, PhotometricInterpretation="MONOCHROME1"
    )
    assert np.array_equal(read_slice(plain).hu, read_slice(inverse).hu)


def test_each_slice_is_rescaled_by_its_own_values(tmp_path: Path):
    stored = stored_values()
    for slope, intercept in ((1, -1024), (2.5, 0), (-1, 100)):
        path = write_ct(tmp_path / "x", stored, RescaleSlope=slope, RescaleIntercept=intercept)
        assert np.array_equal(read_slice(path).hu, hu_by_definition(stored, slope, intercept))


def test_a_matrix_need_not_be_square(tmp_path: Path):
    stored = np.arange(15, dtype=np.uint16).reshape(3, 5)
    assert np.array_equal(read_slice(write_ct(tmp_path / "x", stored)).stored, stored)


def test_bytes_after_the_pixels_do_no_harm(tmp_path: Path):
    stored = stored_values()
    path = write_ct(tmp_path / "x", PixelData=stored.tobytes() + b"\0" * 30)
    assert np.array_equal(read_slice(path).stored, stored)


@pytest.mark.parametrize("syntax", UNCOMPRESSED)
@pytest.mark.parametrize("signed", [False, True])
def test_padding_is_found_in_stored_values(tmp_path: Path, syntax: str, signed: bool):
    stored = stored_values(signed=signed, bits_stored=16)
    value = -2000 if signed else 63536
    stored[5, 5:9] = value
    path = write_ct(tmp_path / "x", stored, syntax=syntax, PixelPaddingValue=value)
    padding = read_slice(path).padding
    assert padding is not None
    assert np.array_equal(padding, stored == value)


@pytest.mark.parametrize(("value", "limit"), [(0, 20), (20, 0)])
def test_a_padding_range_is_closed_in_either_order(tmp_path: Path, value: int, limit: int):
    stored = stored_values()
    stored[3, :3] = 0, 20, 21
    path = write_ct(tmp_path / "x", stored, PixelPaddingValue=value, PixelPaddingRangeLimit=limit)
    padding = read_slice(path).padding
    assert padding is not None
    assert list(padding[3, :3]) == [True, True, False]


def test_padding_of_the_wrong_vr_means_the_same_bits(tmp_path: Path):
    stored = stored_values(signed=True, bits_stored=16)
    stored[5, 5] = -2000
    path = write_ct(tmp_path / "x", stored, PixelPaddingValue=-2000)
    with path.open("rb") as file:
        dataset = dcmread(file)
    dataset.add_new("PixelPaddingValue", "US", 63536)
    save(path, dataset)
    padding = read_slice(path).padding
    assert padding is not None
    assert padding[5, 5]


@pytest.mark.parametrize("syntax", [*UNCOMPRESSED, RLELossless])
@pytest.mark.parametrize(("signed", "value"), [(False, 63536), (True, -32768)])
def test_padding_outside_bits_stored_is_padding(
    tmp_path: Path, syntax: str, signed: bool, value: int
):
    stored = stored_values(signed=signed, size=64)
    stored[5, 5:9] = value
    path = write_ct(tmp_path / "x", stored, syntax=syntax, bits_stored=12, PixelPaddingValue=value)
    read_header(path)
    source = read_slice(path)
    assert source.padding is not None
    assert np.array_equal(source.padding, stored == value)
    assert np.array_equal(source.stored, stored)
    assert np.array_equal(source.hu[~source.padding], stored[~source.padding] - 1024.0)
    assert (source.hu[source.padding] == (-3072 if signed else -1024)).all()


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
def test_padding_that_a_codec_cannot_hold_is_refused(tmp_path: Path, syntax: str):
    stored = stored_values(size=64)
    path = write_ct(tmp_path / "x", stored, syntax=syntax, bits_stored=12, PixelPaddingValue=63536)
    for read in (read_header, read_slice):
        with pytest.raises(InvalidSeriesError, match="63536 does not fit BitsStored 12"):
            read(path)


def test_a_file_must_be_the_one_that_was_found(tmp_path: Path):
    path = write_ct(tmp_path / "x.dcm")
    stamp = read_header(path).stamp
    assert np.array_equal(read_slice(path, stamp).stored, stored_values())
    write_ct(path, PatientSex="F")
    with pytest.raises(InvalidSeriesError, match=r"^x\.dcm: changed during the run"):
        read_slice(path, stamp)


@pytest.mark.parametrize("read", [read_slice, reader.read_dataset, reader.read_bytes])
def test_a_file_must_not_change_while_it_is_read(tmp_path: Path, monkeypatch, read):
    path = write_ct(tmp_path / "x.dcm")
    stamp = read_header(path).stamp
    plain = discovery._Bounded.read

    def change(file, size=-1):
        content = plain(file, size)
        if size > 1000:
            path.write_bytes(bytes(path.stat().st_size))
        return content

    read(path, stamp)
    monkeypatch.setattr(discovery._Bounded, "read", change)
    with pytest.raises(InvalidSeriesError, match=r"^x\.dcm: changed during the run"):
        read(path, stamp)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, *COMPRESSED])
def test_truncated_pixel_data_is_unreadable(tmp_path: Path, syntax: str):
    path = write_ct(tmp_path / "x.dcm", stored_values(size=64), syntax=syntax, bits_stored=12)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UnreadableFileError, match=r"^x\.dcm: "):
        read_slice(path)


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_garbage_in_fragments_is_unreadable(tmp_path: Path, syntax: str):
    path = write_ct(tmp_path / "x.dcm", stored_values(size=64), syntax=syntax, bits_stored=12)
    content = bytearray(path.read_bytes())
    start = content.index(b"\xe0\x7f\x10\x00") + 32
    content[start:-8] = bytes(len(content) - 8 - start)
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableFileError, match=r"^x\.dcm: "):
        read_slice(path)


def test_what_is_no_dicom_is_unreadable(tmp_path: Path):
    path = tmp_path / "text.dcm"
    path.write_text("text")
    with pytest.raises(UnreadableFileError, match=r"text\.dcm: not DICOM"):
        read_slice(path)


def test_what_has_no_hu_is_invalid(tmp_path: Path):
    path = write_ct(tmp_path / "x.dcm", RescaleSlope=0)
    with pytest.raises(InvalidSeriesError, match=r"x\.dcm: RescaleSlope is 0"):
        read_slice(path)


def test_an_oversize_file_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reader, "MAX_FILE_BYTES", 1000)
    with pytest.raises(UnreadableFileError, match="no CT slice"):
        read_slice(write_ct(tmp_path / "x"))


@pytest.mark.parametrize(
    "name", ["pair_lungdx_A0002_siemens/B40f", "pair_philips_headphantom_step2/UB"]
)
def test_real_slices_read_as_pydicom_reads_them(name: str):
    files = sorted(path for path in require_data(name).iterdir() if path.stat().st_size > 1000)
    for path in files[:3]:
        dataset = dcmread(path)
        expected = hu_by_definition(
            dataset.pixel_array, float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
        )
        assert np.array_equal(read_slice(path).hu, expected)
