"""The place of ``read_masks`` before version 0.1; it will be removed with version 0.2."""

import warnings

from rgan_train.evaluation.regions.masks.read import read_masks

__all__ = ["read_masks"]

warnings.warn(
    "rgan_train.evaluation.masks has moved to rgan_train.evaluation.regions.masks.read",
    DeprecationWarning,
    stacklevel=2,
)
