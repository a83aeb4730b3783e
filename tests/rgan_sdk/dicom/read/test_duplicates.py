import shutil

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    RLELossless,
)
from support.dicom_phantoms import CANARY, ct_dataset, save, write_series

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.uids import code_item

SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLosslessSV1,
    HTJ2KLossless,
]


def rich_dataset(**attributes):
    """Return a slice with private elements, words, a sequence and text beyond ASCII."""
    dataset = ct_dataset(
        SeriesDescription="Sch\u00e4del",
        PixelPaddingValue=4095,
        SmallestImagePixelValue=3,
        DerivationCodeSequence=[code_item("1", "99X", "one")],
        **attributes,
    )
    block = dataset.private_block(0x0029, "ACME", create=True)
    block.add_new(1, "US", [1, 2])
    block.add_new(2, "LO", "odd")
    block.add_new(3, "FD", 1.5)
    return dataset


def reasons(folder):
    return [outcome.reason for outcome in find_series(folder).outcomes]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_one_slice_in_another_encoding_is_a_duplicate(tmp_path, syntax):
    save(tmp_path / "a", rich_dataset())
    dataset = rich_dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    save(tmp_path / "b", dataset, syntax)
    inventory = find_series(tmp_path)
    (series,) = inventory.series
    assert [item.path.name for item in series.slices] == ["a"]
    assert reasons(tmp_path) == ["duplicate in another encoding of a"]


def test_words_are_compared_in_their_byte_order(tmp_path):
    words = np.array([1, 2, 0x0304], "<u2")
    for name, syntax, order in (
        ("a", ExplicitVRLittleEndian, "<"),
        ("b", ExplicitVRBigEndian, ">"),
    ):
        dataset = ct_dataset()
        dataset.add_new(0x60003000, "OW", words.astype(f"{order}u2").tobytes())
        save(tmp_path / name, dataset, syntax)
    assert reasons(tmp_path) == ["duplicate in another encoding of a"]


def test_another_preamble_is_the_same_slice(tmp_path):
    (path,) = write_series(tmp_path / "a", 1)
    content = b"II*\0".ljust(128, b"\0") + path.read_bytes()[128:]
    (tmp_path / "b").write_bytes(content)
    shutil.copy(tmp_path / "b", tmp_path / "c")
    assert reasons(tmp_path) == [
        "duplicate in another encoding of a/1-0.dcm",
        "identical duplicate of a/1-0.dcm",
    ]


def nested(meaning):
    item = Dataset()
    item.DerivationCodeSequence = [code_item("1", "99X", meaning)]
    return [item]


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ({"KVP": 90}, {"PatientName": f"{CANARY}^X", "KVP": 80}, "PatientName, KVP"),
        ({"ProtocolName": None}, {"ProtocolName": "one"}, "ProtocolName"),
        (
            {"SourceImageSequence": nested("one")},
            {"SourceImageSequence": nested("two")},
            "SourceImageSequence",
        ),
        ({"SliceThickness": "2"}, {"SliceThickness": "3"}, "SliceThickness"),
        ({}, {"stored": np.zeros((16, 16), np.uint16)}, "pixels"),
    ],
)
def test_different_content_fails_and_names_attributes_without_values(
    tmp_path, first, second, names
):
    base = {"PatientName": f"{CANARY}^PATIENT", "stored": np.ones((16, 16), np.uint16)}
    save(tmp_path / "a", ct_dataset(**{**base, **first}))
    save(tmp_path / "b", ct_dataset(**{**base, **second}), ImplicitVRLittleEndian)
    inventory = find_series(tmp_path)
    (failed,) = inventory.failed
    assert inventory.series == ()
    assert failed.reason.endswith(f"different content in a and b; what differs: {names}")
    assert CANARY not in failed.reason


def test_private_attributes_are_named_by_their_tag(tmp_path):
    save(tmp_path / "a", rich_dataset())
    other = rich_dataset()
    other.private_block(0x0029, "ACME").add_new(4, "LO", CANARY)
    save(tmp_path / "b", other)
    assert find_series(tmp_path).failed[0].reason.endswith("what differs: (0029,1004)")


def test_a_private_block_that_an_archive_added_is_no_content(tmp_path):
    save(tmp_path / "a", rich_dataset())
    other = rich_dataset()
    other.private_block(0x0009, "ARCHIVE", create=True).add_new(1, "LO", CANARY)
    other.private_block(0x0029, "ARCHIVE", create=True).add_new(1, "LO", CANARY)
    save(tmp_path / "b", other, ImplicitVRLittleEndian)
    assert reasons(tmp_path) == ["duplicate in another encoding of a"]


def test_group_lengths_are_no_content(tmp_path):
    """Older writers put one before each group, private ones too (PS3.5 7.2)."""
    content = save(tmp_path / "a", rich_dataset()).read_bytes()
    place = content.index(b"\x29\x00\x10\x00LO")
    for name, length in ("a", b"\x40\0\0\0"), ("b", b"\x42\0\0\0"):
        element = b"\x29\x00\x00\x00UL\x04\x00" + length
        (tmp_path / name).write_bytes(content[:place] + element + content[place:])
    assert reasons(tmp_path) == ["duplicate in another encoding of a"]


def test_many_differences_are_counted(tmp_path):
    save(tmp_path / "a", ct_dataset())
    changed = dict.fromkeys(("StudyID", "StationName", "ProtocolName", "BodyPartExamined"), "X")
    save(tmp_path / "b", ct_dataset(KVP=1, SliceThickness=3, SeriesNumber=7, **changed))
    assert find_series(tmp_path).failed[0].reason.endswith(" and 2 more")
