"""Localizers (scouts) among the slices of a series that ImageType does not call so."""

from __future__ import annotations

from collections.abc import Collection

from rgan_sdk.dicom.header import Outline, SliceHeader
from rgan_sdk.dicom.series import same_orientation, same_spacing

REASON = "no RescaleSlope, no RescaleIntercept, and unlike the slices of its series: a localizer"


def is_scout(outline: Outline, slices: Collection[SliceHeader]) -> bool:
    """Return whether an image without any rescale is no slice of the series that it is filed in.

    It is none if it states another orientation, matrix size, pixel spacing or third value of
    ImageType than each of the slices. So it leaves no hole between them, as a damaged slice would.
    """
    return bool(slices) and all(_differs(outline, each) for each in slices)


def _differs(outline: Outline, header: SliceHeader) -> bool:
    if (outline.rows, outline.columns) != (header.rows, header.columns):
        return True
    if outline.orientation and not same_orientation(outline.orientation, header.orientation):
        return True
    if outline.pixel_spacing and not same_spacing(outline.pixel_spacing, header.pixel_spacing):
        return True
    kind, usual = (" ".join(each.image_type[2:3]) for each in (outline, header))
    return bool(kind and usual) and kind != usual
