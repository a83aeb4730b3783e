"""Attributes that neither pixels nor places depend on do no harm, however they are written."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from support.dicom_phantoms import ct_dataset, save, uid
from support.native import DERIVATION, write_unchanged

from rgan_sdk.dicom.header import read_header
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.write.unreadable import may_be_unreadable
from rgan_sdk.dicom.write.writer import derive, encode
from rgan_sdk.errors import InvalidSeriesError

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
LONG = ("OB", "OW", "SQ", "UN")
PLACE = b"IN THIS PLACE"
VALUES = [1, 2, 60000]

KEPT = [
    ("SliceThickness", "DS", b"2,00"),
    ("SliceThickness", "DS", b"2 mm"),
    ("SliceThickness", "DS", b"2\\2 "),
    ("SliceThickness", "DS", b"nan "),
    ("SliceThickness", "DS", b"1e999 "),
    ("SpacingBetweenSlices", "DS", b"2,0 "),
    ("KVP", "DS", b"120 kV"),
    ("InstanceNumber", "IS", b"1.5x"),
    ("InstanceNumber", "IS", b"99999999999999999999"),
    ("WindowCenter", "DS", b"40,0"),
    ("WindowCenter", "DS", b"4\\x "),
    ("StudyDate", "DA", b"2020-01-02"),
    ("PatientAge", "AS", b"fifty "),
    ("DataCollectionDiameter", "DS", b"5" * 40),
]
DROPPED = [
    ("InstanceNumber", "IS", b"Infinity"),
    ("WindowWidth", "US", b"\1\0\0"),
    ("RevolutionTime", "FD", b"\1\2\3\4"),
    ("SpiralPitchFactor", "FD", b"0,9 "),
    ("RequestAttributesSequence", "SQ", b"\0\0"),
    ("ReferencedImageSequence", "LO", b"no items"),
    ("FilterType", "ZZ", b"FLAT"),
]
REPLACED = [
    ("SeriesNumber", "IS", b"abc "),
    ("SeriesNumber", "IS", b"3\\4 "),
    ("SeriesNumber", "IS", b"1e400 "),
    ("SeriesNumber", "IS", b"-99999999999999 "),
    ("ContributingEquipmentSequence", "LO", b"no items"),
    ("DateOfLastCalibration", "DA", b"last week "),
    ("SpatialResolution", "DS", b"0,5 "),
    ("ContentDate", "DA", b"yesterday "),
    ("TimezoneOffsetFromUTC", "SH", b"CET "),
    ("PixelPaddingRangeLimit", "DS", b"none"),
    ("HighBit", "US", b""),
    ("SamplesPerPixel", "US", b""),
    ("PhotometricInterpretation", "CS", b""),
    ("Modality", "CS", b"ct"),
]


def write_raw(path: Path, keyword: str, vr: str, raw: bytes, syntax: UID, **own: object) -> Path:
    """Write a slice with an attribute of these bytes, whatever they are."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    dataset = ct_dataset(**own)
    if tag in dataset:
        del dataset[tag]
    dataset.add_new(tag, "OB", PLACE)
    save(path, dataset, syntax)
    order = "<" if syntax.is_little_endian else ">"
    name, value = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF), PLACE + b"\0"
    if syntax.is_implicit_VR:
        old = name + struct.pack("<I", len(value)) + value
        new = name + struct.pack("<I", len(raw)) + raw
    else:
        old = name + b"OB\0\0" + struct.pack(f"{order}I", len(value)) + value
        form = f"{order}HI" if vr in LONG else f"{order}H"
        lengths = (0, len(raw)) if vr in LONG else (len(raw),)
        new = name + vr.encode() + struct.pack(form, *lengths) + raw
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    return path


