"""From a range of HU to what a network sees of it."""

from __future__ import annotations

from torch import Tensor

from rgan_sdk.hu import HUWindow

HANDOVER = 8.0
"""HU over which a model's output blends into its input at both ends of its window."""


def network_window(hu_range: HUWindow) -> HUWindow:
    """Widen a range by the hand-over, so that all of the range itself is harmonized.

    A scanner writes nothing below -1024 HU where 0 is stored for it, and a sharp kernel's
    noise puts 5 % of a chest slice there. In a window that began at -1024 HU these pixels would
    stay what they are (docs/decisions/0009-the-window-is-wider-than-the-range.md).
    """
    return HUWindow(hu_range.lower - HANDOVER, hu_range.upper + HANDOVER)


def normalize(hu: Tensor, window: HUWindow) -> Tensor:
    """Clip HU to the window and map it to [0, 1]."""
    return (hu.clamp(window.lower, window.upper) - window.lower) / window.width
