"""Whether a scan was made as lung density asks for: thin slices, no contrast, full inspiration.

What the headers do not state is not held against a scan.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rgan_sdk.dicom.read.acquisition import Acquisition

THICKEST_MM: Final = 1.5
"""Thicker slices mix emphysema with the tissue around it, which lowers LAA-950."""

NO_CONTRAST: Final = ("", "no", "none", "no contrast")
"""Values of ContrastBolusAgent that state no contrast agent."""


def off_protocol(acquisitions: Iterable[Acquisition]) -> tuple[str, ...]:
    """Return in what slices are off the protocol of lung density; empty if in nothing.

    Parameters
    ----------
    acquisitions
        Of all slices, of one series or several.
    """
    found = list(acquisitions)
    thickness = max((each.numbers.get("SliceThickness", 0.0) for each in found), default=0.0)
    reasons = {
        f"SliceThickness (0018,0050) is {thickness:g} mm, above {THICKEST_MM:g} mm": thickness
        > THICKEST_MM,
        "ContrastBolusAgent (0018,0010) states contrast": any(
            each.contrast_agent not in NO_CONTRAST for each in found
        ),
        "the header states expiration": any(each.expiration for each in found),
    }
    return tuple(reason for reason, holds in reasons.items() if holds)
