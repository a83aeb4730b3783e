"""Draw crops of real slices of different patients that show the same tissue.

Crops of one batch are a pure function of seed, epoch, step and rank, as those of the pairs are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import LOWEST_HU
from rgan_sdk.errors import ConfigurationError
from rgan_train.config import Config, DomainConfig, TrainingConfig
from rgan_train.methods.unpaired.bands import shows_texture
from rgan_train.pairs.dataset import PairedFiles
from rgan_train.pairs.resampling import Region, resample, resampled_shape
from rgan_train.pairs.samples import SAME_SPACING, RealCrops, SliceReader
from rgan_train.pairs.unpaired import Gain, RealSlice, Side, Unpaired
from rgan_train.simulation.kernel import filter_slice

SLICES: Final = 2
PLACES: Final = 8
"""So many places in so many random slices are the candidates for a crop."""

CELL: Final = 8
"""Edge in pixels of the squares whose means are taken for tissue, whatever the noise."""

TISSUE_HU: Final = (LOWEST_HU, -950.0, -500.0, -30.0, 150.0)
"""Ends of padding, air, lung, fat, and soft tissue; bone and contrast medium have more."""

MOST_AIR: Final = 0.5
"""Share of air and padding in a crop of the source, if a candidate has no more."""

_REAL = 2  # purpose of random numbers, beside those of sampler.py

Image = NDArray[np.float32]


class Place(NamedTuple):
    """Where a crop may be taken: rows and columns of a slice that is resampled."""

    item: RealSlice
    factor: float
    region: Region
    tissue: NDArray[np.float64]


@dataclass(frozen=True)
class RealSampler:
    """Draws crops of real source slices, and of target slices that show the same tissue.

    Attributes
    ----------
    source, target
        All slices of the groups that are for training.
    gain
        Turns the source's kernel into the target's.
    height, width
        Size of a crop.
    """

    source: tuple[RealSlice, ...]
    target: tuple[RealSlice, ...]
    gain: Gain
    reader: SliceReader
    config: TrainingConfig
    domain: DomainConfig
    height: int
    width: int

    def can_draw(self, spacing: float) -> bool:
        """Return whether both groups have slices for a pixel spacing in mm."""
        return all(
            any(self._suits(item, spacing) for item in group)
            for group in (self.source, self.target)
        )

    def draw(self, spacing: float, epoch: int, step: int, rank: int) -> RealCrops | None:
        """Return as many crops as a batch has pairs, on pixels of ``spacing`` mm.

        None where a group has no slice that may be resampled to these pixels.
        """
        rng = np.random.default_rng((_REAL, self.config.seed, epoch, step, rank))
        groups = [
            [item for item in group if self._suits(item, spacing)]
            for group in (self.source, self.target)
        ]
        if not all(groups):
            return None
        crops: list[tuple[Image, Image, Image]] = []
        coarsest = spacing
        for _ in range(self.config.batch_size):
            candidates, others = (self._places(group, spacing, rng) for group in groups)
            place = next(filter(_is_inside, candidates), min(candidates, key=_outside))
            match = min(others, key=lambda one: float(np.abs(one.tissue - place.tissue).sum()))
            source_crop, target_crop = self._crop(place, rng), self._crop(match, rng)
            expected_crop = filter_slice(source_crop, (spacing, spacing), self.gain)
            crops.append((source_crop, expected_crop, target_crop))
            coarsest = max(coarsest, place.item.spacing, match.item.spacing)
        source, expected, target = (np.stack(kind)[:, None] for kind in zip(*crops, strict=True))
        return RealCrops(source, expected, target, coarsest)

    def _suits(self, item: RealSlice, spacing: float) -> bool:
        """Return whether a slice may be resampled to a spacing, and shows texture then."""
        factor = spacing / item.spacing
        rows, columns = resampled_shape((item.rows, item.columns), factor)
        return (
            self.domain.finest <= factor <= self.domain.coarsest
            and rows >= self.height
            and columns >= self.width
            and shows_texture(spacing, item.spacing)
        )

    def _places(
        self, group: list[RealSlice], spacing: float, rng: np.random.Generator
    ) -> list[Place]:
        """Return the candidates for a crop."""
        places = []
        for index in rng.integers(len(group), size=SLICES):
            item = group[int(index)]
            image = self.reader.read_image(item.path, (item.rows, item.columns))
            factor = spacing / item.spacing
            if abs(factor - 1) < SAME_SPACING:
                factor = 1.0
            rows, columns = resampled_shape(image.shape, factor)
            for _ in range(PLACES):
                top = int(rng.integers(rows - self.height + 1))
                left = int(rng.integers(columns - self.width + 1))
                region = slice(top, top + self.height), slice(left, left + self.width)
                old = tuple(slice(int(a.start * factor), int(a.stop * factor)) for a in region)
                places.append(Place(item, factor, region, tissue_shares(image[old])))
        return places

    def _crop(self, place: Place, rng: np.random.Generator) -> Image:
        image = self.reader.read_image(place.item.path, (place.item.rows, place.item.columns))
        crop = resample(image, place.factor, region=place.region)
        flip_rows, flip_columns = rng.integers(2, size=2) * int(self.config.flips)
        return crop[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def tissue_shares(hu: NDArray[Any]) -> NDArray[np.float64]:
    """Return how much of a crop ``[H, W]`` is padding, air, lung, fat, soft tissue and bone.

    The mean of a square of 8x8 pixels tells its tissue; with padding in it, it is padding.
    """
    rows, columns = (size // CELL for size in hu.shape)
    lines = hu[: rows * CELL, : columns * CELL].reshape(rows, CELL, -1)
    lowest, means = (
        found.reshape(rows, columns, CELL) for found in (lines.min(axis=1), lines.mean(axis=1))
    )
    means = np.where(lowest.min(axis=2) < LOWEST_HU, -np.inf, means.mean(axis=2))
    counts = np.bincount(np.digitize(means, TISSUE_HU).ravel(), minlength=len(TISSUE_HU) + 1)
    shares: NDArray[np.float64] = counts / max(rows * columns, 1)
    return shares


def make_real_sampler(
    unpaired: Unpaired,
    pairs: Sequence[PairedFiles],
    reader: SliceReader,
    config: Config,
    size: tuple[int, int],
) -> RealSampler:
    """Return what draws real slices of both groups.

    Parameters
    ----------
    unpaired
        Slices of one group.
    pairs
        Training slices, one image of which is a real slice of the other group.
    size
        Height and width of a crop.

    Raises
    ------
    ConfigurationError
        If no pairs are on pixels that slices of both groups may be resampled to.
    """
    other: Side = "target" if unpaired.side == "source" else "source"
    paired = tuple(
        RealSlice(getattr(item, other), item.rows, item.columns, item.spacing) for item in pairs
    )
    groups = {unpaired.side: unpaired.slices, other: paired}
    source, target = groups["source"], groups["target"]
    real = RealSampler(source, target, unpaired.gain, reader, config.training, config.domain, *size)
    if not any(real.can_draw(item.spacing) for item in pairs):
        raise ConfigurationError(
            "the pixels of both groups are too unlike, or too coarse or too few for crops of "
            f"{size[0]}x{size[1]}, for a discriminator to compare their real slices: lower "
            "domain.finest, raise domain.coarsest, or set loss.adversarial_weight = 0"
        )
    return real


def _outside(place: Place) -> float:
    """Return the share of padding and air."""
    return float(place.tissue[:2].sum())


def _is_inside(place: Place) -> bool:
    return bool(place.tissue[0] == 0) and _outside(place) <= MOST_AIR
