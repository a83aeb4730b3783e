"""A data set of any encoding in Explicit VR Little Endian, whose texts keep their bytes."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filewriter import correct_ambiguous_vr
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR

from rgan_sdk.dicom.write.byte_order import make_little_endian


def make_explicit(dataset: Dataset) -> None:
    """Make a data set one in Explicit VR Little Endian.

    Where the encoding changes, pydicom decodes all texts and encodes them anew. It cannot do so for
    all: katakana beside ASCII, as ISO_IR 13 has them, become question marks.
    """
    if dataset.original_encoding[1] is False:
        make_little_endian(dataset)
    _convert(dataset)
    correct_ambiguous_vr(dataset, True)


def _convert(dataset: Dataset) -> None:
    for tag in list(dataset.keys()):
        if tag.is_private or tag.group < 0x0008:  # no derived object has these
            continue
        item = dataset.get_item(tag)
        vr = _value_representation(item)
        if isinstance(item, RawDataElement) and vr in CUSTOMIZABLE_CHARSET_VR:
            dataset[tag] = item._replace(VR=vr, value=item.value or b"")
        elif dataset[tag].VR == "SQ":
            for nested in dataset[tag].value:
                _convert(nested)
    dataset.set_original_encoding(False, True)


def _value_representation(item: DataElement | RawDataElement) -> str | None:
    if item.VR is None and dictionary_has_tag(item.tag):
        return dictionary_VR(item.tag)
    return item.VR