def write_derived(tmp_path: Path, keyword: str, vr: str, raw: bytes, syntax: UID) -> list[Dataset]:
    for number in range(2):
        own = {"SOPInstanceUID": uid(1, 1, number), "ImagePositionPatient": [0, 0, number]}
        write_raw(tmp_path / "in" / str(number), keyword, vr, raw, syntax, **own)
    derived = write_unchanged(tmp_path / "in", tmp_path / "out")
    for one in derived:
        assert len(str(one)) > 1000  # all of it can be read
    return derived


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(("keyword", "vr", "raw"), KEPT)
def test_text_that_is_no_number_or_date_stays(
    tmp_path: Path, keyword: str, vr: str, raw: bytes, syntax: UID
):
    write_derived(tmp_path, keyword, vr, raw, syntax)
    for path in (tmp_path / "out").iterdir():
        assert dcmread(path).get_item(keyword).value.strip() == raw.strip()


@pytest.mark.parametrize(
    ("keyword", "vr", "raw", "syntax"),
    [
        (keyword, vr, raw, syntax)
        for keyword, vr, raw in DROPPED
        for syntax in SYNTAXES
        # Implicit VR has no VR that could be wrong.
        if not (syntax.is_implicit_VR and vr in ("LO", "ZZ", "US"))
    ],
)
def test_what_cannot_be_read_at_all_goes(
    tmp_path: Path, keyword: str, vr: str, raw: bytes, syntax: UID
):
    for derived in write_derived(tmp_path, keyword, vr, raw, syntax):
        assert keyword not in derived


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(("keyword", "vr", "raw"), REPLACED)
def test_what_the_derived_header_needs_is_no_obstacle(
    tmp_path: Path, keyword: str, vr: str, raw: bytes, syntax: UID
):
    for derived in write_derived(tmp_path, keyword, vr, raw, syntax):
        assert -(2**31) < derived.SeriesNumber < 2**31
        assert derived.ContentDate == "20260102"


def write_item(path: Path, *, readable: bool, **own: object) -> None:
    """Write a slice with two attributes in an item, the second one readable or not."""
    item = Dataset()
    item.ReferencedSOPInstanceUID = uid(5)
    item.add_new("TableHeight", "OB", PLACE)
    content = save(path, ct_dataset(ReferencedImageSequence=[item], **own)).read_bytes()
    old = b"\x18\x00\x30\x11OB\0\0" + struct.pack("<I", 14) + PLACE + b"\0"
    assert content.count(old) == 1
    new = b"\x18\x00\x30\x11FD" + struct.pack("<H", len(old) - 8) + bytes(len(old) - 8)
    path.write_bytes(content if readable else content.replace(old, new))


def test_an_unreadable_attribute_of_an_item_goes_alone(tmp_path: Path):
    write_item(tmp_path / "in" / "x", readable=False)
    (derived,) = write_unchanged(tmp_path / "in", tmp_path / "out")
    (item,) = derived.ReferencedImageSequence
    assert item.ReferencedSOPInstanceUID == uid(5)
    assert "TableHeight" not in item


@pytest.mark.parametrize("raw", [b"2,00", b"2 mm", b"nan ", b"2\\2 "])
def test_a_thickness_that_is_no_number_is_unknown(tmp_path: Path, raw: bytes):
    path = write_raw(tmp_path / "x", "SliceThickness", "DS", raw, ExplicitVRLittleEndian)
    assert read_header(path).slice_thickness is None
    assert find_series(tmp_path).series[0].slice_thickness is None


