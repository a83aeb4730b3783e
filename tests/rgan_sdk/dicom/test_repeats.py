"""An element occurs at most once in a data set (PS3.5 7.1): nothing is taken from one of two."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from support.dicom_phantoms import stored_values, write_ct

from rgan_sdk.dicom.header import read_header
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.errors import IneligibleError, UnreadableFileError

SYNTAX = b"1.2.840.10008.1.2.1\0"


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


INTERCEPT = element(0x00281052, b"DS", b"-1024.0 ")
PRIVATE = element(0x00291001, b"LO", b"x ")
TRANSFER_SYNTAX = element(0x00020010, b"UI", SYNTAX)
PIXELS = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 512) + bytes(512)


def change(path: Path, old: bytes, new: bytes) -> Path:
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (INTERCEPT, INTERCEPT + element(0x00281052, b"DS", b"0 "), "RescaleIntercept (0028,1052)"),
        (INTERCEPT, INTERCEPT + element(0x00281052, b"DS", b""), "RescaleIntercept (0028,1052)"),
        (INTERCEPT, PRIVATE + INTERCEPT + PRIVATE, "(0029,1001)"),
        (TRANSFER_SYNTAX, TRANSFER_SYNTAX * 2, "TransferSyntaxUID (0002,0010)"),
    ],
)
def test_a_second_element_is_refused(tmp_path: Path, old: bytes, new: bytes, name: str):
    path = change(write_ct(tmp_path / "file"), old, new)
    for read, place in ((read_header, ""), (read_slice, "file: ")):
        with pytest.raises(UnreadableFileError) as caught:
            read(path)
        assert str(caught.value) == f"{place}{name} occurs twice; export the file again"


def test_a_second_image_is_refused(tmp_path: Path):
    path = write_ct(tmp_path / "file")
    path.write_bytes(path.read_bytes() + PIXELS)
    with pytest.raises(UnreadableFileError, match=r"^file: PixelData \(7FE0,0010\) occurs twice"):
        read_slice(path)


def test_what_is_no_ct_is_skipped_as_before(tmp_path: Path):
    path = change(write_ct(tmp_path / "file", Modality="MR"), INTERCEPT, INTERCEPT * 2)
    with pytest.raises(IneligibleError, match="Modality MR, not CT"):
        read_header(path)


def test_a_run_names_the_element(tmp_path: Path):
    change(write_ct(tmp_path / "file"), INTERCEPT, INTERCEPT * 2)
    (failed,) = find_series(tmp_path).failed
    assert "RescaleIntercept (0028,1052) occurs twice" in failed.reason


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: change(path, INTERCEPT, PRIVATE + INTERCEPT),  # out of order
        lambda path: path.write_bytes(path.read_bytes() + bytes(512)),
        lambda path: change(path, SYNTAX, b"1.2.840.10008.1.2\0\0\0"),  # though it is explicit
    ],
    ids=["out of order", "zeros at the end", "another encoding than stated"],
)
def test_what_occurs_once_is_read(tmp_path: Path, damage: Callable[[Path], object]):
    path = write_ct(tmp_path / "file")
    damage(path)
    assert (read_slice(path).stored == stored_values()).all()
