"""The values of a NIfTI file as HU, and HU as values of the same kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.units import LOOKED_AT, shows_air
from rgan_sdk.dicom.write.clamping import Clamped
from rgan_sdk.errors import NiftiError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.nifti.scan import NiftiScan
from rgan_sdk.slices import spread_indices

TWELVE_BITS: Final = (-1024.0, 3071.0)
"""What CT that is stored in 12 bits can hold, in HU. NIfTI does not say that a scan was."""

NO_AIR: Final = "shows no air near -1000, so its numbers may be no HU; if they are, use --assume-hu"


class Harmonized(NamedTuple):
    """The values of a derived file, ``[X, Y, N]``, and how many could not be stored as computed.

    ``clamped`` has the same by what they show.
    """

    stored: NDArray[Any]
    clips: int
    clamped: Clamped


class Values:
    """The values of a file, a slice as ``[H, W]`` with the rows and columns that DICOM had.

    Parameters
    ----------
    stored
        ``[X, Y, N]`` as the file has them.

    Raises
    ------
    NiftiError
        If they hold NaN or infinity, or values beyond float32.
    """

    def __init__(self, scan: NiftiScan, stored: NDArray[Any]) -> None:
        self._scan, self._array = scan, stored
        self._stored = scan.order.slices(stored)
        self._check_finite()
        self._limits = self._find_limits()

    def hu(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return slices as HU, ``[N, H, W]``: ``float32(double(stored) * slope + intercept)``."""
        values = self._stored[start:stop].astype(np.float64)
        return np.ascontiguousarray(
            values * self._scan.slope + self._scan.intercept, dtype=np.float32
        )

    def spread(self, count: int) -> list[NDArray[np.float32]]:
        """Return a few slices from all over the scan, ``[H, W]`` HU each."""
        return [self.hu(i, i + 1)[0] for i in spread_indices(len(self._stored), count)]

    def check_units(self) -> None:
        """Check that at least half of the slices that are looked at show the air of a CT.

        Raises
        ------
        NiftiError
            If they do not. NIfTI does not say whether numbers are HU.
        """
        slices = self.spread(LOOKED_AT)
        if 2 * sum(map(shows_air, slices)) < len(slices):
            raise NiftiError(NO_AIR)

    def harmonize(self, harmonizer: Harmonizer, on_slices: Callable[[int], None]) -> Harmonized:
        """Harmonize all slices.

        Values that the model leaves as they are stay as they are stored.

        Parameters
        ----------
        on_slices
            Is told, after each batch, how many slices it had.
        """
        stored = np.empty_like(self._array)
        slices = self._scan.order.slices(stored)
        start, clips, places = 0, 0, Clamped()
        while start < len(slices):
            hu = self.hu(start, start + harmonizer.batch_size)
            new = np.empty_like(hu)
            done = harmonizer.harmonize_some(hu, new, self._scan.mean_pixel_spacing)
            part = slice(start, start + done)
            values, clamped = self._to_stored(new[:done])
            changed = new[:done] != hu[:done]
            slices[part] = np.where(changed, values, self._stored[part])
            wrong = new[:done][clamped & changed]
            clips += wrong.size
            places = places.plus(Clamped.of(wrong, wrong.size))
            on_slices(done)
            start += done
        return Harmonized(stored, clips, places)

    def _check_finite(self) -> None:
        if self._array.dtype.kind != "f":
            return
        wrong = sum(
            int(np.count_nonzero(~np.isfinite(self.hu(i, i + 1)))) for i in range(self._scan.count)
        )
        if wrong:
            raise NiftiError(
                f"{wrong} of its values are NaN, infinite or beyond float32; fill what was not "
                "measured with values below -1500 HU, or convert the scan again"
            )

    def _find_limits(self) -> tuple[float, float]:
        """Return the lowest and the highest stored value that a derived file may have."""
        dtype = self._array.dtype
        info = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
        low, high = float(info.min), float(info.max)
        ends = [float(self._array.min()), float(self._array.max())]
        hu = sorted(end * self._scan.slope + self._scan.intercept for end in ends)
        # Its scanner would have clamped the target kernel's values, as DICOM's bits do.
        if TWELVE_BITS[0] <= hu[0] and hu[1] <= TWELVE_BITS[1]:
            stored = (np.array(TWELVE_BITS) - self._scan.intercept) / self._scan.slope
            if dtype.kind in "iu":
                stored = np.rint(stored)
            low, high = max(low, float(stored.min())), min(high, float(stored.max()))
        return low, high

    def _to_stored(self, hu: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return values to be stored, and which of them had to be clamped."""
        values = (hu.astype(np.float64) - self._scan.intercept) / self._scan.slope
        if self._array.dtype.kind != "f":
            values = np.rint(values)
        low, high = self._limits
        return values.clip(low, high), (values < low) | (values > high)
