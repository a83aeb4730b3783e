"""Whether an exported model computes what PyTorch computes."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from rgan_sdk.errors import TrainingError
from rgan_sdk.harmonizer import Harmonizer

Images = list[NDArray[np.float32]]

EXTREMES = (-3024.0, 3071.0)
"""HU below and above all that a scanner writes as image."""


@dataclass(frozen=True)
class Parity:
    """Absolute deviation from PyTorch in HU: largest, 99.9th percentile, mean."""

    max: float
    p999: float
    mean: float


def check_parity(model: onnx.ModelProto, images: Images, expected: Images, limit: float) -> Parity:
    """Run a model with ONNX Runtime on the CPU and compare it with what PyTorch gave.

    Parameters
    ----------
    images, expected
        ``[H, W]`` HU: inputs, and PyTorch's outputs.
    limit
        In HU.

    Raises
    ------
    TrainingError
        If the deviation passes the limit, or pixels outside the window changed.
    """
    errors = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(model.SerializeToString())
        with Harmonizer.load(path, engine="onnxruntime", device="cpu") as harmonizer:
            window = harmonizer.model.card.window
            for hu, wanted in zip(images, expected, strict=True):
                out = harmonizer(hu)
                outside = (hu <= window.lower) | (hu >= window.upper)
                if not np.array_equal(out[outside], hu[outside]):
                    raise TrainingError("the exported graph changes pixels outside its HU window")
                errors.append(np.abs(out.astype(np.float64) - wanted).ravel())
    error = np.concatenate(errors)
    parity = Parity(float(error.max()), float(np.percentile(error, 99.9)), float(error.mean()))
    if not parity.max <= limit:
        raise TrainingError(
            f"the exported graph deviates from PyTorch by up to {parity.max:.3f} HU, allowed "
            f"are {limit} HU"
        )
    return parity


def with_extremes(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a copy with blocks and single pixels of ``EXTREMES``."""
    image = hu.copy()
    for index, value in enumerate(EXTREMES):
        image[index * 16 : index * 16 + 8, :16] = value
        image[5 * index :: 37, 7::41] = value
    return image
