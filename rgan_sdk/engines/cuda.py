"""CUDA devices: which ones there are, why there are none, and how much memory is free.

Devices are numbered as in every CUDA program, so ``CUDA_VISIBLE_DEVICES`` applies.
"""

from __future__ import annotations

import ctypes
import os
import re
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Final

from rgan_sdk.errors import DeviceMemoryError, EngineUnavailableError, InferenceError

INSTALL_BINDINGS: Final = (
    "the package cuda-bindings is not installed: pip install 'rgan-sdk[gpu]' or "
    "'rgan-sdk[tensorrt]'"
)
TF32_SWITCH: Final = "NVIDIA_TF32_OVERRIDE"
NO_DRIVER: Final = "no NVIDIA driver is installed; with an NVIDIA GPU, install its driver"


@dataclass(frozen=True)
class Device:
    """One CUDA device.

    Attributes
    ----------
    compute_capability
        Such as ``9.0``.
    total_memory
        In bytes.
    """

    index: int
    name: str
    compute_capability: str
    multiprocessors: int
    total_memory: int


def devices() -> list[Device]:
    """Return the visible CUDA devices. If there are none, ``why_no_device`` gives the reason."""
    if why_no_device():
        return []
    cuda = runtime()
    return [_device(cuda, index) for index in range(check(cuda.cudaGetDeviceCount()))]


def why_no_device() -> str:
    """Return why no CUDA device can be used, and what to do; empty if one can be used."""
    try:
        cuda = runtime()
    except EngineUnavailableError as exc:
        return str(exc) if _finds_driver() else NO_DRIVER
    try:
        driver = driver_version()
        needed = check(cuda.cudaRuntimeGetVersion()) // 1000
    except (EngineUnavailableError, InferenceError) as exc:
        return str(exc)
    if driver == (0, 0):
        return NO_DRIVER
    if driver[0] < needed:
        return (
            f"the NVIDIA driver supports CUDA {driver[0]}.{driver[1]}, but CUDA {needed} is "
            f"needed; update the driver, or pip install 'cuda-bindings<{driver[0] + 1}'"
        )
    status, count = cuda.cudaGetDeviceCount()
    if status == cuda.cudaError_t.cudaErrorNoDevice or (status.value == 0 and count == 0):
        return "no NVIDIA GPU is visible; check CUDA_VISIBLE_DEVICES and `nvidia-smi`"
    if status.value:
        return f"CUDA does not work here: {_error_text(cuda, status)}; check `nvidia-smi`"
    return ""


def circumstances() -> tuple[str, ...]:
    """Return what may affect the output: versions of driver and cuDNN, and NVIDIA's TF32 switch."""
    found = [
        "cuda " + ".".join(map(str, driver_version())),
        f"{TF32_SWITCH}={os.environ.get(TF32_SWITCH, '')}",
    ]
    for name in ("nvidia-cudnn-cu13", "nvidia-cudnn-cu12"):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)


def _finds_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def driver_version() -> tuple[int, int]:
    """Return the newest CUDA version that the driver supports, ``(major, minor)``.

    It is ``(0, 0)`` without a driver.

    Raises
    ------
    EngineUnavailableError
        If cuda-bindings is not installed.
    """
    version = check(runtime().cudaDriverGetVersion())
    return version // 1000, version % 1000 // 10


def free_memory(index: int) -> int:
    """Return the free memory of a device, in bytes.

    Raises
    ------
    InferenceError
        If there is no such device.
    """
    cuda = runtime()
    check(cuda.cudaSetDevice(index))
    free: int = check(cuda.cudaMemGetInfo())[0]
    return free


def find_device(name: str) -> Device:
    """Return the device that ``cuda`` (the first one) or ``cuda:N`` stands for.

    Raises
    ------
    EngineUnavailableError
        If the name is of another form, or there is no such device.
    """
    match = re.fullmatch(r"cuda(?::(\d{1,4}))?", name)
    if match is None:
        raise EngineUnavailableError(f"unknown device {name!r}; on a GPU, it is cuda or cuda:N")
    why = why_no_device()
    if why:
        raise EngineUnavailableError(f"{name}: {why}")
    found = devices()
    index = int(match[1] or 0)
    if index >= len(found):
        names = ", ".join(f"cuda:{device.index} ({device.name})" for device in found)
        raise EngineUnavailableError(f"{name}: no such device; there are {names}")
    return found[index]


def runtime() -> Any:
    """Return the module ``cuda.bindings.runtime``.

    Raises
    ------
    EngineUnavailableError
        If it is not installed, or cannot be imported here.
    """
    try:
        from cuda.bindings import runtime as cuda
    except ImportError as exc:
        raise EngineUnavailableError(INSTALL_BINDINGS) from exc
    except OSError as exc:  # it may want a folder for temporary files
        raise EngineUnavailableError(f"cuda-bindings cannot be imported: {exc}") from exc
    return cuda


def check(result: tuple[Any, ...]) -> Any:
    """Check the status of a CUDA call, and return its values.

    Parameters
    ----------
    result
        What a function of ``cuda.bindings.runtime`` returned: the status, then any values.

    Returns
    -------
    Any
        The value; a tuple if there are several or none.

    Raises
    ------
    DeviceMemoryError
        If there was not enough device memory.
    InferenceError
        If the call failed otherwise.
    """
    status, *values = result
    if status.value == 0:
        return values[0] if len(values) == 1 else tuple(values)
    cuda = runtime()
    cuda.cudaGetLastError()  # clears it, so that the next call does not report it again
    if status == cuda.cudaError_t.cudaErrorMemoryAllocation:
        raise DeviceMemoryError("the GPU has not enough memory; use a smaller batch size")
    raise InferenceError(f"CUDA failed: {_error_text(cuda, status)}")


def _device(cuda: Any, index: int) -> Device:
    found = check(cuda.cudaGetDeviceProperties(index))
    return Device(
        index,
        found.name.decode(errors="replace"),
        f"{found.major}.{found.minor}",
        found.multiProcessorCount,
        found.totalGlobalMem,
    )


def _error_text(cuda: Any, status: Any) -> str:
    return f"{cuda.cudaGetErrorString(status)[1].decode()} ({status.name})"
