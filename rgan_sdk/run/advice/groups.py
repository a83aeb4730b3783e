"""Put series that a model sees alike into groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from rgan_sdk.dicom.domain import company
from rgan_sdk.dicom.series import Series


class KernelKey(NamedTuple):
    """A kernel of one maker: two makers may use one name for two kernels.

    Attributes
    ----------
    company
        As ``rgan_sdk.dicom.domain.company`` tells makers apart.
    name
        All values of ConvolutionKernel, in lower case; empty where absent.
    """

    company: str
    name: str

    @classmethod
    def of(cls, series: Series) -> KernelKey:
        """Return the kernel of a series."""
        return cls(company(series.manufacturer), (series.convolution_kernel or "").casefold())


@dataclass(frozen=True)
class SeriesGroup:
    """Series that agree in all that cards state of headers; pixel spacings to 0.1 mm.

    Attributes
    ----------
    manufacturer
        As the first series spells it.
    kernel, reconstruction
        As in ``Series``.
    slice_thickness
        mm, None where a series states none or several.
    series
        In the order in which they were found.
    """

    manufacturer: str
    kernel: str | None
    reconstruction: str | None
    slice_thickness: float | None
    series: tuple[Series, ...]

    @property
    def slices(self) -> int:
        """How many slices all series have."""
        return sum(len(one.slices) for one in self.series)

    @property
    def pixel_spacing(self) -> tuple[float, float]:
        """The smallest and the largest in mm."""
        found = [one.mean_pixel_spacing for one in self.series]
        return min(found), max(found)


def group_series(series: Iterable[Series]) -> tuple[SeriesGroup, ...]:
    """Group series, sorted by manufacturer, kernel, reconstruction, thickness and spacing."""
    groups: dict[tuple[object, ...], list[Series]] = defaultdict(list)
    for one in series:
        key = (
            *KernelKey.of(one),
            one.reconstruction or "",
            one.slice_thickness or 0.0,
            round(one.mean_pixel_spacing, 1),
        )
        groups[key].append(one)
    return tuple(_make_group(groups[key]) for key in sorted(groups))


def _make_group(series: list[Series]) -> SeriesGroup:
    first = series[0]
    return SeriesGroup(
        first.manufacturer,
        first.convolution_kernel,
        first.reconstruction,
        first.slice_thickness,
        tuple(series),
    )
