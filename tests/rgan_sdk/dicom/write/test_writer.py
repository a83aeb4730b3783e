import copy
import dataclasses
import errno
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian
from support.checksums import listed
from support.conformance import violations
from support.dicom_phantoms import ct_dataset, save, stored_values, uid, write_ct

from rgan_sdk.dicom.header import read_header
from rgan_sdk.dicom.read.pydicom_reader import PydicomSlice, read_slice
from rgan_sdk.dicom.uids import code_item
from rgan_sdk.dicom.write.derivation import Derivation, derived_series_uid, derived_sop_uid
from rgan_sdk.dicom.write.writer import derive, encode, write_derived, write_file
from rgan_sdk.errors import (
    ConfigurationError,
    IneligibleError,
    InferenceError,
    InvalidSeriesError,
    OutputError,
)

DERIVATION = Derivation(
    target_kernel="B70f",
    model_name="b40f-to-b70f",
    model_version="1.2.0",
    model_sha256="ab" * 32,
    configuration='{"engine": "identity"}',
    engine="onnxruntime",
    software="rgan-sdk 0.1.0",
    timestamp=datetime(2025, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
)


def rich_dataset() -> Dataset:
    """Return a slice with everything in it that a derived object must not keep as it is."""
    dataset = ct_dataset(
        PixelPaddingValue=0,
        RescaleType=None,
        SmallestImagePixelValue=0,
        LargestImagePixelValue=4095,
        DeviceSerialNumber="4711",
        StationName="CT1",
        SoftwareVersions=["VA1", "VB2"],
        DeviceUID=uid(3),
        InstitutionName="Hospital",
        PerformedProcedureStepID="P1",
        PerformedProcedureStepStartDate="20200102",
        WindowCenter=[40, -600],
        WindowWidth=[400, 1600],
        LossyImageCompression="01",
        LossyImageCompressionMethod="ISO_10918_1",
        LossyImageCompressionRatio="4.5",
        BurnedInAnnotation="NO",
        InstanceCreatorUID=uid(4),
    )
    reference = Dataset()
    reference.ReferencedSOPClassUID = dataset.SOPClassUID
    reference.ReferencedSOPInstanceUID = uid(7, 7)
    reference.add_new(0x00090010, "LO", "NESTED")
    reference.add_new(0x00091001, "LO", "private")
    dataset.ReferencedImageSequence = [copy.deepcopy(reference)]
    dataset.ReferencedPerformedProcedureStepSequence = [copy.deepcopy(reference)]
    del dataset.ReferencedImageSequence[0][0x00090010]
    del dataset.ReferencedImageSequence[0][0x00091001]
    dataset.IconImageSequence = [Dataset()]
    dataset.add_new(0x00290010, "LO", "SCANNER")
    dataset.add_new(0x00291001, "LO", "private")
    dataset.add_new(0xFFFCFFFC, "OB", b"\0\0")
    return dataset


def written(
    tmp_path: Path, dataset: Dataset, derivation: Derivation = DERIVATION, syntax: str | None = None
) -> tuple[Path, Path]:
    source = save(tmp_path / "source.dcm", dataset, *([syntax] if syntax else []))
    target = tmp_path / "derived.dcm"
    slice_ = read_slice(source)
    write_derived(slice_, slice_.hu, derivation, target)
    return source, target


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_derived_object_conforms_to_the_table(tmp_path: Path, syntax: str | None):
    assert violations(*written(tmp_path, rich_dataset(), syntax=syntax), DERIVATION) == []


@pytest.mark.parametrize(
    "attributes",
    [
        {"Manufacturer": ""},
        {"ImageType": ["DERIVED ", "PRIMARY", "AXIAL", "X"]},
        {"ImageType": ["ORIGINAL", "PRIMARY"]},
        {"SeriesDescription": "x" * 64},
        {"SeriesDescription": None, "SeriesNumber": None},
        {"SeriesDescription": "Größe", "PatientName": "Ümläut^X"},
        {"SpecificCharacterSet": ["", "ISO 2022 IR 87"], "SeriesDescription": "胸部 CT"},
        {"SpecificCharacterSet": "ISO_IR 192", "SeriesDescription": "胸部" * 32},
        {"TimezoneOffsetFromUTC": "-0530"},
        {"TimezoneOffsetFromUTC": "nonsense"},
        {"TimezoneOffsetFromUTC": "+9999"},
        {"SeriesNumber": 2**31 - 9000},
        {"DerivationCodeSequence": [code_item("113040", "DCM", "Lossy Compression")]},
    ],
)
def test_unusual_headers_conform_as_well(tmp_path: Path, attributes: dict[str, Any]):
    assert violations(*written(tmp_path, ct_dataset(**attributes)), DERIVATION) == []


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("SOPInstanceUID", uid(1, 1, 1)),
        ("SeriesInstanceUID", uid(1, 1)),
        ("SeriesNumber", 3),
        ("SeriesDescription", "Chest"),
        ("PatientName", "OTHER"),
        ("FrameOfReferenceUID", uid(5)),
        ("ConvolutionKernel", "B70f"),
        ("LossyImageCompression", "00"),
        ("StationName", "CT1"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL"]),
        ("DerivationDescription", "harmonized"),
        ("DerivationCodeSequence", [code_item("113040", "DCM", "Lossy Compression")]),
        ("ContentQualification", "PRODUCT"),
        ("Manufacturer", "Scanner Works"),
        ("ContributingEquipmentSequence", []),
        ("RescaleType", "US"),
        ("PixelPaddingValue", 4),
        ("SeriesDate", "20200102"),
        ("BurnedInAnnotation", None),
    ],
)
def test_the_checker_finds_each_wrong_attribute(tmp_path: Path, keyword: str, value: Any):
    source, target = written(tmp_path, rich_dataset())
    derived = dcmread(target)
    if value is None:
        delattr(derived, keyword)
    else:
        setattr(derived, keyword, value)
    derived.save_as(target)
    assert violations(source, target, DERIVATION) != []


