"""A clear word where the packages for training are not installed."""

from __future__ import annotations

from importlib.util import find_spec

from rgan_sdk.errors import ConfigurationError

PACKAGES = ("torch", "lightning_fabric", "safetensors", "tensorboard", "onnxscript")


def require_train_extra() -> None:
    """Raise ConfigurationError unless the extra ``[train]`` is installed."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"training needs packages that are not installed ({', '.join(missing)}): "
            "pip install 'rgan-sdk[train]'"
        )
