"""The least-squares linear filter, fitted in the frequency domain on the training pairs.

This method is not from the paper, and we know no GAN paper on this subject that reports it.
Two convolution kernels are two linear filters of the same projections. So one linear filter
maps one image to the other wherever the source still has signal. At each frequency the filter
is ``sum(conj(X) D) / sum(|X|^2)``, where X is the source and D the difference to the target.
The sums run over overlapping blocks of all training slices with Hann windows (Welch's method).
Without a window the edges of the blocks leak into the high frequencies, which costs 2 to 6 dB.
``2d`` keeps the filter as it is; ``radial`` makes it a function of the distance from the origin.

The filter is a convolution in HU that does not change a constant image. It is not trained in
steps.

Its taps are tabulated for a few pixel spacings and interpolated in between. For coarser pixels than
those of the training slices it is fitted to the slices resampled to them: a sharp filter amplifies
the rounding of stored values, of which coarse pixels have more in each line pair per millimetre.
For finer ones it has the same transfer function in line pairs per millimetre. What is beyond the
Nyquist frequency of the training slices is not known; there it is as it is at that frequency.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from rgan_sdk.errors import TrainingError
from rgan_sdk.hu import HUWindow
from rgan_sdk.slices import spread_indices
from rgan_train.config import Config, DomainConfig, LinearConfig
from rgan_train.methods.base import SPACING_SETTINGS, Method
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.blocks import compute_in_float32
from rgan_train.pairs.samples import PairedSample

BLOCK = 128
"""Edge length in pixels of the blocks whose spectra are averaged."""

COARSENED = 64
"""Slices that the filter for coarser pixels is fitted to, at most."""

TABULATED = 4
"""Pixel spacings above the reference for which taps are tabulated."""

Array = NDArray[np.float64]
Transfer = NDArray[np.float64] | NDArray[np.complex128]


class LinearFilter(HarmonizationNetwork):
    """A convolution of one channel whose output is the difference to the input.

    Parameters
    ----------
    domain
        The pixel spacings that taps are tabulated for.
    """

    reference: Tensor

    def __init__(self, config: LinearConfig, domain: DomainConfig) -> None:
        super().__init__()
        self.config = config
        self.margin = config.taps // 2
        self.places, self.step = _table(domain)
        for place in self.places:
            self.register_buffer(f"taps_{place}", torch.zeros(1, 1, config.taps, config.taps))
        self.register_buffer("reference", torch.ones(1))

    def prepare(
        self, samples: Sequence[PairedSample], window: HUWindow, pixel_spacing: float
    ) -> None:
        """Fit the filter on the training slices, and on coarser pixels too."""
        transfer = fit_transfer(samples, window, self.config)

        def transfer_at(factor: float) -> Transfer:
            try:
                if factor > 1:
                    return fit_transfer(_coarsen(samples, factor), window, self.config)
            except TrainingError:  # too small there
                pass
            return rescale_transfer(transfer, factor)

        self.tabulate(pixel_spacing, transfer_at)

    def tabulate(self, reference: float, transfer_at: Callable[[float], Transfer]) -> None:
        """Fill the table.

        Parameters
        ----------
        reference
            Pixel spacing at place 0 of the table, in mm.
        transfer_at
            Takes a pixel spacing, as a factor of the reference, and returns the transfer function
            from the source to its difference to the target there: ``[BLOCK, BLOCK]``, frequencies
            in the order of ``numpy.fft.fftfreq``.
        """
        self.reference.fill_(reference)
        for place in self.places:
            transfer = transfer_at(math.exp(place * self.step))
            kernel = to_kernel(transfer, min(self.config.taps, BLOCK - 1))
            margin = (self.config.taps - len(kernel)) // 2
            # PyTorch's convolution is a correlation, so the kernel is mirrored.
            mirrored = np.pad(kernel, margin)[::-1, ::-1].copy()
            self.get_buffer(f"taps_{place}").copy_(torch.from_numpy(mirrored)[None, None])

    def spacing_limits(self) -> tuple[float, float]:
        """Return the ends of the table; a filter for one spacing has no limits."""
        if len(self.places) == 1:
            return super().spacing_limits()
        ends = (self.places.start, self.places.stop - 1)
        first, last = (float(self.reference) * math.exp(place * self.step) for place in ends)
        return first, last

    def kernel_at(self, pixel_spacing: Tensor) -> Tensor:
        """Return the taps ``[1, 1, taps, taps]`` for a pixel spacing in mm, ``[1]``."""
        if len(self.places) == 1:
            return self.get_buffer("taps_0")
        wanted = torch.log(pixel_spacing / self.reference) / self.step
        wanted = wanted.clamp(self.places.start, self.places.stop - 1)
        blended = torch.zeros_like(self.get_buffer("taps_0"))
        for place in self.places:
            distance = functional.relu(wanted - place) + functional.relu(place - wanted)
            blended = blended + functional.relu(1 - distance) * self.get_buffer(f"taps_{place}")
        return blended

    def predict_at(self, normalized: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Return the difference to the input, ``[N, 1, H, W]`` in window units."""
        padded = functional.pad(normalized, (self.margin,) * 4, mode="replicate")
        kernel = self.kernel_at(pixel_spacing).to(normalized.dtype)
        return compute_in_float32(lambda image: self._correlate(image, kernel), padded)

    def use_float16(self) -> None:
        """Keep the table in float32; the taps are converted where they are used."""

    def _correlate(self, padded: Tensor, kernel: Tensor) -> Tensor:
        """Apply the kernel without padding.

        This multiplies the spectra, which is about twenty times as fast on a CPU with 63x63
        taps. The exported graph has the convolution itself.
        """
        if torch.compiler.is_exporting():
            return functional.conv2d(padded, kernel)
        size = padded.shape[-2:]
        spectrum = torch.fft.rfft2(padded) * torch.fft.rfft2(kernel, size).conj()
        height, width = (edge - 2 * self.margin for edge in size)
        inside: Tensor = torch.fft.irfft2(spectrum, size)[..., :height, :width]
        return inside