def test_earlier_contributing_equipment_is_kept(tmp_path: Path):
    first = Dataset()
    first.Manufacturer = "Earlier"
    first.PurposeOfReferenceCodeSequence = [code_item("109101", "DCM", "Acquisition Equipment")]
    source = ct_dataset(
        ContributingEquipmentSequence=[first], ImageType=["DERIVED", "SECONDARY", "AXIAL"]
    )
    paths = written(tmp_path, source)
    assert violations(*paths, DERIVATION) == []
    items = dcmread(paths[1]).ContributingEquipmentSequence
    assert [item.Manufacturer for item in items] == ["Earlier", "Scanner Works"]
    assert items[1].PurposeOfReferenceCodeSequence[0].CodeValue == "109102"


def test_private_elements_are_dropped_at_every_depth(tmp_path: Path):
    dataset = rich_dataset()
    dataset.ReferencedImageSequence[0].add_new(0x00110010, "LO", "NESTED")
    dataset.ReferencedImageSequence[0].add_new(0x00111001, "LO", "private")
    _, target = written(tmp_path, dataset)
    assert b"private" not in target.read_bytes()
    assert dcmread(target).ReferencedImageSequence[0].ReferencedSOPInstanceUID == uid(7, 7)


def test_a_program_in_the_preamble_is_not_passed_on(tmp_path: Path):
    source = write_ct(tmp_path / "source")
    source.write_bytes(b"MZ" + b"\x90" * 126 + source.read_bytes()[128:])
    slice_ = read_slice(source)
    write_derived(slice_, slice_.hu, DERIVATION, tmp_path / "derived")
    assert (tmp_path / "derived").read_bytes()[:128] == b"\0" * 128