@pytest.mark.parametrize(("vr", "raw"), [("DS", b"none"), ("US", b"\0"), ("US", b"\0\0\1\0")])
def test_padding_that_cannot_be_read_fails_by_name(tmp_path: Path, vr: str, raw: bytes):
    """Which pixels are image depends on it."""
    path = write_raw(tmp_path / "x", "PixelPaddingValue", vr, raw, ExplicitVRLittleEndian)
    with pytest.raises(InvalidSeriesError, match="PixelPaddingValue"):
        read_header(path)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_table_whose_vr_depends_on_its_descriptor_stays(tmp_path: Path, syntax: UID):
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [3, 0, 16])
    table.add_new("LUTData", "US", VALUES)
    save(tmp_path / "in" / "x", ct_dataset(VOILUTSequence=[table]), syntax)
    (derived,) = write_unchanged(tmp_path / "in", tmp_path / "out")
    source = read_slice(tmp_path / "in" / "x")
    by_pydicom = derive(source, source.hu, DERIVATION).dataset
    for dataset in (derived, by_pydicom):
        (item,) = dataset.VOILUTSequence
        assert item.LUTDescriptor == [3, 0, 16]
        words = item.LUTData  # bytes in OW, numbers in US
        assert list(struct.unpack("<3H", words) if isinstance(words, bytes) else words) == VALUES


@pytest.mark.parametrize(
    ("tag", "value"),
    [(0x00280071, 3), (0x00281100, [3, 0, 16]), (0x00281111, [3, 0, 16]), (0x00281200, VALUES)],
)
def test_what_may_have_several_vrs_goes_where_none_is_stated(
    tmp_path: Path, tag: int, value: object
):
    dataset = ct_dataset()
    dataset.add_new(tag, "US", value)
    save(tmp_path / "in" / "x", dataset, ImplicitVRLittleEndian)
    (derived,) = write_unchanged(tmp_path / "in", tmp_path / "out")
    assert tag not in derived
    source = read_slice(tmp_path / "in" / "x")
    assert tag not in dcmread(BytesIO(encode(derive(source, source.hu, DERIVATION).dataset)))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("bad", range(3))
@pytest.mark.parametrize(
    ("keyword", "vr", "good", "raw"),
    [
        ("CTDIvol", "FD", bytes(8), bytes(4)),
        ("TableSpeed", "FD", bytes(16), bytes(14)),
        ("ReferencePixelX0", "SL", bytes(4), bytes(6)),
        ("Exposure", "IS", b"40", b"1\\-inf"),
        ("Exposure", "IS", b"40", b"1e400 "),
        ("Exposure", "IS", b"40", b"\tinf"),
        ("Exposure", "IS", b"40", b"1\\\xa01_0e400"),
    ],
)
def test_each_slice_goes_without_what_cannot_be_read_in_it(
    tmp_path: Path, keyword: str, vr: str, good: bytes, raw: bytes, bad: int, syntax: UID
):
    for number in range(3):
        own = {"SOPInstanceUID": uid(1, 1, number), "ImagePositionPatient": [0, 0, number]}
        value = raw if number == bad else good
        write_raw(tmp_path / "in" / str(number), keyword, vr, value, syntax, **own)
    derived = write_unchanged(tmp_path / "in", tmp_path / "out")
    assert [keyword in each for each in derived] == [number != bad for number in range(3)]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_plain_headers_raise_no_suspicion(tmp_path: Path, syntax: UID):
    plain = {
        "RevolutionTime": 0.5,
        "ReferencePixelX0": -3,
        "SimpleFrameList": [1, 2],
        "Exposure": 1,
    }
    save(
        tmp_path / "in" / "x", ct_dataset(PixelData=np.zeros((16, 16), np.uint16), **plain), syntax
    )
    write_unchanged(tmp_path / "in", tmp_path / "out")
    (path,) = (tmp_path / "out").iterdir()
    assert not may_be_unreadable(path.read_bytes())


@pytest.mark.parametrize("bad", range(2))
def test_an_item_of_each_slice_goes_without_what_cannot_be_read_in_it(tmp_path: Path, bad: int):
    for number in range(2):
        own = {"SOPInstanceUID": uid(1, 1, number), "ImagePositionPatient": [0, 0, number]}
        write_item(tmp_path / "in" / str(number), readable=number != bad, **own)
    derived = write_unchanged(tmp_path / "in", tmp_path / "out")
    kept = ["TableHeight" in each.ReferencedImageSequence[0] for each in derived]
    assert kept == [bad != 0, bad != 1]