class Linear(Method):
    """A linear filter, which is fitted and not trained in steps."""

    settings = ("linear", *SPACING_SETTINGS)

    @staticmethod
    def build_network(config: Config) -> HarmonizationNetwork:
        """Return a filter that changes nothing before it is fitted."""
        return LinearFilter(config.linear, config.domain)


def fit_transfer(
    samples: Iterable[PairedSample], window: HUWindow, config: LinearConfig
) -> Transfer:
    """Return the transfer function from the source to its difference to the target.

    Returns
    -------
    ndarray
        ``[BLOCK, BLOCK]``, complex for ``2d`` and real for ``radial``; frequencies in the
        order of ``numpy.fft.fftfreq``.

    Raises
    ------
    TrainingError
        If all slices are smaller than a block, or constant, or each block has padding.
    """
    cross = np.zeros((BLOCK, BLOCK), np.complex128)
    power = np.zeros((BLOCK, BLOCK))
    for source, difference in _blocks(samples, window):
        x, d = np.fft.fft2(source), np.fft.fft2(difference)
        cross += (x.conj() * d).sum(0)
        power += np.square(np.abs(x)).sum(0)
    if not power.any():
        raise TrainingError(
            f"the linear filter needs slices of at least {BLOCK}x{BLOCK} pixels that are not "
            "constant, with a part of that size that has no padding"
        )
    floor = config.ridge * power.mean()
    if config.kind == "radial":
        floors = floor * _radial_sum(np.ones_like(power))
        radial: Array = _radial_sum(cross.real) / (_radial_sum(power) + floors)
        return radial
    transfer: NDArray[np.complex128] = cross / (power + floor)
    return transfer


