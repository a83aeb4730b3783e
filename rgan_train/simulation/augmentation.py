"""Augmentation: crops as kernels similar to the source's would have given them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.kernels.mtf import KernelMTF, assumed_mtf
from rgan_train.config import Config
from rgan_train.simulation.kernel import simulate_slice


@dataclass(frozen=True)
class KernelJitter:
    """Stretches or compresses the MTF of a crop at random.

    Attributes
    ----------
    source
        MTF of the kernel of the crops.
    share
        Largest relative change of its frequencies.
    """

    source: KernelMTF
    share: float

    def __call__(
        self,
        hu: NDArray[np.float32],
        pixel_spacing: tuple[float, float],
        rng: np.random.Generator,
    ) -> NDArray[np.float32]:
        """Return a crop ``[H, W]`` in HU as a similar kernel would have given it.

        ``pixel_spacing`` is in mm: between rows, between columns.
        """
        factor = 1 + self.share * rng.uniform(-1, 1)
        target = KernelMTF(self.source.f50 * factor, self.source.f10 * factor)
        return simulate_slice(hu, pixel_spacing, self.source, target, int(rng.integers(2**32)))


def kernel_jitter(config: Config) -> KernelJitter | None:
    """Return the configured augmentation; None if it is off.

    Raises
    ------
    ConfigurationError
        If the MTF of the source kernel is neither given nor known.
    """
    share, given = config.training.kernel_jitter, config.training.source_mtf
    if share == 0:
        return None
    kernel = config.data.source_kernel
    mtf = KernelMTF(*given) if given else assumed_mtf(kernel)
    if mtf is None:
        raise ConfigurationError(
            f"training.kernel_jitter needs the MTF of the source kernel {kernel!r}: set "
            "training.source_mtf to its frequencies of 50 % and 10 % in lp/cm"
        )
    return KernelJitter(mtf, share)
