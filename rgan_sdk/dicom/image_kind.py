"""Images that are no plain axial reconstructions, as ImageType tells them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rgan_sdk.dicom.series import Described

_KINDS: Final = {
    "an intensity projection": "MIP|MINIP|MAX IP|MIN IP|MAXIP|PROJECTION IMAGE",
    "a reformation": "MPR|CPR|REFORMATTED|REFORMAT",
    "a rendered volume": "VRT|VOLUME RENDER|SURFACE RENDER",
    "an average of images": "AVERAGE|AVG|MEAN",
    "an iodine map": "IODINE",
    "a virtual monoenergetic image": (
        r"(?:VMI|MONOE?|KEV)\d*|\d+KEV|MONOPLUS|MONOENERGETIC|MONOCHROMATIC"
    ),
    "a virtual non-contrast image": "VNC|VUE|VIRTUAL NON CONTRAST|VIRTUAL UNENHANCED",
    "a material image": (
        "MAT SPECIFIC|MAT REMOVED|MAT FRACTIONAL|MAT MODIFIED|MAT VALUE BASED|EFF ATOMIC NUM|"
        "ELECTRON DENSITY|WATER|CALCIUM|URIC ACID"
    ),
    "mixed from both detectors of a dual-source scanner": "DET AB",
}
"""Words in ImageType, by what they stand for: those of PS3.3 C.8.15.2.1.1 and C.8.16.1, and those
that Siemens, GE and Philips write. Words may be parts of a value, as in ``CT_SOM5 MIP``."""

_PATTERNS: Final = {kind: re.compile(rf" ({words}) ") for kind, words in _KINDS.items()}


def special_kind(image_type: Iterable[str]) -> str | None:
    r"""Return what kind of image this is, with the word that says so.

    Parameters
    ----------
    image_type
        The values of ImageType (0008,0008) in upper case.

    Returns
    -------
    str or None
        Such as ``MIP (an intensity projection)``. None for plain reconstructions, and for
        ``DERIVED\SECONDARY`` alone, which resampled and anonymized scans have.
    """
    for value in image_type:
        words = f" {' '.join(re.findall('[A-Z0-9]+', value))} "
        for kind, pattern in _PATTERNS.items():
            if found := pattern.search(words):
                return f"{found[1]} ({kind})"
    return None


def kind_notes(series: Described) -> tuple[str, ...]:
    """Return a remark on a series of another kind than models are made for; else none."""
    kind = special_kind(series.image_type)
    if kind is None:
        return ()
    return (
        f"ImageType says {kind}: no plain axial reconstruction, so the model was not made for it",
    )
