"""What the pixels show that a derived object cannot store as they were computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from rgan_sdk.dicom.read.pixels import PixelFormat, Rescale

AIR_HU: Final = -900.0
DENSE_HU: Final = 1000.0


class Clamped(NamedTuple):
    """How many pixels could not be stored as computed, by what they show.

    Attributes
    ----------
    air
        Below -900 HU, where a sharp kernel's noise leaves what 12 bits can hold.
    dense
        Above 1000 HU: dense bone or metal.
    tissue
        The others.
    """

    air: int = 0
    dense: int = 0
    tissue: int = 0

    @classmethod
    def of(cls, hu: NDArray[np.float32], clips: int) -> Self:
        """Count by HU as computed.

        Parameters
        ----------
        hu
            Of the clamped pixels. There may be some more in air: padding that keeps its value.
        clips
            How many were clamped.
        """
        dense = min(int(np.count_nonzero(hu > DENSE_HU)), clips)
        air = min(int(np.count_nonzero(hu < AIR_HU)), clips - dense)
        return cls(air, dense, clips - dense - air)

    def plus(self, other: Clamped) -> Clamped:
        """Return the sum of both."""
        return Clamped(*(sum(pair) for pair in zip(self, other, strict=True)))


@dataclass(frozen=True)
class StorableRange:
    """The lowest and the highest HU that round to what the stored format holds."""

    lowest: float
    highest: float

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Return the range of a slice.

        Raises
        ------
        InvalidSeriesError
            If its pixel format or rescale is missing or invalid.
        """
        pixel_format, rescale = PixelFormat.from_dataset(dataset), Rescale.from_dataset(dataset)
        ends = (pixel_format.minimum - 0.5, pixel_format.maximum + 0.5)
        lowest, highest = sorted(end * rescale.slope + rescale.intercept for end in ends)
        return cls(lowest, highest)

    def locate(self, hu: NDArray[np.float32], clips: int) -> Clamped:
        """Say where so many clamped pixels of a slice lie.

        Parameters
        ----------
        hu
            ``[H, W]`` as computed.
        """
        if not clips:
            return Clamped()
        return Clamped.of(hu[(hu < self.lowest) | (hu > self.highest)], clips)


def clamped_shares(clips: int, clamped: Clamped | None, pixels: int) -> dict[str, float]:
    """Return which share of a series' pixels was clamped, for reports; empty if none was.

    Parameters
    ----------
    clips
        How many were clamped.
    clamped
        The same by what they show; None where that is not known.
    pixels
        How many there are.

    Returns
    -------
    dict
        ``all``, and the fields of ``Clamped``.
    """
    if not clips:
        return {}
    places = clamped._asdict() if clamped else {}
    return {name: round(count / pixels, 9) for name, count in {"all": clips, **places}.items()}
