"""The HU window of a network, and the mapping from HU to window units."""

from __future__ import annotations

from torch import Tensor

from rgan_sdk.hu import HUWindow

HANDOVER = 8.0
"""HU over which a model's output blends into its input, at both ends of its window."""


def network_window(hu_range: HUWindow) -> HUWindow:
    """Return the range widened by the hand-over, so that the whole range is harmonized.

    Many scanners store nothing below -1024 HU, and with a sharp kernel the noise takes 5 % of
    the pixels of a chest slice to this value. If the window began at -1024 HU, these pixels
    would not change (docs/decisions/0009-the-window-is-wider-than-the-range.md).
    """
    return HUWindow(hu_range.lower - HANDOVER, hu_range.upper + HANDOVER)


def normalize(hu: Tensor, window: HUWindow) -> Tensor:
    """Clip HU to the window and map it to [0, 1]."""
    return (hu.clamp(window.lower, window.upper) - window.lower) / window.width
