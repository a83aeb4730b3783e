"""Which series of a group may speak for its kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rgan_sdk.dicom.geometry import why_not_square
from rgan_sdk.dicom.image_kind import special_kind

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series


def choose_series(name: str, series: Sequence[Series]) -> tuple[list[Series], list[str]]:
    """Return the series that a kernel is measured on, and notes on them and on all others.

    Reformations, projections, images of materials and the like keep the ConvolutionKernel of what
    they were made of, and don't show it. They are left out beside plain reconstructions. Where a
    group has nothing else, as one of virtual monoenergetic images, it is taken with a note.

    Parameters
    ----------
    name
        Of the group, for the notes.
    """
    kinds = [special_kind(one.image_type) for one in series]
    has_plain = None in kinds
    chosen: list[Series] = []
    notes: list[str] = []
    for one, kind in zip(series, kinds, strict=True):
        what = f"the {name} group: series {one.series_instance_uid}"
        if not_square := why_not_square(one):
            notes.append(f"{what} is left out: {not_square}")
        elif kind and has_plain:
            notes.append(
                f"{what} is left out: ImageType (0008,0008) says {kind}, and it is beside plain "
                "reconstructions"
            )
        else:
            chosen.append(one)
            notes += [f"{what}: {each}" for each in _doubts(one, kind)]
    return chosen, notes


def _doubts(series: Series, kind: str | None) -> list[str]:
    """Return why a series that is taken may not show what the kernel does."""
    doubts = []
    if kind:
        doubts.append(
            f"ImageType (0008,0008) says {kind}: it may not show what the kernel does to plain "
            "reconstructions"
        )
    if series.reconstruction:
        doubts.append(
            f"states {series.reconstruction}: where that is not linear, noise does not show what "
            "the kernel does to anatomy"
        )
    return doubts
