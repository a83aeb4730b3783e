"""Look at the installation: what is there, what works, and how to fix the rest."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata, util

import numpy as np

from rgan_sdk.dicom.codecs import undecodable_syntaxes
from rgan_sdk.engines import ENGINES, onnxruntime
from rgan_sdk.errors import RganError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.hu import hu_to_stored, stored_to_hu
from rgan_sdk.model import packaged_models


@dataclass(frozen=True)
class Check:
    """One line of the doctor's findings.

    Attributes
    ----------
    ok
        None where the thing is optional and absent.
    fix
        The command that would change it; empty where nothing is to be done.
    """

    name: str
    ok: bool | None
    detail: str
    fix: str = ""


def examine() -> list[Check]:
    """Run every check; none raises."""
    return [
        Check(
            "rgan-sdk", True, f"{metadata.version('rgan-sdk')}, Python {platform.python_version()}"
        ),
        _guarded("native core", _native_core),
        _guarded("ONNX Runtime", _runtime),
        _guarded("CUDA", _cuda),
        _guarded("engines", _engines),
        *(_guarded(f"model {name}", partial(_self_test, name)) for name in packaged_models()),
        _guarded("codecs", _codecs),
        _training(),
    ]


def _guarded(name: str, examine_one: Callable[[], Check]) -> Check:
    try:
        return examine_one()
    except RganError as exc:
        return Check(name, False, str(exc))
    except Exception as exc:  # whatever is wrong with an installation, say so
        return Check(name, False, f"{type(exc).__name__}: {exc}")


def _native_core() -> Check:
    stored = np.arange(-1024, 3072, dtype=np.int16).reshape(64, 64)
    back = np.empty_like(stored)
    hu_to_stored(stored_to_hu(stored, 1.0, -1024.0), 1.0, -1024.0, -1024, 3071, back)
    same = bool((stored == back).all())
    return Check("native core", same, "HU round trip is exact" if same else "HU round trip differs")


def _runtime() -> Check:
    found = onnxruntime.installed_distributions()
    if not found:
        return Check("ONNX Runtime", False, "not installed", "pip install 'rgan-sdk[cpu]'")
    if len(found) > 1:
        return Check("ONNX Runtime", False, onnxruntime.BOTH_INSTALLED)
    return Check("ONNX Runtime", True, f"{found[0]} {metadata.version(found[0])}")


def _cuda() -> Check:
    if onnxruntime.cuda_is_usable():
        return Check("CUDA", True, "ONNX Runtime sees an NVIDIA device")
    return Check(
        "CUDA",
        None,
        "no NVIDIA device that ONNX Runtime can use; `auto` takes the CPU",
        "with an NVIDIA GPU: pip uninstall -y onnxruntime; pip install 'rgan-sdk[gpu]'",
    )


def _engines() -> Check:
    modules = {name: import_module(module) for name, (module, _) in ENGINES.items()}
    absent = [
        f"{name} (needs {' or '.join(module.REQUIREMENTS)})"
        for name, module in modules.items()
        if not module.is_available()
    ]
    usable = [name for name, module in modules.items() if module.is_available()]
    return Check("engines", not absent, ", ".join([*usable, *(f"not {name}" for name in absent)]))


def _self_test(name: str) -> Check:
    """Harmonize one slice of noise on the CPU; pixels outside the window must not change."""
    hu = np.random.default_rng(0).normal(0, 50, (128, 128)).astype(np.float32)
    hu[:8] = -3024
    with Harmonizer.load(name, device="cpu") as harmonizer:
        out = harmonizer(hu)
    same = bool((out[:8] == hu[:8]).all())
    return Check(
        f"model {name}", same, "self-test passed" if same else "changed pixels outside its window"
    )


def _codecs() -> Check:
    missing = undecodable_syntaxes()
    if not missing:
        return Check(
            "codecs", True, "all compressed transfer syntaxes of docs/dicom-conformance.md"
        )
    return Check(
        "codecs",
        None,
        f"cannot decode {', '.join(missing)}",
        "pip install 'rgan-sdk[codecs]'",
    )


def _training() -> Check:
    if util.find_spec("torch") is None:
        return Check("training", None, "PyTorch is not installed", "pip install 'rgan-sdk[train]'")
    return Check("training", True, f"PyTorch {metadata.version('torch')}")
