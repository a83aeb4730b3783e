"""Harmonize CT series across convolution kernels.

Importing this package is cheap: engines, DICOM and ONNX are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rgan_sdk.card import ModelCard
    from rgan_sdk.harmonizer import Harmonizer
    from rgan_sdk.hu import HUWindow
    from rgan_sdk.model import HarmonizationModel, packaged_models
    from rgan_sdk.run.directory import harmonize_directory

__version__ = metadata.version("rgan-sdk")

_EXPORTS = {
    "HUWindow": "rgan_sdk.hu",
    "HarmonizationModel": "rgan_sdk.model",
    "Harmonizer": "rgan_sdk.harmonizer",
    "ModelCard": "rgan_sdk.card",
    "harmonize_directory": "rgan_sdk.run.directory",
    "packaged_models": "rgan_sdk.model",
}

__all__ = [
    "HUWindow",
    "HarmonizationModel",
    "Harmonizer",
    "ModelCard",
    "harmonize_directory",
    "packaged_models",
]


def __getattr__(name: str) -> object:
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
