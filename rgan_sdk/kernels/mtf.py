"""Modulation transfer functions (MTF) of convolution kernels, in line pairs per cm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError

MAX_LOG: Final = 700.0
"""The logarithm of an MTF is held at or above minus this, so that its exponential is above 0."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KernelMTF:
    """A kernel's MTF, ``exp(-ln 2 * (f / f50)**p)``, with ``p`` such that it is 0.1 at f10.

    Attributes
    ----------
    f50, f10
        Spatial frequencies at 50 % and 10 % MTF, line pairs per cm.

    Raises
    ------
    ConfigurationError
        Unless ``0 < f50 < f10``, both finite.
    """

    f50: float
    f10: float

    def __post_init__(self) -> None:
        if not (0 < self.f50 < self.f10 < math.inf):
            raise ConfigurationError(
                f"MTF 50 % at {self.f50:g} and 10 % at {self.f10:g} lp/cm: the first must be "
                "above 0 and below the second"
            )

    def log(self, frequency: Floats) -> Floats:
        """Return the natural logarithm of the MTF at frequencies in lp/cm."""
        power = math.log(math.log(10) / math.log(2)) / math.log(self.f10 / self.f50)
        with np.errstate(over="ignore"):
            exponent = np.log(2) * (frequency / self.f50) ** power
        return np.asarray(-np.minimum(exponent, MAX_LOG))

    def __call__(self, frequency: Floats) -> Floats:
        """Return the MTF, 1 to 0, at frequencies in lp/cm."""
        return np.asarray(np.exp(self.log(frequency)))


ASSUMED_MTFS: Final = {"B40f": KernelMTF(3.3, 6.3), "B70f": KernelMTF(7.3, 9.5)}
"""Rough values, not the manufacturer's: fitted to one scan (docs/simulation.md)."""


def assumed_mtf(convolution_kernel: str) -> KernelMTF | None:
    """Return the assumed MTF of a kernel by its name in any case, or None if there is none."""
    table = {name.casefold(): mtf for name, mtf in ASSUMED_MTFS.items()}
    return table.get(convolution_kernel.casefold())


def frequencies(shape: tuple[int, ...], spacing: tuple[float, float]) -> Floats:
    """Return the spatial frequency of each term of ``numpy.fft.rfft2``.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    spacing
        Distance between rows and between columns, mm.

    Returns
    -------
    ndarray
        ``[rows, columns // 2 + 1]``, line pairs per cm.
    """
    rows = 10 * np.fft.fftfreq(shape[0], spacing[0])
    columns = 10 * np.fft.rfftfreq(shape[1], spacing[1])
    return np.asarray(np.hypot(rows[:, np.newaxis], columns))
