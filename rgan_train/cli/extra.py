"""Clear messages for extras that are not installed."""

from __future__ import annotations

from importlib.util import find_spec

from rgan_sdk.errors import ConfigurationError

TRAINING = ("torch", "lightning_fabric", "safetensors", "tensorboard", "onnxscript")
PLOTTING = "matplotlib"
EVALUATION = ("defusedxml", "jinja2", "matplotlib", "scipy")


def require_train_extra() -> None:
    """Raise ConfigurationError unless the extra ``[train]`` is installed."""
    missing = [name for name in TRAINING if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"training needs packages that are not installed ({', '.join(missing)}): "
            "pip install 'rgan-sdk[train]'"
        )


def require_plotting() -> None:
    """Raise ConfigurationError unless matplotlib, of the extra ``[eval]``, is installed."""
    if find_spec(PLOTTING) is None:
        raise ConfigurationError(
            f"drawing needs {PLOTTING}, which is not installed: pip install 'rgan-sdk[eval]'"
        )


def require_evaluation() -> None:
    """Raise ConfigurationError unless the extra ``[eval]`` is installed."""
    missing = [name for name in EVALUATION if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"evaluation needs packages that are not installed ({', '.join(missing)}): "
            "pip install 'rgan-sdk[eval]'"
        )
