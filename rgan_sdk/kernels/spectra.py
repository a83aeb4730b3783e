"""Power spectra of a series, by spatial frequency: all that is kept of it to measure its kernel.

Two kinds of blocks are told apart. In *structure*, a step of 500 HU or more (lungs, skin, bone) has
much more power than noise. Where a slice has enough such blocks inside the body, only those count:
in the air around it, files cut off the lower half of noise and of overshoots. *Even* blocks are the
third of soft tissue with the least structure, and show noise.

Spectra are those of ``noise_power``: a plane is subtracted, blocks overlap by half under a Hann
window, and the power of all directions is averaged.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.kernels.mtf import frequencies
from rgan_sdk.kernels.noise import TISSUES_HU, tissue_noise
from rgan_sdk.kernels.planes import subtract_planes

BIN: Final = 0.25
"""Width of a band of frequencies, lp/cm."""
HIGHEST: Final = 16.0
"""What pixels under 0.31 mm show beyond this is left out, lp/cm."""
FREQUENCY: Final = np.arange(0, HIGHEST, BIN) + BIN / 2
"""Middle of each band, lp/cm."""

CELL: Final = 8
STRUCTURE_BLOCK: Final = 64
EVEN_BLOCK: Final = 32
MOST_BLOCKS: Final = 64
"""Of more blocks of one kind in a slice, some from all over are taken."""

PADDING_HU: Final = -1500.0
"""Lower values are padding; a block with such a pixel does not count."""
HIGHEST_HU: Final = 3071.0
"""Metal has more, in files that hold more."""
AIR_HU: Final = -950.0
"""A block with a cell below has air around the body in it."""
ENOUGH: Final = 16
"""A slice with so many blocks inside the body needs no others."""

STEP_HU: Final = 500.0
EVEN_HU: Final = (-150.0, 150.0)
"""The mean of each cell of an even block lies between these."""
EVEN_SHARE: Final = 0.3
FEWEST_EVEN: Final = 4

MOST_IN_LUNG: Final = 2.0
"""Noise in lung is less than this many times that in soft tissue or fat."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KernelSpectra:
    """What was measured in each of S slices.

    Attributes
    ----------
    pixel_spacing
        ``[S, 2]`` between rows and between columns, mm.
    structure, even
        ``[S, 64]`` mean power of the blocks of a slice by ``FREQUENCY``, HU^2 mm^2; NaN beyond the
        Nyquist frequency, and where a block has no term; 0 for slices without such blocks.
    structure_blocks, even_blocks
        ``[S]`` how many blocks.
    noise
        By tissue, ``[S]`` standard deviation in HU; NaN where a slice does not tell.
    edge
        ``[S]`` where structure is a straight edge, as of a phantom's inserts, its power at 1 lp/cm
        before any kernel; NaN for anatomy.
    """

    pixel_spacing: Floats
    structure: Floats
    structure_blocks: NDArray[np.int64]
    even: Floats
    even_blocks: NDArray[np.int64]
    noise: Mapping[str, Floats]
    edge: Floats

    def __len__(self) -> int:
        return len(self.pixel_spacing)

    @property
    def nyquist(self) -> float:
        """The Nyquist frequency of the finest pixels, lp/cm."""
        return float(5 / self.pixel_spacing.max(axis=1).min())

    def mean_power(self, kind: Literal["structure", "even"]) -> Floats:
        """Return the mean power of all blocks of a kind, ``[64]``; NaN where none has a term."""
        power: Floats = getattr(self, kind)
        blocks: NDArray[np.int64] = getattr(self, f"{kind}_blocks")
        known = np.isfinite(power) * blocks[:, np.newaxis]
        with np.errstate(invalid="ignore"):
            mean: Floats = np.nansum(known * power, axis=0) / known.sum(axis=0)
        return mean

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> KernelSpectra:
        """Return the chosen slices, some of them several times if need be."""
        return KernelSpectra(
            self.pixel_spacing[chosen],
            self.structure[chosen],
            self.structure_blocks[chosen],
            self.even[chosen],
            self.even_blocks[chosen],
            {name: levels[chosen] for name, levels in self.noise.items()},
            self.edge[chosen],
        )


def join_spectra(parts: Sequence[KernelSpectra]) -> KernelSpectra:
    """Put the slices of several series that have one kernel together.

    Their pixel spacings and their noise may differ.
    """
    if not parts:
        raise ConfigurationError("no spectra to put together; give at least one series")
    return KernelSpectra(
        np.concatenate([part.pixel_spacing for part in parts]),
        np.concatenate([part.structure for part in parts]),
        np.concatenate([part.structure_blocks for part in parts]),
        np.concatenate([part.even for part in parts]),
        np.concatenate([part.even_blocks for part in parts]),
        {name: np.concatenate([part.noise[name] for part in parts]) for name in TISSUES_HU},
        np.concatenate([part.edge for part in parts]),
    )


