"""What a header says of iterative or learned reconstruction, beside the convolution kernel.

ReconstructionAlgorithm (0018,9315) stands at the top level or in CTReconstructionSequence
(0018,9314), PS3.3 C.8.15.3. Few scanners write it into CT Image Storage; the private elements
below, which vendors' data dictionaries name, tell more. The values of both kinds are shown as they
are written: a vendor's words for strength and method are not translated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from pydicom import Dataset

from rgan_sdk.dicom import values
from rgan_sdk.dicom.values import printable

MAX_LENGTH: Final = 64
ALGORITHM: Final = 0x00189315
SEQUENCE: Final = 0x00189314


class _Block(NamedTuple):
    """A block of private elements, and what stands before the value of each (PS3.5 7.8.1)."""

    creator: str
    group: int
    elements: dict[int, str]


_BLOCKS: Final = (
    # GE: iterative reconstruction annotation, mode, configuration and level (ASiR, ASiR-V).
    _Block("GEHC_CT_ADVAPP_001", 0x0053, {0x40: "", 0x41: "", 0x42: "", 0x43: "level "}),
    # Philips: iDose level.
    _Block("ELSCINT1", 0x01F7, {0x9B: "iDose level "}),
    # Canon and Toshiba: filter, such as AIDR 3D and its strength.
    _Block("TOSHIBA_MEC_CT3", 0x7005, {0x0B: "filter "}),
)
_BY_GROUP: Final = {block.group: block for block in _BLOCKS}
_RESERVED: Final = range(0x10, 0x20)
"""Where the blocks are looked for. A group may have more, which no scanner uses up."""

TAGS: Final = sorted(
    [SEQUENCE, ALGORITHM]
    + [block.group << 16 | reserved for block in _BLOCKS for reserved in _RESERVED]
    + [
        block.group << 16 | reserved << 8 | element
        for block in _BLOCKS
        for reserved in _RESERVED
        for element in block.elements
    ]
)
"""The elements that ``describe`` may need."""


def describe(elements: Mapping[int, bytes]) -> str | None:
    """Return what the elements say of the reconstruction.

    Parameters
    ----------
    elements
        By tag, those of ``TAGS`` that are there, as the file has them. ``SEQUENCE`` is not read.

    Returns
    -------
    str or None
        At most ``MAX_LENGTH`` characters of ASCII, without control characters. None if the header
        says nothing.
    """
    found = [printable(elements.get(ALGORITHM, b""))]
    for tag, value in elements.items():
        block = _BY_GROUP.get(tag >> 16)
        if block and tag & 0xFFFF in _RESERVED and printable(value) == block.creator:
            first = (tag & 0xFFFF0000) + ((tag & 0xFF) << 8)
            for element, name in block.elements.items():
                text = printable(elements.get(first + element, b""))
                found += [name + text] if text else []
    return _join(found)


def describe_dataset(dataset: Dataset) -> str | None:
    """Return what a data set that was read from a file says; see ``describe``."""
    found = {tag: values.raw(dataset, tag) for tag in TAGS if tag in dataset and tag != SEQUENCE}
    return _join([*_in_sequence(dataset), describe(found) or ""])


def _in_sequence(dataset: Dataset) -> list[str]:
    try:
        items = dataset.get("CTReconstructionSequence") or []
        return [printable(values.raw(item, ALGORITHM)) for item in items if ALGORITHM in item]
    except Exception:
        return []  # badly written; neither pixels nor places depend on it


def _join(texts: Iterable[str]) -> str | None:
    """Join different texts, and shorten them."""
    return ", ".join(dict.fromkeys(text for text in texts if text))[:MAX_LENGTH].strip() or None
