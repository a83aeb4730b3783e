"""A linear filter from what turns one measured kernel into another."""

from __future__ import annotations

import statistics

import numpy as np

from rgan_sdk.hu import HUWindow
from rgan_sdk.kernels import TransferRatio
from rgan_train.config import DomainConfig, LinearConfig
from rgan_train.methods.linear import BLOCK, LinearFilter, Transfer
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.graph import HarmonizationGraph
from rgan_train.networks.window import network_window

MM_PER_CM = 10

WINDOW = HUWindow(-1024, 2000)
"""To dense bone, so that edges of bone are filtered whole."""


def make_filter(transfer: TransferRatio, spacings: list[float]) -> LinearFilter:
    """Return a filter whose table covers the given pixel spacings and the usual range around them.

    Parameters
    ----------
    spacings
        Of the source series, in mm; the middle one is the reference.
    """
    reference = statistics.median_low(spacings)
    usual = DomainConfig(spacing_aware=True)
    domain = DomainConfig(
        spacing_aware=True,
        finest=max(min(usual.finest, min(spacings) / reference), 0.25),
        coarsest=min(usual.coarsest * max(spacings) / reference, 4.0),
    )
    network = LinearFilter(LinearConfig(), domain)
    network.tabulate(reference, lambda factor: difference(transfer, reference * factor))
    return network


def make_graph(network: HarmonizationNetwork) -> HarmonizationGraph:
    """Return the computation from HU to HU."""
    return HarmonizationGraph(network, network_window(WINDOW))


def difference(transfer: TransferRatio, pixel_spacing: float) -> Transfer:
    """Return the transfer function from the source to its difference to the target.

    Returns
    -------
    ndarray
        ``[BLOCK, BLOCK]``, frequencies in the order of ``numpy.fft.fftfreq``, for pixels of
        ``pixel_spacing`` mm.
    """
    cycles = np.fft.fftfreq(BLOCK)
    frequency = np.hypot(cycles[:, np.newaxis], cycles) * MM_PER_CM / pixel_spacing
    gains: Transfer = transfer.gain(frequency) - 1
    return gains
