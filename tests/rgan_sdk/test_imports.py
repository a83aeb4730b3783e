"""Importing is cheap: heavy packages load when they are used."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "onnxruntime", "onnx", "pydicom", "numpy", "jsonschema", "PIL"}


def imported_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print('\\n'.join(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["rgan_sdk", "rgan_sdk.cli", "rgan_train", "rgan_train.cli"])
def test_nothing_heavy(module):
    assert not HEAVY & imported_by(f"import {module}")


def test_the_harmonizer_needs_no_dicom_and_no_torch():
    assert not {"torch", "pydicom", "onnxruntime"} & imported_by("import rgan_sdk.harmonizer")
