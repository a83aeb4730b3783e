"""The end points of lung density: low attenuation areas, 15th percentile, mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import MeasurementError

PERCENTILE: Final = 15


@dataclass(frozen=True)
class LungDensity:
    """Lung density of one image.

    Attributes
    ----------
    laa_950, laa_910
        Low attenuation area: percentage of the lung's voxels below -950 and below -910 HU.
    perc15_hu
        15th percentile: the lowest HU at or below which 15 % of the lung's voxels lie.
    mean_hu
        Mean lung density.
    clamped
        Percentage of the lung's voxels that have the lowest HU of the image, which stands for all
        lower ones where a file cannot hold these. It makes the mean too high.
    """

    laa_950: float
    laa_910: float
    perc15_hu: float
    mean_hu: float
    clamped: float


class EndPoint(NamedTuple):
    """How an end point is shown, by its name in ``LungDensity``."""

    title: str
    unit: str
    digits: int


END_POINTS: Final[Mapping[str, EndPoint]] = {
    "laa_950": EndPoint("LAA-950", "%", 2),
    "laa_910": EndPoint("LAA-910", "%", 2),
    "perc15_hu": EndPoint("Perc15", "HU", 1),
    "mean_hu": EndPoint("mean lung density", "HU", 1),
}


def measure_density(hu: NDArray[np.float32], lowest_hu: float) -> LungDensity:
    """Measure the density of the lung.

    Parameters
    ----------
    hu
        HU of the lung's voxels, one-dimensional.
    lowest_hu
        Lowest HU of the whole image without its padding.

    Raises
    ------
    MeasurementError
        If there are no voxels.

    Notes
    -----
    -950 HU: Gevenois et al., American Journal of Respiratory and Critical Care Medicine 1996,
    doi:10.1164/ajrccm.154.1.8680679. -910 HU: Müller et al., Chest 1988,
    doi:10.1378/chest.94.4.782. Perc15: Parr et al., Thorax 2006, doi:10.1136/thx.2005.054890, who
    give it in g/L, which is HU + 1000. Gallardo-Estrella et al., European Radiology 2016,
    doi:10.1007/s00330-015-3824-y, count voxels below -950 HU in scans of COPDGene, as is done here;
    Schroeder et al., American Journal of Roentgenology 2013, doi:10.2214/AJR.12.10102, also those
    of exactly -950 HU. That is one stored value. Clamping: Rodriguez et al., Medical Physics 2017,
    doi:10.1002/mp.12255.
    """
    if not hu.size:
        raise MeasurementError("the mask of the lung has no voxel")
    return LungDensity(
        laa_950=_percentage(hu < -950),
        laa_910=_percentage(hu < -910),
        perc15_hu=float(np.percentile(hu, PERCENTILE, method="inverted_cdf")),
        mean_hu=float(hu.mean(dtype=np.float64)),
        clamped=_percentage(hu <= lowest_hu),
    )


def _percentage(mask: NDArray[np.bool_]) -> float:
    return 100 * float(mask.mean())
