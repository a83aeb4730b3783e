"""What a derived object keeps of a big endian source has its bytes in the right order."""

import struct
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian
from support.dicom_phantoms import ct_dataset, save
from support.native import write_unchanged

WORDS = {"OW": "H", "OL": "I", "OF": "f", "OD": "d", "OV": "Q"}
TAGS = {  # an element of each kind: the VR counts, and not what it stands for
    "OW": 0x60003000,
    "OL": 0x00660129,
    "OF": 0x00660016,
    "OD": 0x00720073,
    "OV": 0x00720082,
}


def filled(order: str) -> Dataset:
    """Return a data set with words and numbers of all sizes; words in the given byte order."""
    dataset = Dataset()
    for vr, code in WORDS.items():
        dataset.add_new(TAGS[vr], vr, struct.pack(f"{order}4{code}", 1, 2, 3, 500))
    dataset.add_new(0x00720060, "AT", [0x00080018, 0x00100020])  # SelectorATValue
    dataset.add_new(0x0072007C, "SL", [-70000, 3])
    dataset.add_new(0x00720074, "FD", [1.5, -2.5])
    dataset.add_new(0x0072007E, "SS", -300)
    dataset.add_new(0x00720065, "OB", b"\1\2\3\4")
    return dataset


def scan(order: str) -> Dataset:
    dataset = ct_dataset()
    dataset.update(filled(order))
    lut = Dataset()
    lut.add_new(0x00283002, "SS", [4, -1024, 16])
    lut.add_new(0x00283006, "OW", struct.pack(f"{order}4H", 1, 2, 3, 500))
    nested = filled(order)
    nested.ModalityLUTSequence = [lut]
    dataset.VOILUTSequence = [lut]
    dataset.ReferencedImageSequence = [nested]
    return dataset


def test_words_and_numbers_are_those_of_a_little_endian_source(tmp_path: Path):
    save(tmp_path / "big" / "x", scan(">"), ExplicitVRBigEndian)
    save(tmp_path / "little" / "x", scan("<"), ExplicitVRLittleEndian)
    (big,) = write_unchanged(tmp_path / "big", tmp_path / "big-out")
    (little,) = write_unchanged(tmp_path / "little", tmp_path / "little-out")
    assert big == little
    assert big[0x60003000].value == struct.pack("<4H", 1, 2, 3, 500)
    assert len(big.ReferencedImageSequence[0].ModalityLUTSequence[0].LUTData) == 8


@pytest.mark.parametrize("place", ["top", "nested"])
def test_values_in_an_unknown_order_are_removed(tmp_path: Path, place: str):
    """Neither UN nor a broken number of words says where its words begin and end."""
    dataset, item = ct_dataset(), Dataset()
    holder = dataset if place == "top" else item
    dataset.ReferencedImageSequence = [item]
    unclear = {0x00189998: "UN", 0x00189306: "UN", 0x0018100B: "UN", TAGS["OL"]: "OL"}
    for tag in unclear:
        holder.add_new(tag, "OB", b"1.2.34")
    path = save(tmp_path / "in" / "x", dataset, ExplicitVRBigEndian)
    content = path.read_bytes()
    for tag, vr in unclear.items():
        head = struct.pack(">HH", tag >> 16, tag & 0xFFFF)
        assert content.count(head + b"OB") == 1
        content = content.replace(head + b"OB", head + vr.encode())
    path.write_bytes(content)
    (derived,) = write_unchanged(tmp_path / "in", tmp_path / "out")
    left = derived if place == "top" else derived.ReferencedImageSequence[0]
    assert set(unclear) & set(left.keys()) == {0x0018100B}
    assert left.ManufacturerDeviceClassUID == "1.2.34"


def test_pixels_are_not_touched_twice(tmp_path: Path):
    dataset = scan(">")
    before = np.frombuffer(dataset.PixelData, "<u2")
    save(tmp_path / "in" / "x", dataset, ExplicitVRBigEndian)
    (derived,) = write_unchanged(tmp_path / "in", tmp_path / "out")
    assert np.array_equal(derived.pixel_array.ravel(), before)
