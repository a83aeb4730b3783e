"""What unpaired.py compares a match with: other ways without pairs, and a filter from pairs.

``band_energy`` is our reading of Gallardo-Estrella et al., "Normalizing computed tomography data
reconstructed with different filter kernels" (Eur Radiol 26:478, 2016): a slice is split into bands
by blurring it more and more, and each band is scaled so that its energy, the standard deviation
inside the body, is that of the target group.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from rgan_train.config import DomainConfig, HistogramConfig, LinearConfig
from rgan_train.evaluation.regions.body import body_mask
from rgan_train.matching.linear import WINDOW, make_graph
from rgan_train.methods.histogram import LookUpCurve
from rgan_train.methods.linear import LinearFilter
from rgan_train.networks.graph import HarmonizationGraph
from rgan_train.pairs import PairedSample

SIGMAS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Of the blurred slices, pixels."""

Images = NDArray[np.float32]


def histogram_graph(source: Images, target: Images, spacing: float) -> HarmonizationGraph:
    """Return the curve that maps the HU of all source slices to those of all target slices."""
    count = min(len(source), len(target))
    network = LookUpCurve(HistogramConfig().segments)
    samples = [PairedSample(*pair) for pair in zip(source[:count], target[:count], strict=True)]
    network.prepare(samples, WINDOW, spacing)
    return make_graph(network)


def paired_graph(source: Images, target: Images, spacing: float) -> HarmonizationGraph:
    """Return the linear filter of slices with both kernels."""
    network = LinearFilter(LinearConfig(), DomainConfig(spacing_aware=True))
    samples = [PairedSample(*pair) for pair in zip(source, target, strict=True)]
    network.prepare(samples, WINDOW, spacing)
    return make_graph(network)


def band_energy(images: Images, target: Images) -> Images:
    """Scale the bands of a series so that they have the energies of the target group's."""
    gains = _energies(target) / _energies(images)
    out = []
    for hu in images:
        *bands, rest = _bands(hu)
        out.append(rest + np.tensordot(gains, np.stack(bands), 1))
    return np.stack(out).astype(np.float32)


def _bands(hu: Images) -> list[NDArray[np.float64]]:
    """Return what each blur takes away, and what the last one leaves."""
    blurred = [hu.astype(np.float64), *(gaussian_filter(hu.astype(np.float64), s) for s in SIGMAS)]
    return [a - b for a, b in pairwise(blurred)] + [blurred[-1]]


def _energies(images: Images) -> NDArray[np.float64]:
    """Return the standard deviation of each band inside the body, mean of slices that show one."""
    found = [
        [band[body].std() for band in _bands(hu)[:-1]]
        for hu, body in zip(images, body_mask(images), strict=True)
        if body.any()
    ]
    return np.asarray(np.mean(found, axis=0))
