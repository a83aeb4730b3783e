"""The whole computation of a model: Hounsfield units in, Hounsfield units out.

Validation and export both use this module, so what is validated is what is exported.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rgan_sdk.hu import HUWindow
from rgan_sdk.slices import pad_to_multiple
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.window import HANDOVER


class HarmonizationGraph(nn.Module):
    """``out = hu + w(hu) * (f(clip(hu)) - clip(hu))``; HU outside the window are unchanged.

    Parameters
    ----------
    network
        ``f``, in window units. Its weights are shared, not copied.
    window
        Range of HU that the network sees.

    Notes
    -----
    ``w`` rises from 0 at each end of the window to 1 within ``HANDOVER`` HU. The output of a
    residual network is used directly as the difference; adding and subtracting the input
    would only cost accuracy.
    """

    def __init__(self, network: HarmonizationNetwork, window: HUWindow) -> None:
        super().__init__()
        self.window = window
        self.network = network
        self.multiple = network.multiple
        self.network_dtype = torch.float32

    def use_float16(self) -> HarmonizationGraph:
        """Convert the network to float16; everything around it stays float32.

        The network is copied first. Returns this graph.
        """
        self.network = copy.deepcopy(self.network)
        self.network.use_float16()
        self.network_dtype = torch.float16
        return self

    def forward(self, hu: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Return harmonized HU for ``[N, 1, H, W]`` float32 HU; same shape and type.

        ``pixel_spacing`` is that of all slices in mm, float32 ``[1]``.
        """
        lower, upper = self.window.lower, self.window.upper
        clipped = hu.clamp(lower, upper)
        normalized = (clipped - lower) / self.window.width
        output = self._predict(normalized, pixel_spacing)
        difference = output * self.window.width
        if self.network.output == "direct":
            difference = difference + lower - clipped
        weight = ((hu - lower) / HANDOVER).clamp(0, 1) * ((upper - hu) / HANDOVER).clamp(0, 1)
        harmonized: Tensor = hu + weight * difference
        return harmonized

    def _predict(self, normalized: Tensor, pixel_spacing: Tensor) -> Tensor:
        out = self.network.predict_at(normalized.to(self.network_dtype), pixel_spacing)
        return out.to(torch.float32)


@torch.no_grad()
def harmonize_slice(
    graph: HarmonizationGraph,
    hu: NDArray[np.float32],
    pixel_spacing: float,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """Harmonize ``[H, W]`` HU of any size with PyTorch; pad and crop as the SDK does.

    ``pixel_spacing`` is in mm.
    """
    rows, columns = hu.shape
    padded = pad_to_multiple(hu, graph.multiple)[None, None]
    spacing = torch.tensor([pixel_spacing], device=device)
    out: NDArray[np.float32] = graph(torch.from_numpy(padded).to(device), spacing).cpu().numpy()
    return out[0, 0, :rows, :columns]
