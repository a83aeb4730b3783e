"""Overlay planes: kept with their data, removed where their bits lie in the pixel cells."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)
from support.dicom_phantoms import ct_dataset, save, stored_values, uid
from support.native import write_unchanged

SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    RLELossless,
    JPEG2000Lossless,
]


def add_plane(dataset: Dataset, group: int, *, bits: int, position: int) -> None:
    for number, vr, value in (
        (0x10, "US", dataset.Rows),
        (0x11, "US", dataset.Columns),
        (0x40, "CS", "G"),
        (0x50, "SS", [1, 1]),
        (0x100, "US", bits),
        (0x102, "US", position),
    ):
        dataset.add_new(group << 16 | number, vr, value)


def planes(dataset: Dataset) -> set[int]:
    return {tag.group for tag in list(dataset.keys()) if 0x6000 <= tag.group <= 0x60FF}


def write_sources(folder: Path, syntax: str, *, signed: bool, position: int) -> np.ndarray:
    """Write two slices. The first has a plane of its own at 6002; the second also one at 6000.

    The bits of the plane at 6000 lie in the pixel cells.
    """
    stored = stored_values(signed=signed, size=64)
    overlay = np.arange(64 * 64).reshape(64, 64) % 3 == 0
    packed = np.packbits(overlay, bitorder="little").tobytes()
    if syntax == ExplicitVRBigEndian:
        packed = np.frombuffer(packed, "u2").byteswap().tobytes()
    clean = stored.view(np.uint16) & 0x0FFF
    cells = (clean | overlay.astype(np.uint16) << position).view(stored.dtype)
    for number, content in enumerate((stored, cells)):
        dataset = ct_dataset(
            content,
            bits_stored=12,
            SOPInstanceUID=uid(1, 1, number + 1),
            ImagePositionPatient=[0, 0, number],
        )
        add_plane(dataset, 0x6002, bits=1, position=0)
        dataset.add_new(0x60023000, "OW", packed)
        if number == 1:
            add_plane(dataset, 0x6000, bits=16, position=position)
        save(folder / str(number), dataset, syntax)
    return stored


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("position", [12, 14, 15])
def test_a_plane_in_the_pixel_cells_goes_with_its_description(
    tmp_path: Path, syntax: str, signed: bool, position: int
):
    stored = write_sources(tmp_path / "in", syntax, signed=signed, position=position)
    for derived in write_unchanged(tmp_path / "in", tmp_path / "out"):
        assert planes(derived) == {0x6002}
        assert derived.overlay_array(0x6002).sum() == 1366
        assert np.array_equal(derived.pixel_array, stored)


@pytest.mark.parametrize("group", [0x6000, 0x600A, 0x601E])
@pytest.mark.parametrize(
    ("bits", "position", "data"),
    [(16, 12, None), (1, 0, None), (1, 0, b""), pytest.param(16, 13, bytes(32), id="two places")],
)
def test_a_plane_that_is_not_in_its_own_data_alone_goes_from_any_group(
    tmp_path: Path, group: int, bits: int, position: int, data: bytes | None
):
    dataset = ct_dataset()
    add_plane(dataset, group, bits=bits, position=position)
    if data is not None:
        dataset.add_new(group << 16 | 0x3000, "OW", data)
    save(tmp_path / "in" / "x", dataset)
    (derived,) = write_unchanged(tmp_path / "in", tmp_path / "out")
    assert planes(derived) == set()


def test_a_plane_of_its_own_is_kept_as_it_is(tmp_path: Path):
    dataset = ct_dataset()
    add_plane(dataset, 0x6000, bits=1, position=0)
    dataset.add_new(0x60003000, "OW", bytes(range(32)))
    dataset.add_new(0x60000022, "LO", "Marks")
    path = save(tmp_path / "in" / "x", dataset)
    (derived,) = write_unchanged(tmp_path / "in", tmp_path / "out")
    assert derived.group_dataset(0x6000) == dcmread(path).group_dataset(0x6000)
