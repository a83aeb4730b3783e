"""Whether numbers are Hounsfield units where RescaleType says "unspecified" (PS3.3 C.11.1.1.2).

GDCM writes RescaleType US into every CT, and so do ITK, SimpleITK and 3D Slicer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.series import Series
from rgan_sdk.dicom.slices.table import SliceFile
from rgan_sdk.errors import InvalidSeriesError

LOOKED_AT: Final = 5
"""At most so many slices of a series are looked at, evenly spread."""

AIR_HU: Final = (-1050, -950)
MIN_SHARE: Final = 0.01
MIN_VALUES: Final = 5

_SHOWN: Final = "RescaleType US taken as HU: there is air near -1000"
_ASSUMED: Final = "RescaleType US taken as HU, as --assume-hu says"
_REFUSED: Final = (
    "RescaleType (0028,1054) is US, unspecified, and there is no air near -1000; if the numbers "
    "are HU, use --assume-hu of rgan-harmonize run and scan, or write HU into (0028,1054)"
)


def require_hu(series: Series, unspecified: Collection[str], *, assume_hu: bool) -> Series:
    """Check that the numbers of a series are HU where RescaleType leaves that open.

    They are if at least half of the slices that are looked at show air. A slice may hold none,
    where it shows only the inside of the body.

    Parameters
    ----------
    unspecified
        The paths of the files with RescaleType US.
    assume_hu
        Whether the user vouches for it, so that no pixel is looked at.

    Returns
    -------
    Series
        With a note, if any of its files is among ``unspecified``.

    Raises
    ------
    InvalidSeriesError
        If the numbers do not look like HU.
    DicomError
        If a slice cannot be read.
    """
    if not unspecified:
        return series
    open_ones = [i for i, path in enumerate(series.slices.paths) if path in unspecified]
    if not open_ones:
        return series
    if assume_hu:
        return dataclasses.replace(series, notes=(*series.notes, _ASSUMED))
    count, total = min(LOOKED_AT, len(open_ones)), len(open_ones)
    chosen = [open_ones[(2 * number + 1) * total // (2 * count)] for number in range(count)]
    if 2 * sum(_read_air(series.slices[index]) for index in chosen) < count:
        raise InvalidSeriesError(_REFUSED)
    return dataclasses.replace(series, notes=(*series.notes, _SHOWN))


def _read_air(file: SliceFile) -> bool:
    source = file.read()
    return shows_air(source.hu if source.padding is None else source.hu[~source.padding])


def shows_air(values: NDArray[Any]) -> bool:
    """Return whether an image holds the air of a CT.

    That is at least 1 % of its pixels between -1050 and -950, of at least five values, because a
    fill value has one only; and at most half as many within 100 below, because nothing is thinner
    than air.
    """
    low, high = AIR_HU
    air = values[(values >= low) & (values <= high)]
    below = np.count_nonzero((values >= low - (high - low)) & (values < low))
    is_much = 0 < MIN_SHARE * values.size <= air.size
    return is_much and 2 * int(below) <= air.size and np.unique(air).size >= MIN_VALUES
