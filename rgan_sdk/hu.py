"""Hounsfield units: HU windows, and the conversion between stored values and HU."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgan_sdk import _core
from rgan_sdk.errors import ConfigurationError, check_type


@dataclass(frozen=True)
class HUWindow:
    """A closed interval of Hounsfield units. It is not a DICOM display window.

    Threads: it never changes, so any number may share one.

    Attributes
    ----------
    lower, upper
        The ends of the interval in HU.

    Raises
    ------
    ConfigurationError
        If ``lower`` is not below ``upper``, or one is no number.
    """

    lower: float
    upper: float

    def __post_init__(self) -> None:
        check_type("lower", self.lower, Real)
        check_type("upper", self.upper, Real)
        if not self.lower < self.upper:
            raise ConfigurationError(f"HU window [{self.lower}, {self.upper}] is empty")

    @property
    def width(self) -> float:
        """``upper - lower`` in HU."""
        return self.upper - self.lower


def stored_to_hu(
    stored: NDArray[Any],
    rescale_slope: float,
    rescale_intercept: float,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Convert stored values to HU: ``float32(double(stored) * slope + intercept)``.

    Parameters
    ----------
    stored
        ``[H, W]``, uint8, int8, uint16 or int16, C-contiguous.
    rescale_slope, rescale_intercept
        RescaleSlope in HU per stored unit, RescaleIntercept in HU (PS3.3 C.11.1.1.2).
    out
        ``[H, W]`` float32, C-contiguous, to be filled; None makes a new array.

    Returns
    -------
    ndarray
        ``out``, or the new array.
    """
    if out is None:
        out = np.empty(stored.shape, np.float32)
    _core.stored_to_hu(np.ascontiguousarray(stored), rescale_slope, rescale_intercept, out)
    return out


def hu_to_stored(
    hu: NDArray[np.float32],
    rescale_slope: float,
    rescale_intercept: float,
    minimum: int,
    maximum: int,
    out: NDArray[Any],
) -> int:
    """Convert HU to stored values, rounded half to even and clamped.

    Parameters
    ----------
    hu
        ``[H, W]`` float32, finite.
    rescale_slope, rescale_intercept
        As in ``stored_to_hu``.
    minimum, maximum
        The range of stored values that the pixel format can hold.
    out
        ``[H, W]``, uint8, int8, uint16 or int16, C-contiguous, to be filled.

    Returns
    -------
    int
        How many values were clamped.
    """
    return _core.hu_to_stored(
        np.ascontiguousarray(hu), rescale_slope, rescale_intercept, minimum, maximum, out
    )
