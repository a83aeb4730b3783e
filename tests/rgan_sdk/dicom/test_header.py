import hashlib
import os
from pathlib import Path

import pytest
from pydicom.filereader import read_partial
from pydicom.uid import (
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    XRayRadiationDoseSRStorage,
)
from support.dicom_phantoms import CANARY, ct_dataset, save, stored_values, uid, write_ct
from support.native import scan_header

from rgan_sdk.dicom.header import read_header, read_series_uid
from rgan_sdk.dicom.read import codecs, imagecodecs_plugin, pixels
from rgan_sdk.dicom.read.pixels import PixelFormat
from rgan_sdk.dicom.stamp import Stamp, checksum
from rgan_sdk.dicom.uids import code_item
from rgan_sdk.errors import DicomError, IneligibleError, InvalidSeriesError, UnreadableFileError


def test_a_header_holds_what_the_file_says(tmp_path: Path):
    path = write_ct(tmp_path / "file", ConvolutionKernel=["Br38f", "3"])
    header = read_header(path)
    assert header.convolution_kernel == r"Br38f\3"
    assert (header.rows, header.columns) == (16, 16)
    assert header.origin == (-10.0, -20.0, 30.0)
    assert header.orientation == (1, 0, 0, 0, 1, 0)
    assert header.pixel_spacing == (0.7, 0.7)
    assert header.slice_thickness == 2.0
    assert header.manufacturer == "Scanner Works"


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("written", "kernel"),
    [
        (["Br40d", "3"], r"Br40d\3"),
        ([" Br40d", "3 "], r"Br40d\3"),
        (["I50f", "2", "X"], r"I50f\2\X"),
        (["B40f", ""], "B40f"),
        (["", "3"], r"\3"),
        (["", ""], None),
        (" ", None),
        (None, None),
    ],
)
def test_all_values_of_the_kernel_count(tmp_path: Path, syntax: str, written: object, kernel: str):
    path = write_ct(tmp_path / "file", syntax=syntax, ConvolutionKernel=written)
    for header in (read_header(path), scan_header(path)):
        assert header.convolution_kernel == kernel


def test_the_patient_is_a_pseudonym(tmp_path: Path):
    header = read_header(write_ct(tmp_path / "file"))
    assert header.patient == hashlib.sha256(f"{CANARY}4711".encode()).hexdigest()[:12]


def test_patients_without_an_id_are_told_apart_by_study(tmp_path: Path):
    a = write_ct(tmp_path / "a", PatientID="", StudyInstanceUID=uid(5))
    b = write_ct(tmp_path / "b", PatientID=None, StudyInstanceUID=uid(6))
    assert read_header(a).patient != read_header(b).patient


@pytest.mark.parametrize(
    "absent",
    ["Modality", "ConvolutionKernel", "SliceThickness", "FrameOfReferenceUID", "RescaleType"],
)
def test_what_many_files_lack_is_not_needed(tmp_path: Path, absent: str):
    read_header(write_ct(tmp_path / "file", **{absent: None}))


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"SOPClassUID": MRImageStorage}, "MR Image Storage, not CT"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "Secondary Capture Image Storage, not CT"),
        ({"SOPClassUID": XRayRadiationDoseSRStorage}, "X-Ray Radiation Dose SR Storage, not CT"),
        ({"SOPClassUID": EnhancedCTImageStorage}, "Enhanced CT is not supported yet"),
        ({"SOPClassUID": "1.2.840.10008.1.3.10"}, "DICOMDIR"),
        ({"SOPClassUID": "1.2.3.4"}, "unknown SOP class, not CT"),
        ({"SOPClassUID": "CANARY^JOHN"}, "unknown SOP class, not CT"),
        ({"Modality": "JOHN DOE"}, "Modality (not a defined term), not CT"),
        ({"Modality": "MR"}, "Modality MR, not CT"),
        ({"Modality": CANARY + "^X"}, "Modality (not a defined term), not CT"),
        ({"Modality": CANARY}, "Modality (not a defined term), not CT"),
        ({"PhotometricInterpretation": CANARY}, "PhotometricInterpretation (not a defined"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screen save"),
        ({"PhotometricInterpretation": "RGB"}, "PhotometricInterpretation RGB, not HU"),
        (
            {"DerivationCodeSequence": [code_item("HARMONIZED", "99RGAN", "x")]},
            "harmonized already",
        ),
        (
            {"DerivationCodeSequence": [code_item("IDENTITY", "99RGAN", "x")]},
            "identity engine's copy",
        ),
    ],
)
def test_what_is_not_for_harmonization_is_ineligible(
    tmp_path: Path, attributes: dict[str, object], reason: str
):
    with pytest.raises(IneligibleError) as caught:
        read_header(write_ct(tmp_path / "file", **attributes))
    assert str(caught.value).startswith(reason)


