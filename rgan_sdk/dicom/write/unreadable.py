"""Badly written attributes of a source, which a derived object does without."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag


def remove_unreadable(dataset: Dataset) -> list[BaseTag]:
    """Remove all elements that pydicom cannot read, at all levels.

    Text that is no number, date or code where it should be one can be read, and stays. What can be
    read also stays as the source encodes it.

    Returns
    -------
    list of BaseTag
        What was removed at the top level.
    """
    removed = [tag for tag in list(dataset.keys()) if not _is_readable(dataset, tag)]
    for tag in removed:
        del dataset[tag]
    return removed


def _is_readable(dataset: Dataset, tag: BaseTag) -> bool:
    if tag.is_private or tag.group < 0x0008:  # no derived object has these
        return True
    item = dataset.get_item(tag)
    is_sequence = dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"
    try:
        if isinstance(item, RawDataElement) and not (is_sequence or item.VR == "SQ"):
            item = Dataset({tag: item})[tag]  # converts a copy
        else:
            item = dataset[tag]
        if item.VR == "SQ":
            for nested in item.value:
                remove_unreadable(nested)
    except Exception:  # pydicom raises errors of many kinds
        return False
    return item.VR == "SQ" or not is_sequence