def rescale_transfer(transfer: Transfer, factor: float) -> Transfer:
    """Return a transfer function for pixels ``factor`` times as large.

    It is interpolated linearly. Beyond the highest frequency that is known it stays the same.
    """
    if factor == 1:
        return transfer
    count = len(transfer)
    known = np.fft.fftshift(np.fft.fftfreq(count))
    wanted = (np.fft.fftfreq(count) / factor).clip(known[0], known[-1])
    for axis in (0, 1):
        lines = np.moveaxis(np.fft.fftshift(transfer, axes=axis), axis, 0)
        lower = np.searchsorted(known, wanted, side="right").clip(1, count - 1) - 1
        share = ((wanted - known[lower]) / (known[lower + 1] - known[lower]))[:, None]
        lines = lines[lower] * (1 - share) + lines[lower + 1] * share
        transfer = np.moveaxis(lines, 0, axis)
    return transfer


def _coarsen(samples: Sequence[PairedSample], factor: float) -> Iterator[PairedSample]:
    """Yield some slices on pixels ``factor`` times as large, in whole HU as files hold them."""
    for index in spread_indices(len(samples), COARSENED):
        coarse = samples[index].resample(factor)
        yield PairedSample(*(np.round(hu) for hu in coarse))


def _table(domain: DomainConfig) -> tuple[range, float]:
    """Return the places of the table, and their distance in the logarithm of the pixel spacing.

    The reference is at place 0. The table covers what the model is trained for.
    """
    if not domain.spacing_aware:
        return range(1), 1.0
    step = math.log(domain.coarsest) / TABULATED
    below = math.ceil(-math.log(domain.finest) / step - 1e-6)
    return range(-below, TABULATED + 1), step


def to_kernel(transfer: Transfer, taps: int) -> Array:
    """Return the convolution kernel ``[taps, taps]`` of a transfer function; it sums to 0."""
    centre, margin = len(transfer) // 2, taps // 2
    response = np.fft.fftshift(np.fft.ifft2(transfer).real)
    part = slice(centre - margin, centre + margin + 1)
    kernel: Array = response[part, part].copy()
    kernel[margin, margin] -= kernel.sum()
    return kernel


def _blocks(samples: Iterable[PairedSample], window: HUWindow) -> Iterator[tuple[Array, Array]]:
    """Yield blocks of source and difference, ``[B, BLOCK, BLOCK]``, slice by slice.

    Their means are subtracted, and they are tapered.
    """
    taper = np.hanning(BLOCK + 1)[:-1]
    taper, ends = np.outer(taper, taper), (window.lower, window.upper)
    for sample in samples:
        if min(sample.source_hu.shape) < BLOCK:
            continue
        # At the border of padding the two images are not related by any filter.
        whole = ~_split_blocks(sample.padding).any((1, 2))
        source, target = (np.clip(hu.astype(np.float64), *ends) for hu in sample)
        blocks = [_split_blocks(image)[whole] for image in (source, target - source)]
        x, d = (block - block.mean((1, 2), keepdims=True) for block in blocks)
        yield x * taper, d * taper


def _split_blocks(image: NDArray[Any]) -> NDArray[Any]:
    """Return half-overlapping blocks ``[B, BLOCK, BLOCK]``."""
    views = np.lib.stride_tricks.sliding_window_view(image, (BLOCK, BLOCK))
    return views[:: BLOCK // 2, :: BLOCK // 2].reshape(-1, BLOCK, BLOCK)


def _radial_sum(spectrum: Array) -> Array:
    """Replace each value by the sum over its distance from the origin.

    A value between two bins of the distance is shared between them.
    """
    frequency = np.fft.fftfreq(BLOCK) * BLOCK
    distance = np.hypot(frequency[:, None], frequency)
    lower = distance.astype(int)
    upper_share = distance - lower
    shares = ((lower, 1 - upper_share), (lower + 1, upper_share))
    size = lower.max() + 2
    sums = np.zeros(size)
    for index, share in shares:
        sums += np.bincount(index.ravel(), (spectrum * share).ravel(), size)
    spread: Array = sums[lower] * (1 - upper_share) + sums[lower + 1] * upper_share
    return spread