def test_a_derivation_of_others_is_eligible(tmp_path: Path):
    read_header(
        write_ct(tmp_path / "file", DerivationCodeSequence=[code_item("113040", "DCM", "Lossy")])
    )


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"RescaleSlope": 0}, "RescaleSlope is 0"),
        ({"RescaleSlope": None}, "RescaleSlope is missing"),
        ({"RescaleSlope": "1e308"}, "overflow float32"),
        ({"RescaleSlope": [1, 2]}, "RescaleSlope must hold 1 finite"),
        ({"RescaleIntercept": None}, "RescaleIntercept is missing"),
        ({"RescaleType": "MGML"}, "RescaleType MGML is not HU"),
        ({"RescaleType": "Z_EFF"}, "RescaleType Z_EFF is not HU"),
        ({"RescaleType": "HU_MOD"}, "RescaleType HU_MOD is not HU"),
        ({"RescaleType": CANARY}, "RescaleType (not a defined term) is not HU"),
        ({"PixelSpacing": [0, 0.7]}, "PixelSpacing (0.0, 0.7) must be above 0"),
        ({"PixelSpacing": None}, "PixelSpacing is missing"),
        ({"ImagePositionPatient": None}, "ImagePositionPatient is missing"),
        ({"ImagePositionPatient": [1, 2]}, "ImagePositionPatient must hold 3"),
        ({"ImageOrientationPatient": None}, "ImageOrientationPatient is missing"),
        ({"ImageOrientationPatient": [0] * 6}, "is not two orthogonal unit vectors"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "is not two orthogonal unit vectors"),
        ({"NumberOfFrames": 1_000_000_000}, "NumberOfFrames must be 1"),
        ({"SamplesPerPixel": 3}, "SamplesPerPixel must be 1"),
        ({"BitsAllocated": 32}, "BitsAllocated 32 must be 8 or 16"),
        ({"BitsStored": 17, "HighBit": 16}, "BitsStored 17 must be 1 to 16"),
        ({"HighBit": 15}, "HighBit must be BitsStored - 1 = 11"),
        ({"PixelRepresentation": 2}, "PixelRepresentation 2 must be 0 or 1"),
        ({"Rows": 0}, "Rows x Columns 0 x 16"),
        ({"Rows": 65535, "Columns": 65535}, "Rows x Columns 65535 x 65535"),
        ({"Rows": [16, 16]}, "Rows must hold 1 finite"),
        ({"SOPInstanceUID": "../../etc/passwd"}, "SOPInstanceUID is not a valid UID"),
        ({"SeriesInstanceUID": None}, "SeriesInstanceUID is missing"),
        ({"StudyInstanceUID": None}, "StudyInstanceUID is missing"),
    ],
)
def test_what_contradicts_itself_or_lacks_something_is_invalid(
    tmp_path: Path, attributes: dict[str, object], reason: str
):
    with pytest.raises(InvalidSeriesError) as caught:
        read_header(write_ct(tmp_path / "file", **attributes))
    assert reason in str(caught.value)


def test_a_slope_that_is_no_number_is_an_error(tmp_path: Path):
    path = write_ct(tmp_path / "file", RescaleSlope="123456")
    path.write_bytes(path.read_bytes().replace(b"123456", b"NaN   "))
    with pytest.raises(DicomError):
        read_header(path)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", ImplicitVRLittleEndian])
def test_pixel_data_must_be_whole(tmp_path: Path, syntax: str):
    path = write_ct(tmp_path / "file", syntax=syntax)
    read_header(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UnreadableFileError, match="PixelData holds 511 of 512 bytes"):
        read_header(path)


def test_pixel_data_must_be_there(tmp_path: Path):
    path = write_ct(tmp_path / "file", PixelData=None)
    with pytest.raises(UnreadableFileError, match="PixelData is missing"):
        read_header(path)


def test_pixel_data_must_be_as_long_as_the_matrix(tmp_path: Path):
    path = write_ct(tmp_path / "file", PixelData=b"\0" * 100)
    with pytest.raises(UnreadableFileError, match="PixelData holds 100 of 512 bytes"):
        read_header(path)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_pixel_data_may_be_less_than_a_row_longer_than_the_matrix(tmp_path: Path, syntax: str):
    pixels = stored_values(size=16).tobytes()
    read_header(write_ct(tmp_path / "file", PixelData=pixels + b"\0" * 30, syntax=syntax))
    path = write_ct(tmp_path / "file", PixelData=pixels + b"\0" * 32, syntax=syntax)
    with pytest.raises(UnreadableFileError, match="holds 544 bytes, and Rows x Columns 16 x 16"):
        read_header(path)