def test_dates_are_in_the_time_zone_that_the_file_states(tmp_path: Path):
    _, target = written(tmp_path, ct_dataset(TimezoneOffsetFromUTC="-0530"))
    derived = dcmread(target)
    assert (derived.SeriesDate, derived.SeriesTime) == ("20250101", "213405.000678")
    assert derived.AcquisitionDate == "20200102"


def test_dates_are_utc_where_the_file_states_no_time_zone(tmp_path: Path):
    elsewhere = DERIVATION.timestamp.astimezone(timezone(timedelta(hours=9)))
    derivation = dataclasses.replace(DERIVATION, timestamp=elsewhere)
    derived = dcmread(written(tmp_path, ct_dataset(), derivation)[1])
    assert (derived.SeriesDate, derived.SeriesTime) == ("20250102", "030405.000678")


@pytest.mark.parametrize(
    ("number", "expected"), [(2**31 - 9001, 2**31 - 1), (2**31 - 1, 2**31 - 1)]
)
def test_a_series_number_stays_within_its_range(tmp_path: Path, number: int, expected: int):
    derived = dcmread(written(tmp_path, ct_dataset(SeriesNumber=number))[1])
    assert derived.SeriesNumber == expected


def test_the_identity_engine_claims_no_harmonization(tmp_path: Path):
    identity = dataclasses.replace(DERIVATION, engine="identity")
    source, target = written(tmp_path, rich_dataset(), identity)
    derived = dcmread(target)
    assert violations(source, target, identity) == []
    assert violations(source, target, DERIVATION) != []
    assert derived.DerivationDescription.startswith(
        "Copied unchanged (identity engine), no harmonization"
    )
    assert derived.SeriesDescription == "Chest RGAN>IDENTITY"
    assert "armonized" not in str(derived)
    with pytest.raises(IneligibleError, match="identity engine's copy"):
        read_header(target)


def test_a_derived_slice_is_not_eligible_again(tmp_path: Path):
    _, target = written(tmp_path, ct_dataset())
    with pytest.raises(IneligibleError, match="harmonized already"):
        read_header(target)


def test_the_source_in_memory_is_not_changed(tmp_path: Path):
    source = read_slice(save(tmp_path / "x", rich_dataset()))
    before = source.dataset.to_json()
    derive(source, source.hu, DERIVATION)
    assert source.dataset.to_json() == before


def make_source(tmp_path: Path, stored: np.ndarray, **attributes: Any) -> PydicomSlice:
    return read_slice(write_ct(tmp_path / "source", stored, **attributes))


def derived_values(source: PydicomSlice, hu: np.ndarray, path: Path) -> tuple[np.ndarray, int]:
    written = write_derived(source, hu.astype(np.float32), DERIVATION, path)
    assert written[:3] == listed(path)
    return read_slice(path).stored, written.clips


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("bits_allocated", "bits_stored"), [(16, 12), (16, 16), (8, 8), (8, 7)])
@pytest.mark.parametrize("slope", ["1", "-1", "0.37"])
def test_unchanged_hu_give_unchanged_stored_values(
    tmp_path: Path, signed: bool, bits_allocated: int, bits_stored: int, slope: str
):
    stored = stored_values(signed=signed, bits_allocated=bits_allocated, bits_stored=bits_stored)
    source = make_source(tmp_path, stored, bits_stored=bits_stored, RescaleSlope=slope)
    after, clips = derived_values(source, source.hu, tmp_path / "derived")
    assert np.array_equal(after, stored)
    assert clips == 0


def test_an_odd_number_of_bytes_is_padded(tmp_path: Path):
    stored = np.arange(9, dtype=np.uint8).reshape(3, 3)
    source = make_source(tmp_path, stored)
    assert np.array_equal(derived_values(source, source.hu, tmp_path / "d")[0], stored)


