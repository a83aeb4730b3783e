"""Check that an exported model computes what PyTorch computes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from rgan_sdk.engines.base import Deviation
from rgan_sdk.errors import TrainingError
from rgan_sdk.harmonizer import Harmonizer

EXTREMES = (-3024.0, 3071.0)
"""HU below and above everything that a scanner writes as an image."""


class Check(NamedTuple):
    """A slice ``[H, W]`` in HU, its pixel spacing in mm, and what PyTorch makes of it."""

    hu: NDArray[np.float32]
    pixel_spacing: float
    expected: NDArray[np.float32]


def check_parity(model: onnx.ModelProto, checks: Sequence[Check], limit: float) -> Deviation:
    """Run a model with ONNX Runtime on the CPU, and compare its output with PyTorch's.

    Parameters
    ----------
    model
        With its card.
    checks
        The inputs, and PyTorch's outputs. Pixel spacings outside the card are compared too.
    limit
        Largest absolute difference allowed, in HU.

    Returns
    -------
    Deviation
        Absolute difference to PyTorch over all pixels.

    Raises
    ------
    TrainingError
        If the difference exceeds the limit, or pixels outside the window changed.
    EngineUnavailableError
        If ONNX Runtime is not installed.
    """
    errors = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(model.SerializeToString())
        with Harmonizer.load(
            path, engine="onnxruntime", device="cpu", outside_domain=("spacing",)
        ) as harmonizer:
            window = harmonizer.model.card.window
            for hu, pixel_spacing, wanted in checks:
                out = harmonizer(hu, pixel_spacing=pixel_spacing)
                outside = (hu <= window.lower) | (hu >= window.upper)
                if not np.array_equal(out[outside], hu[outside]):
                    raise TrainingError("the exported graph changes pixels outside its HU window")
                errors.append(np.abs(out.astype(np.float64) - wanted).ravel())
    deviation = Deviation.from_errors(np.concatenate(errors))
    if not deviation.max <= limit:
        raise TrainingError(
            f"the exported graph deviates from PyTorch by up to {deviation.max:.3f} HU; "
            f"{limit} HU are allowed"
        )
    return deviation


def add_extremes(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a copy of ``[H, W]`` HU with blocks and single pixels of ``EXTREMES``."""
    image = hu.copy()
    for index, value in enumerate(EXTREMES):
        image[index * 16 : index * 16 + 8, :16] = value
        image[5 * index :: 37, 7::41] = value
    return image
