"""The words of a big endian source, for a derived object in little endian (PS3.5 7.3)."""

from __future__ import annotations

import numpy as np
from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.tag import BaseTag
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR, STR_VR

from rgan_sdk.dicom.values import WORD_BYTES


def make_little_endian(dataset: Dataset) -> None:
    """Swap the bytes of all words that pydicom keeps as bytes, at all levels.

    pydicom converts numbers itself. Values of unknown representation (UN) are removed unless they
    are known to be text, because nobody can say in which order their bytes are; so are values that
    are no whole number of words.
    """
    for tag in list(dataset.keys()):
        vr = dataset.get_item(tag).VR
        if vr in CUSTOMIZABLE_CHARSET_VR:
            continue
        if vr == "UN" and not _is_text(tag):
            del dataset[tag]
            continue
        element = dataset[tag]
        size = WORD_BYTES.get(str(element.VR))
        if element.VR == "SQ":
            for item in element.value:
                make_little_endian(item)
        elif size and not element.is_empty and len(element.value) % size:
            del dataset[tag]
        elif size and not element.is_empty:
            element.value = np.frombuffer(element.value, f"u{size}").byteswap().tobytes()


def _is_text(tag: BaseTag) -> bool:
    return dictionary_has_tag(tag) and dictionary_VR(tag) in STR_VR
