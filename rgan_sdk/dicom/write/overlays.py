"""Overlay planes in the header of a derived object (PS3.3 C.9.2)."""

from __future__ import annotations

from typing import Final

from pydicom import Dataset

_GROUPS: Final = range(0x6000, 0x6100, 2)
_BIT_POSITION: Final = 0x0102
_DATA: Final = 0x3000


def remove_embedded_overlays(dataset: Dataset) -> None:
    """Remove each overlay plane that does not have its bits in an OverlayData of its own.

    Its bits lie in unused bits of the source's pixel cells (retired), and derived cells have only
    zeros or the sign there. Without its data, the description would make pixels an overlay.
    """
    for group in {tag.group for tag in list(dataset.keys()) if tag.group in _GROUPS}:
        if not _has_own_data(dataset, group):
            for tag in [tag for tag in list(dataset.keys()) if tag.group == group]:
                del dataset[tag]


def _has_own_data(dataset: Dataset, group: int) -> bool:
    data = (group, _DATA)
    if data not in dataset or not dataset.get_item(data).value:
        return False
    position = dataset.get((group, _BIT_POSITION))
    return position is None or position.is_empty or position.value == 0