@pytest.mark.parametrize("changed", [{"Columns": 8}, {"Rows": 8}, {"BitsAllocated": 8}])
def test_pixel_data_of_another_matrix_are_refused(tmp_path: Path, changed: dict[str, int]):
    eight = {"BitsStored": 8, "HighBit": 7} if "BitsAllocated" in changed else {}
    with pytest.raises(UnreadableFileError, match=r"holds 512 bytes, .* take 256; export"):
        read_header(write_ct(tmp_path / "file", **changed, **eight))


def test_a_column_of_single_bytes_may_have_its_padding(tmp_path: Path):
    read_header(write_ct(tmp_path / "file", stored_values(bits_allocated=8, bits_stored=8)[:3, :1]))


def test_a_stamp_is_of_the_file_before_it_was_read(tmp_path: Path, monkeypatch):
    path = write_ct(tmp_path / "file")
    stamp = Stamp.from_stat(path.stat())

    def change(file, **options):
        os.utime(path, ns=(0, 0))
        return read_partial(file, **options)

    monkeypatch.setattr("rgan_sdk.dicom.header.read_partial", change)
    assert read_header(path).stamp == stamp


def test_a_stamp_tells_whether_a_file_is_the_one_that_was_found(tmp_path: Path):
    path = write_ct(tmp_path / "file")
    stamp = read_header(path).stamp
    assert stamp == Stamp.from_stat(path.stat())
    assert checksum(path, stamp) == hashlib.sha256(path.read_bytes()).hexdigest()
    write_ct(path, PatientSex="F")
    with pytest.raises(InvalidSeriesError, match="file: changed during the run"):
        checksum(path, stamp)
    path.unlink()
    with pytest.raises(UnreadableFileError, match="file: cannot be read: No such file"):
        checksum(path, stamp)


def test_a_missing_codec_names_the_syntax_and_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Absent:
        is_available = False

    path = write_ct(tmp_path / "file", syntax=JPEGLosslessSV1)
    monkeypatch.setattr(codecs, "get_decoder", lambda syntax: Absent)
    monkeypatch.setattr(imagecodecs_plugin, "is_available", lambda syntax: False)
    with pytest.raises(UnreadableFileError) as caught:
        read_header(path)
    assert "(1.2.840.10008.1.2.4.70)" in str(caught.value)
    assert "pip install 'rgan-sdk[codecs]'" in str(caught.value)
    with pytest.raises(UnreadableFileError, match="python-gdcm"):
        pixels.require_decoder(JPEGLossless, PixelFormat(16, 16, 16, 12, signed=False))


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGExtended12Bit])
def test_a_decoder_of_eight_bits_is_none_of_twelve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syntax: str
):
    class Pillow:
        is_available = True
        available_plugins = ("pillow",)

    monkeypatch.setattr(codecs, "get_decoder", lambda syntax: Pillow)
    monkeypatch.setattr(imagecodecs_plugin, "is_available", lambda syntax: False)
    read_header(
        write_ct(tmp_path / "8", stored_values(bits_allocated=8, bits_stored=8), syntax=syntax)
    )
    path = write_ct(tmp_path / "12", bits_stored=12, syntax=syntax)
    with pytest.raises(UnreadableFileError, match=r"pip install 'rgan-sdk\[codecs\]'"):
        read_header(path)


def test_lossy_jpeg_with_a_sign_is_refused_at_the_scan(tmp_path: Path):
    path = write_ct(tmp_path / "x", bits_stored=12, syntax=JPEGExtended12Bit, PixelRepresentation=1)
    with pytest.raises(UnreadableFileError, match="holds no signed values"):
        read_header(path)


def test_a_transfer_syntax_of_no_image_is_unreadable(tmp_path: Path):
    path = write_ct(tmp_path / "file")
    content = path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0")
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match="not a transfer syntax"):
        read_header(path)


def test_the_series_of_a_broken_file_is_known_if_it_can_be(tmp_path: Path):
    path = write_ct(tmp_path / "file")
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"\x20\x00\x0e\x00") + 60])
    assert read_series_uid(path) == uid(1, 1)
    path.write_bytes(content[:300])
    assert read_series_uid(path) is None


def test_no_sop_class_is_no_reason_to_skip_in_silence(tmp_path: Path):
    path = save(tmp_path / "file", ct_dataset(SOPClassUID=None))
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.5.1.4.1.1.2\0", b"\0" * 26))
    with pytest.raises(UnreadableFileError, match="SOPClassUID is missing"):
        read_header(path)
