"""Lesions as a scanner would show them: spheres, cut by a slice, blurred by a kernel's MTF."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.kernels import frequencies

FINER: Final = 5
"""Spheres are drawn on pixels that are so many times finer; odd, so that centres coincide."""

MARGIN_MM: Final = 12.0
"""Around a lesion: what a kernel spreads of it ends within."""


@dataclass(frozen=True)
class Lesion:
    """A sphere of one density.

    Attributes
    ----------
    kind
        A nodule, or a hole as emphysema makes them.
    diameter
        mm.
    hu
        HU of all of it.
    """

    kind: Literal["nodule", "hole"]
    diameter: float
    hu: float


DIAMETERS: Final = (4.0, 6.0, 10.0)
NODULE_HU: Final = (-600.0, -250.0, 100.0)
"""Ground glass, part-solid, solid."""
HOLE_HU: Final = -1000.0

LESIONS: Final = (
    *(Lesion("nodule", diameter, hu) for diameter in DIAMETERS for hu in NODULE_HU),
    *(Lesion("hole", diameter, HOLE_HU) for diameter in DIAMETERS),
)


@dataclass(frozen=True)
class MTF:
    """A measured MTF; it is 0 beyond the highest frequency that was measured.

    Attributes
    ----------
    frequency, value
        ``[F]`` lp/cm, and the MTF there.
    """

    frequency: NDArray[np.float64]
    value: NDArray[np.float64]

    def __call__(self, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the MTF at frequencies in lp/cm."""
        return np.asarray(np.interp(frequency, self.frequency, self.value, right=0.0))


def render(
    diameter: float, thickness: float, spacing: tuple[float, float], mtf: MTF
) -> NDArray[np.float64]:
    """Draw a sphere of contrast 1 whose centre is the centre of a slice and of a pixel.

    A pixel's value is the part of the slice's thickness that the sphere fills there, filtered by
    the MTF.

    Parameters
    ----------
    diameter, thickness
        mm.
    spacing
        Between rows and between columns, mm.

    Returns
    -------
    ndarray
        ``[P, Q]``, both odd, with the centre in the middle.
    """
    half = [math.ceil((diameter / 2 + MARGIN_MM) / distance) for distance in spacing]
    shape = tuple((2 * count + 1) * FINER for count in half)
    fine = spacing[0] / FINER, spacing[1] / FINER
    y, x = ((np.arange(size) - size // 2) * step for size, step in zip(shape, fine, strict=True))
    inside = np.maximum((diameter / 2) ** 2 - y[:, np.newaxis] ** 2 - x**2, 0)
    filled = np.minimum(2 * np.sqrt(inside) / thickness, 1)
    blurred = np.fft.irfft2(np.fft.rfft2(filled) * mtf(frequencies(shape, fine)), shape)
    return np.asarray(blurred[FINER // 2 :: FINER, FINER // 2 :: FINER])