def measure_kernel(
    slices: NDArray[np.float32], pixel_spacing: tuple[float, float]
) -> KernelSpectra:
    """Measure the power spectra of slices.

    Parameters
    ----------
    slices
        ``[N, H, W]`` HU of one series; below -1500 for padding.
    pixel_spacing
        Distance between rows and between columns, mm.

    Returns
    -------
    KernelSpectra
        Slices that show nothing, such as air, are part of it with no blocks.

    Raises
    ------
    ConfigurationError
        If slices are not ``[N, H, W]``.
    """
    if slices.ndim != 3:
        raise ConfigurationError(f"slices of shape {slices.shape}; they must be [N, H, W]")
    measured = [_measure(hu, pixel_spacing) for hu in slices]
    structure, even = ([kinds[kind] for kinds in measured] for kind in (0, 1))
    levels = [_noise(hu, sum(pixel_spacing) / 2) for hu in slices]
    bands = (len(measured), len(FREQUENCY))
    return KernelSpectra(
        np.tile(np.array(pixel_spacing, np.float64), (len(measured), 1)),
        np.array([power for power, _ in structure]).reshape(bands),
        np.array([count for _, count in structure], np.int64),
        np.array([power for power, _ in even]).reshape(bands),
        np.array([count for _, count in even], np.int64),
        {name: np.array([level[name] for level in levels], np.float64) for name in TISSUES_HU},
        np.full(len(measured), np.nan),
    )


def _noise(hu: NDArray[np.float32], spacing: float) -> dict[str, float | None]:
    """Return the noise by tissue; in lung, what is far above that elsewhere is texture."""
    image = np.where(hu < PADDING_HU, np.float32(np.nan), hu)  # no mean with NaN is in a tissue
    levels = tissue_noise(image, spacing)
    others = [level for name, level in levels.items() if name != "lung" and level is not None]
    lung = levels["lung"]
    if lung is not None and not (others and lung < MOST_IN_LUNG * max(others)):
        levels["lung"] = None
    return levels


def _measure(
    hu: NDArray[np.float32], spacing: tuple[float, float]
) -> tuple[tuple[Floats, int], tuple[Floats, int]]:
    """Return the mean power and the number of blocks of a slice: with structure, and even."""
    clipped = np.minimum(hu, HIGHEST_HU)
    rows, columns = (size // CELL for size in hu.shape)
    cells = clipped[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL)
    means = cells.mean(axis=(1, 3), dtype=np.float64)
    means[cells.min(axis=(1, 3)) < PADDING_HU] = np.nan  # no comparison holds with it
    return (
        _mean_power(clipped, _with_structure(means), STRUCTURE_BLOCK, spacing),
        _mean_power(clipped, _even(means), EVEN_BLOCK, spacing),
    )


def _with_structure(means: Floats) -> NDArray[np.int64]:
    """Return the corners of the blocks that have a large step, ``[M, 2]`` pixels."""
    blocks = _overlapping(means, STRUCTURE_BLOCK)
    lowest = blocks.min(axis=(2, 3), initial=np.inf)
    structured = blocks.max(axis=(2, 3), initial=-np.inf) - lowest > STEP_HU
    inside = structured & (lowest > AIR_HU)
    enough = np.count_nonzero(inside) >= ENOUGH
    return _spread(np.argwhere(inside if enough else structured) * STRUCTURE_BLOCK // 2)


def _even(means: Floats) -> NDArray[np.int64]:
    """Return the corners of the blocks of soft tissue that have the least structure."""
    blocks = _overlapping(means, EVEN_BLOCK)
    inside = (blocks > EVEN_HU[0]) & (blocks < EVEN_HU[1])
    chosen = np.argwhere(inside.all(axis=(2, 3)))
    unevenness = subtract_planes(blocks[tuple(chosen.T)].astype(np.float32)).std(axis=(1, 2))
    count = max(FEWEST_EVEN, int(EVEN_SHARE * len(chosen)))
    least = np.argsort(unevenness, kind="stable")[:count]
    return _spread(chosen[least] * EVEN_BLOCK // 2)


def _spread(corners: NDArray[np.int64]) -> NDArray[np.int64]:
    count = min(len(corners), MOST_BLOCKS)
    chosen: NDArray[np.int64] = corners[np.linspace(0, len(corners) - 1, count).round().astype(int)]
    return chosen


def _overlapping(means: Floats, block: int) -> NDArray[Any]:
    """View the means of cells as blocks that overlap by half."""
    side = block // CELL
    if min(means.shape) < side:
        return np.empty((0, 0, side, side))
    return sliding_window_view(means, (side, side))[:: side // 2, :: side // 2]


def _mean_power(
    hu: NDArray[np.float32],
    corners: NDArray[np.int64],
    side: int,
    spacing: tuple[float, float],
) -> tuple[Floats, int]:
    if not len(corners):
        return np.zeros(len(FREQUENCY)), 0
    blocks = sliding_window_view(hu, (side, side))[tuple(corners.T)]
    window = np.outer(*[np.hanning(side + 1)[:-1]] * 2)
    spectra = np.fft.rfft2((subtract_planes(blocks) * window).astype(np.float32))
    power = np.mean(spectra.real**2 + spectra.imag**2, axis=0, dtype=np.float64).ravel()
    area = spacing[0] * spacing[1]
    return _radial_mean(side, spacing) @ power * (area / np.sum(window**2)), len(corners)


@functools.lru_cache(maxsize=16)  # 1.4 MB each, and every scan may have pixels of its own
def _radial_mean(side: int, spacing: tuple[float, float]) -> Floats:
    """Return the matrix that takes the terms of ``rfft2`` to the mean in each band."""
    frequency = frequencies((side, side), spacing)
    times = np.full(frequency.shape, 2.0)
    times[:, [0, -1]] = 1
    times[(frequency == 0) | (frequency > 5 / max(spacing))] = 0
    bands = np.arange(len(FREQUENCY))[:, np.newaxis]
    weights = np.where((frequency // BIN).ravel() == bands, times.ravel(), 0.0)
    with np.errstate(invalid="ignore"):
        mean: Floats = weights / weights.sum(axis=1, keepdims=True)
    return mean
