"""Examine the installation: what is there, what works, and how to fix the rest."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata, util
from pathlib import Path

import numpy as np

from rgan_sdk.cores import usable_cores
from rgan_sdk.dicom.read.codecs import undecodable_syntaxes
from rgan_sdk.engines import PREFERENCE, create_engine, cuda, engine_module, onnxruntime, openvino
from rgan_sdk.engines.acceptance import check_deviation, is_reference, measure
from rgan_sdk.engines.base import processor_name
from rgan_sdk.errors import RganError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.hu import hu_to_stored, stored_to_hu
from rgan_sdk.model import HarmonizationModel, packaged_models

DOCTOR_SLICES = 5

CPU_FEATURES = {"avx512_bf16": "bf16", "amx_bf16": "bf16 (AMX)", "avx512_vnni": "int8 (VNNI)"}


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes
    ----------
    name
        What was checked.
    ok
        Whether it works; None if it is optional and absent.
    detail
        What was found.
    fix
        The command that would fix it; empty if there is nothing to fix.
    """

    name: str
    ok: bool | None
    detail: str
    fix: str = ""


def examine() -> Iterator[Check]:
    """Yield the results of all checks, one after the other. No check raises an error."""
    version = metadata.version("rgan-sdk")
    yield Check("rgan-sdk", True, f"{version}, Python {platform.python_version()}")
    yield _run_check("native core", _native_core)
    yield _run_check("CPU", _cpu)
    yield _run_check("GPU", _gpu)
    yield _run_check("CUDA libraries", _cuda_libraries)
    yield _run_check("TensorRT", _tensorrt)
    yield _run_check("ONNX Runtime", _onnxruntime)
    yield _run_check("OpenVINO", _openvino)
    first = next(iter(packaged_models()))
    for engine, device in PREFERENCE:
        if not _why_not(engine, device):
            name = f"{engine} on {device}"
            yield _run_check(name, partial(_engine, first, name, engine, device))
    yield _run_check("auto", partial(_auto, first))
    for model in packaged_models():
        yield _run_check(f"model {model}", partial(_model, model))
    yield _run_check("codecs", _codecs)
    yield _ray()
    yield _training()


def _run_check(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except RganError as exc:
        return Check(name, False, str(exc))
    except Exception as exc:  # a broken installation may raise anything
        return Check(name, False, f"{type(exc).__name__}: {exc}")


def _native_core() -> Check:
    stored = np.arange(-1024, 3072, dtype=np.int16).reshape(64, 64)
    back = np.empty_like(stored)
    hu_to_stored(stored_to_hu(stored, 1.0, -1024.0), 1.0, -1024.0, -1024, 3071, back)
    is_same = bool((stored == back).all())
    return Check(
        "native core", is_same, "HU round trip is exact" if is_same else "HU round trip differs"
    )


def _cpu() -> Check:
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        flags = set()
    fast = [text for flag, text in CPU_FEATURES.items() if flag in flags]
    units = f"units for {', '.join(fast)}" if fast else "no units for bf16 or int8"
    return Check("CPU", True, f"{processor_name()}, {usable_cores()} cores, {units}")


def _gpu() -> Check:
    if reason := cuda.why_no_device():
        return Check("GPU", None, reason)
    driver = ".".join(map(str, cuda.driver_version()))
    found = ", ".join(
        f"cuda:{device.index} {device.name} (compute capability {device.compute_capability}, "
        f"{device.total_memory / 2**30:.0f} GiB)"
        for device in cuda.devices()
    )
    return Check("GPU", True, f"{found}; the driver supports CUDA {driver}")


def _cuda_libraries() -> Check:
    """Name the packages that contain CUDA and cuDNN. They are needed only with a GPU."""
    wanted = ("nvidia-cuda-runtime", "nvidia-cublas", "nvidia-cudnn-cu13", "nvidia-cudnn-cu12")
    found = [f"{name} {version}" for name in wanted if (version := _installed_version(name))]
    fix = "with an NVIDIA GPU: pip uninstall -y onnxruntime; pip install 'rgan-sdk[gpu]'"
    if any("cudnn" in name for name in found):
        return Check("CUDA libraries", True, ", ".join(found))
    return Check("CUDA libraries", None, "neither CUDA nor cuDNN is installed as a package", fix)


def _tensorrt() -> Check:
    version = _installed_version("tensorrt")
    if version:
        return Check("TensorRT", True, f"{version}; this project has not run it on hardware yet")
    fix = "with an NVIDIA GPU: pip install 'rgan-sdk[tensorrt]'"
    return Check("TensorRT", None, "not installed", fix)


def _onnxruntime() -> Check:
    found = onnxruntime.installed_distributions()
    if not found:
        return Check("ONNX Runtime", False, "not installed", "pip install 'rgan-sdk[cpu]'")
    if len(found) > 1:
        return Check("ONNX Runtime", False, onnxruntime.BOTH_INSTALLED)
    if reason := onnxruntime.why_not("cpu"):
        return Check("ONNX Runtime", False, reason)
    return Check("ONNX Runtime", True, f"{found[0]} {metadata.version(found[0])}")


def _openvino() -> Check:
    if not _installed_version("openvino"):
        return Check("OpenVINO", None, "not installed: the fastest on a CPU", openvino.INSTALL)
    if reason := openvino.why_not("cpu"):
        return Check("OpenVINO", False, reason)
    return Check("OpenVINO", True, metadata.version("openvino"))


def _why_not(engine: str, device: str) -> str:
    try:
        return str(engine_module(engine).why_not(device))
    except Exception as exc:  # a broken runtime; another check reports it
        return f"{type(exc).__name__}: {exc}"


def _engine(model: str, name: str, engine: str, device: str) -> Check:
    """Compare an engine with float32 on the CPU, on synthetic slices."""
    with create_engine(HarmonizationModel.open(model), engine, device) as opened:
        if is_reference(opened):
            return Check(name, True, f"{opened.version}, what the others are compared with")
        deviation = measure(opened, DOCTOR_SLICES)
        check_deviation(opened, deviation)
        return Check(
            name, True, f"{opened.version}, {DOCTOR_SLICES} slices of {model}: {deviation}"
        )


def _auto(model: str) -> Check:
    with create_engine(HarmonizationModel.open(model)) as engine:
        reasons = "".join(f"; not {reason}" for reason in engine.passed_over)
        return Check("auto", True, f"takes {engine.description}{reasons}")


def _model(name: str) -> Check:
    """Harmonize one slice of noise on the CPU. Pixels outside the window must not change."""
    hu = np.random.default_rng(0).normal(0, 50, (128, 128)).astype(np.float32)
    hu[:8] = -3024
    with Harmonizer.load(name, engine="onnxruntime", device="cpu") as harmonizer:
        out = harmonizer(hu, pixel_spacing=harmonizer.model.card.reference_spacing)
    is_same = bool((out[:8] == hu[:8]).all())
    return Check(
        f"model {name}",
        is_same,
        "self-test passed" if is_same else "changed pixels outside its window",
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


def _ray() -> Check:
    version = _installed_version("ray")
    if version:
        return Check("Ray", True, version)
    return Check("Ray", None, "not installed: for runs on a cluster", "pip install 'rgan-sdk[ray]'")


def _training() -> Check:
    if util.find_spec("torch") is None:
        return Check("training", None, "PyTorch is not installed", "pip install 'rgan-sdk[train]'")
    return Check("training", True, f"PyTorch {metadata.version('torch')}")


def _installed_version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