def test_values_are_clamped_to_bits_stored_and_counted(tmp_path: Path):
    source = make_source(tmp_path, stored_values(), bits_stored=12)
    hu = np.zeros_like(source.hu)
    hu[0, :4] = -1025, -1024, 3071, 3072
    after, clips = derived_values(source, hu, tmp_path / "derived")
    assert list(after[0, :4]) == [0, 0, 4095, 4095]
    assert clips == 2


@pytest.mark.parametrize(
    ("padding", "limit", "computed", "expected"),
    [
        (-2000, None, -2000, -1999),
        (-32768, None, -32768, -32767),
        (32767, None, 32767, 32766),
        (-2000, -1990, -1999, -2001),
        (-2000, -1990, -1991, -1989),
        (-32768, -1990, -30000, -1989),
        (2000, 32767, 30000, 1999),
    ],
)
def test_no_computed_pixel_looks_like_padding(
    tmp_path: Path, padding: int, limit: int | None, computed: int, expected: int
):
    stored = np.full((4, 4), 7, np.int16)
    stored[0] = padding
    source = make_source(
        tmp_path,
        stored,
        PixelPaddingValue=padding,
        PixelPaddingRangeLimit=limit,
        RescaleIntercept=0,
    )
    hu = np.full(source.hu.shape, 100.0)
    hu[2, 2] = computed
    after, clips = derived_values(source, hu, tmp_path / "derived")
    assert list(after[0]) == [padding] * 4
    assert after[2, 2] == expected
    assert after[1, 1] == 100
    assert clips == 1
    assert dcmread(tmp_path / "derived").PixelPaddingValue == padding


def test_clamping_into_the_padding_counts_a_pixel_once(tmp_path: Path):
    stored = np.full((4, 4), 7, np.uint16)
    source = make_source(tmp_path, stored, bits_stored=12, PixelPaddingValue=0)
    hu = source.hu.copy()
    hu[0, 0] = -2000
    after, clips = derived_values(source, hu, tmp_path / "derived")
    assert (after[0, 0], clips) == (1, 1)


def test_padded_pixels_come_back_whatever_was_computed(tmp_path: Path):
    stored = stored_values(signed=True, bits_stored=16)
    stored[:, :8] = -2000
    source = make_source(tmp_path, stored, PixelPaddingValue=-2000)
    after, clips = derived_values(source, source.hu + 5, tmp_path / "derived")
    assert np.array_equal(after[:, :8], stored[:, :8])
    assert clips <= 3  # the extremes of the format


@pytest.mark.parametrize(("signed", "value"), [(False, 63536), (True, -32768)])
def test_padding_outside_bits_stored_comes_back(tmp_path: Path, signed: bool, value: int):
    stored = stored_values(signed=signed)
    stored[:, :8] = value
    source = make_source(tmp_path, stored, bits_stored=12, PixelPaddingValue=value)
    write_derived(source, source.hu, DERIVATION, tmp_path / "derived")
    assert dcmread(tmp_path / "derived").PixelData == stored.tobytes()


def test_padding_beyond_the_cells_is_no_obstacle(tmp_path: Path):
    stored = np.arange(16, dtype=np.uint8).reshape(4, 4)
    source = make_source(tmp_path, stored, PixelPaddingValue=63536)
    after, clips = derived_values(source, source.hu, tmp_path / "derived")
    assert np.array_equal(after, stored)
    assert clips == 0


def test_padding_gets_the_vr_of_the_pixels(tmp_path: Path):
    dataset = ct_dataset(stored_values(signed=True, bits_stored=16), PixelPaddingValue=-2000)
    dataset.add_new("PixelPaddingValue", "US", 63536)
    element = dcmread(written(tmp_path, dataset)[1])["PixelPaddingValue"]
    assert (element.VR, element.value) == ("SS", -2000)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_hu_that_are_no_numbers_are_refused(tmp_path: Path, bad: float):
    source = make_source(tmp_path, stored_values())
    hu = source.hu.copy()
    hu[3, 3] = bad
    with pytest.raises(InferenceError, match="NaN or infinite"):
        write_derived(source, hu, DERIVATION, tmp_path / "derived")
    assert not (tmp_path / "derived").exists()


