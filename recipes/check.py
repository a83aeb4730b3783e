"""Check, before hours of download and training, that no step lacks a package: check.py."""

import sys

from rgan_sdk.engines.onnxruntime import why_not
from rgan_sdk.errors import RganError
from rgan_train.cli.extra import require_evaluation, require_train_extra
from rgan_train.evaluation.features.pyradiomics import make_extractor

if __name__ == "__main__":
    try:
        require_train_extra()
        require_evaluation()
        make_extractor(None)
    except RganError as exc:
        sys.exit(f"Error: {exc}")
    if reason := why_not():
        sys.exit(f"Error: {reason}")
