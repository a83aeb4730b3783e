"""An engine that changes nothing, to test and time everything around the network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.engines.base import Engine
from rgan_sdk.errors import EngineUnavailableError
from rgan_sdk.model import HarmonizationModel


def why_not(device: str = "cpu") -> str:
    """Return why the engine cannot run on a device; empty if it can."""
    return "" if device in ("auto", "cpu") else f"runs on cpu only, not on {device}"


class IdentityEngine(Engine):
    """Returns its input unchanged."""

    name = "identity"

    def __init__(self, model: HarmonizationModel, device: str = "auto") -> None:
        if reason := why_not(device):
            raise EngineUnavailableError(f"the identity engine {reason}")
        super().__init__(model, "cpu")

    @property
    def version(self) -> str:  # noqa: D102 - see Engine
        return "identity"

    @property
    def batch_invariant(self) -> bool:  # noqa: D102 - see Engine
        return True

    def infer(
        self, hu: NDArray[np.float32], pixel_spacing: float | None = None
    ) -> NDArray[np.float32]:
        """Return a batch unchanged. Its form and the spacing are checked, its values are not.

        Raises
        ------
        InferenceError
            If the input or the pixel spacing is none that ``Engine.infer`` takes.
        """
        self._check_input(hu)
        return self._infer(hu, self._check_spacing(pixel_spacing))

    def _infer(self, hu: NDArray[np.float32], pixel_spacing: float | None) -> NDArray[np.float32]:
        return hu