def test_hu_of_another_shape_are_refused(tmp_path: Path):
    source = make_source(tmp_path, stored_values())
    with pytest.raises(InferenceError, match=r"\(8, 8\)"):
        derive(source, np.zeros((8, 8), np.float32), DERIVATION)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path):
    path = save(tmp_path / "x", rich_dataset())
    for name in ("a", "b"):
        source = read_slice(path)
        write_derived(source, source.hu, DERIVATION, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_uids_are_pinned():
    series, instance = derived_series_uid(uid(1), DERIVATION), derived_sop_uid(uid(1), DERIVATION)
    assert series == "2.25.133950717958642031261598058250521009396"
    assert instance == "2.25.313957219965861987198225409942015488468"


@pytest.mark.parametrize(
    "change",
    [
        {"model_sha256": "cd" * 32},
        {"configuration": "{}"},
        {"software": "rgan-sdk 0.2.0"},
        {"timestamp": DERIVATION.timestamp + timedelta(microseconds=1)},
        {"group": 1},
    ],
)
def test_uids_change_with_all_that_they_stand_for(change: dict[str, Any]):
    other = dataclasses.replace(DERIVATION, **change)
    assert derived_series_uid(uid(1), other) != derived_series_uid(uid(1), DERIVATION)
    assert derived_sop_uid(uid(1), other) != derived_sop_uid(uid(1), DERIVATION)
    assert derived_sop_uid(uid(2), DERIVATION) != derived_sop_uid(uid(1), DERIVATION)


def test_uids_do_not_depend_on_how_a_moment_is_written():
    elsewhere = DERIVATION.timestamp.astimezone(timezone(timedelta(hours=9)))
    other = dataclasses.replace(DERIVATION, timestamp=elsewhere)
    assert derived_sop_uid(uid(1), other) == derived_sop_uid(uid(1), DERIVATION)


def test_a_timestamp_needs_a_time_zone():
    with pytest.raises(ConfigurationError, match="time zone"):
        dataclasses.replace(DERIVATION, timestamp=datetime(2025, 1, 2))


def test_a_description_has_its_limit_whatever_the_names(tmp_path: Path):
    long = dataclasses.replace(
        DERIVATION, target_kernel="K" * 500, model_name="m" * 900, software="s" * 300
    )
    derived = dcmread(written(tmp_path, ct_dataset(), long)[1])
    assert len(derived.DerivationDescription) <= 1024
    assert len(derived.SeriesDescription) <= 64


def test_a_header_that_cannot_be_encoded_fails_without_its_value(tmp_path: Path):
    source = make_source(tmp_path, stored_values())
    source.dataset.add_new("PatientAge", "US", 1)
    source.dataset["PatientAge"]._value = "DOE^JOHN"
    with pytest.raises(InvalidSeriesError) as caught:
        encode(source.dataset)
    assert "DOE" not in str(caught.value)


def test_a_file_appears_whole_and_nothing_else_stays(tmp_path: Path):
    write_file(tmp_path / "file", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_file_has_the_mode_that_the_umask_leaves(tmp_path: Path):
    before = os.umask(0o077)
    try:
        write_file(tmp_path / "file", b"content")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("failing", ["write_bytes", "replace"])
def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
):
    def fail(path: Path, content: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, failing, fail)
    with pytest.raises(OutputError, match="No space left on device"):
        write_file(tmp_path / "file", b"content")
    assert list(tmp_path.iterdir()) == []


def test_a_short_write_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda path, content: whole(path, content[:-1]))
    with pytest.raises(OutputError, match="only a part"):
        write_file(tmp_path / "file", b"content")
    assert list(tmp_path.iterdir()) == []
