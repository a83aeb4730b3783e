"""CT slices in all encodings that a scanner might think of, each told by its number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from support.dicom_phantoms import ct_dataset, save, uid

SYNTAXES = (
    *[ExplicitVRLittleEndian] * 8,
    *[ImplicitVRLittleEndian] * 6,
    *[RLELossless] * 4,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
SLOPES = (1, 1, 1, 2, 0.5, 0.1, -1, 2.44140625, 0.000487, "1.000000e+00", "+1.5")
INTERCEPTS = (-1024, -1024, 0, -8192, -1000.5, 32.1, "-1024.0", "-1.024E3 ")


def write_variant(path: Path, number: int) -> Path:
    """Write variant ``number``: always the same one for the same number."""
    rng = np.random.default_rng(number)
    syntax = SYNTAXES[rng.integers(len(SYNTAXES))]
    stored, bits_stored = _pixels(rng)
    dataset = ct_dataset(
        stored,
        bits_stored=bits_stored,
        SOPInstanceUID=uid(7, number + 1),
        RescaleSlope=SLOPES[rng.integers(len(SLOPES))],
        RescaleIntercept=INTERCEPTS[rng.integers(len(INTERCEPTS))],
        RescaleType=[None, "HU", "HU "][rng.integers(3)],
        SliceThickness=[None, 1.25, 2][rng.integers(3)],
        ConvolutionKernel=[None, "B40f", ["Br40d", "3"]][rng.integers(3)],
        InstanceNumber=int(rng.integers(1, 1000)),
        SeriesDescription=["Chest", "Thorax ö", "x" * 61, ""][rng.integers(4)],
    )
    _add_padding(rng, dataset, stored, bits_stored)
    _add_extras(rng, dataset)
    return save(path, dataset, syntax)


def _pixels(rng: Generator) -> tuple[NDArray[Any], int]:
    """Return cells and BitsStored; with junk above them now and then."""
    bytes_each = 1 if rng.random() < 0.15 else 2
    bits_stored = int(rng.integers(5, 8 * bytes_each + 1))
    signed = rng.random() < 0.5
    shape = rng.integers(4, 41, 2)
    low = -(1 << (bits_stored - 1)) if signed else 0
    cells = rng.integers(low, low + (1 << bits_stored), shape)
    if rng.random() < 0.3:  # long runs, for RLE
        cells[: shape[0] // 2] = low
    if rng.random() < 0.2:
        cells = (cells & ((1 << bits_stored) - 1)) | rng.integers(0, 1 << 16, shape) << bits_stored
    unsigned = (cells & ((1 << 8 * bytes_each) - 1)).astype(f"u{bytes_each}")
    return unsigned.view(f"{'i' if signed else 'u'}{bytes_each}"), bits_stored


def _add_padding(rng: Generator, dataset: Dataset, stored: NDArray[Any], bits_stored: int) -> None:
    kind = rng.integers(4)
    if kind == 0 or stored.itemsize == 1:
        return
    signed = stored.dtype.kind == "i"
    low = -(1 << (bits_stored - 1)) if signed else 0
    value = low if kind == 1 else int(rng.integers(low, low + (1 << bits_stored)))
    if kind == 3 and bits_stored < 16:
        value = -2000 if signed else 63536  # does not fit BitsStored on many scanners
    dataset.add_new(0x00280120, "SS" if signed else "US", value)
    if rng.random() < 0.3:
        dataset.add_new(0x00280121, "SS" if signed else "US", min(value + 7, 32767))
    cells = stored.copy()
    cells[:2, :3] = np.array(value).astype(np.int64) & 0xFFFF if not signed else value
    dataset.PixelData = cells.astype(cells.dtype.newbyteorder("<")).tobytes()


def _add_extras(rng: Generator, dataset: Dataset) -> None:
    """Add what a header may hold beside: private blocks, sequences, text, trailing bytes."""
    if rng.random() < 0.5:
        block = dataset.private_block(0x0029, "SCANNER WORKS", create=True)
        block.add_new(0x01, "OB", rng.bytes(2 * int(rng.integers(1, 300))))
        block.add_new(0x02, "LO", "private text")
    if rng.random() < 0.5:
        dataset.ReferencedStudySequence = Sequence([_item(rng) for _ in range(rng.integers(3))])
        dataset["ReferencedStudySequence"].is_undefined_length = bool(rng.random() < 0.5)
    if rng.random() < 0.3:
        dataset.ContributingEquipmentSequence = Sequence([_item(rng)])
    if rng.random() < 0.3:
        dataset.PatientComments = "öäü " * int(rng.integers(1, 40))
    if rng.random() < 0.3:
        dataset.ExposureTime = "500 "
        dataset.XRayTubeCurrent = int(rng.integers(1, 800))
    if rng.random() < 0.1:
        dataset.SmallestImagePixelValue = 0
    if rng.random() < 0.1:
        dataset.add_new(0xFFFCFFFC, "OB", bytes(6))


def _item(rng: Generator, depth: int = 0) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    item.ReferencedSOPInstanceUID = uid(8, int(rng.integers(1, 99)))
    if rng.random() < 0.4:
        block = item.private_block(0x0009, "SCANNER WORKS", create=True)
        block.add_new(0x01, "DS", "1.5")
    if depth < 3 and rng.random() < 0.5:
        item.PurposeOfReferenceCodeSequence = Sequence([_item(rng, depth + 1)])
    item.is_undefined_length_sequence_item = bool(rng.random() < 0.5)
    return item
