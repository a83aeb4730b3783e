"""The C interface of librgan, called as a C program would, by ``ctypes``."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_int32, c_size_t, c_void_p
from pathlib import Path

import numpy as np
import onnxruntime

import rgan_sdk
from rgan_sdk.engines.openvino import import_openvino

STATUSES = (
    "OK",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "MODEL_FORMAT",
    "OUTSIDE_DOMAIN",
    "ENGINE_UNAVAILABLE",
    "INFERENCE",
    "OUT_OF_MEMORY",
    "CANCELLED",
    "INTERNAL",
    "ACCURACY",
    "SLICE_FORMAT",
)
PROGRESS = ctypes.CFUNCTYPE(c_int, c_size_t, c_size_t, c_void_p)


class LibraryError(Exception):
    """A status other than OK: its name, and the text that came with it."""

    def __init__(self, status: str, text: str):
        super().__init__(f"{status}: {text}")
        self.status, self.text = status, text


class Card(ctypes.Structure):
    _fields_ = (
        ("size", c_size_t),
        ("format", c_int32),
        ("name", c_char_p),
        ("version", c_char_p),
        ("precision", c_char_p),
        ("source_kernels", POINTER(c_char_p)),
        ("source_kernel_count", c_size_t),
        ("target_kernel", c_char_p),
        ("window_lower", c_double),
        ("window_upper", c_double),
        ("pixel_spacing_min", c_double),
        ("pixel_spacing_max", c_double),
        ("pixel_spacing_reference", c_double),
    )


class EngineOptions(ctypes.Structure):
    _fields_ = (
        ("size", c_size_t),
        ("engine", c_char_p),
        ("device", c_char_p),
        ("precision", c_char_p),
        ("threads", c_int32),
        ("runtime", c_char_p),
    )


class HarmonizeOptions(ctypes.Structure):
    _fields_ = (
        ("size", c_size_t),
        ("progress", PROGRESS),
        ("user", c_void_p),
        ("stop", c_void_p),
        ("any_spacing", c_int32),
        ("reserved", c_int32),
    )


def runtime() -> Path:
    """Return the library in the wheel of ONNX Runtime."""
    (found,) = (Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*")
    return found


def openvino_runtime() -> Path:
    """Return the library in the wheel of OpenVINO."""
    (found,) = (Path(import_openvino().__file__).parent / "libs").glob("libopenvino_c.so.*")
    return found


def library_path() -> Path:
    """Return the library as it was installed."""
    (found,) = (
        path for folder in rgan_sdk.__path__ for path in (Path(folder) / "lib").glob("librgan.so.0")
    )
    return found


def load() -> ctypes.CDLL:
    library = ctypes.CDLL(os.environ.get("RGAN_LIBRARY", library_path()))
    texts = {
        "rgan_last_error": [],
        "rgan_version": [],
        "rgan_model_card_json": [c_void_p],
        "rgan_model_sha256": [c_void_p],
        "rgan_engine_description": [c_void_p],
    }
    for name, arguments in texts.items():
        getattr(library, name).restype = c_char_p
        getattr(library, name).argtypes = arguments
    library.rgan_model_open.argtypes = [c_char_p, c_char_p, c_void_p]
    library.rgan_model_open_memory.argtypes = [c_char_p, c_size_t, c_char_p, c_void_p]
    library.rgan_model_card.argtypes = [c_void_p, c_void_p]
    library.rgan_engine_create.argtypes = [c_void_p, c_void_p, c_void_p]
    images = [c_void_p, c_size_t, c_size_t, c_size_t, c_double, c_void_p]
    library.rgan_harmonize.argtypes = [c_void_p, *images, c_void_p]
    for name in ("model", "engine", "stop"):
        getattr(library, f"rgan_{name}_release").argtypes = [c_void_p]
    library.rgan_stop_create.argtypes = library.rgan_stop_request.argtypes = [c_void_p]
    return library


LIBRARY = load()


def check(status: int) -> None:
    if status:
        raise LibraryError(STATUSES[status], LIBRARY.rgan_last_error().decode(errors="replace"))


class Model:
    def __init__(self, source: Path | bytes, sha256: str | None = None):
        self.pointer = c_void_p()
        wanted = None if sha256 is None else sha256.encode()
        if isinstance(source, bytes):
            arguments = (source, len(source), wanted, byref(self.pointer))
            check(LIBRARY.rgan_model_open_memory(*arguments))
        else:
            path = str(source).encode()
            check(LIBRARY.rgan_model_open(path, wanted, byref(self.pointer)))

    def card(self) -> Card:
        card = Card(ctypes.sizeof(Card))
        check(LIBRARY.rgan_model_card(self.pointer, byref(card)))
        return card

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *exc_info: object) -> None:
        LIBRARY.rgan_model_release(self.pointer)


class Engine:
    def __init__(self, model: Model, **options: object):
        self.pointer = c_void_p()
        options.setdefault("runtime", str(runtime()).encode())
        options.setdefault("threads", 1)
        chosen = EngineOptions(ctypes.sizeof(EngineOptions), **options)
        check(LIBRARY.rgan_engine_create(model.pointer, byref(chosen), byref(self.pointer)))

    @property
    def description(self) -> str:
        return LIBRARY.rgan_engine_description(self.pointer).decode()

    def harmonize(
        self,
        hu: np.ndarray,
        pixel_spacing: float,
        out: np.ndarray | None = None,
        progress: Callable[[int, int], bool] | None = None,
        stop: c_void_p | None = None,
        any_spacing: bool = False,
    ) -> np.ndarray:
        """Harmonize ``[N, H, W]`` float32, C-contiguous."""
        out = np.empty_like(hu) if out is None else out
        called = PROGRESS(lambda done, total, _: progress(done, total)) if progress else PROGRESS()
        options = HarmonizeOptions(ctypes.sizeof(HarmonizeOptions), called, None, stop, any_spacing)
        images = hu.ctypes.data, *hu.shape, pixel_spacing, out.ctypes.data
        check(LIBRARY.rgan_harmonize(self.pointer, *images, byref(options)))
        return out

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc_info: object) -> None:
        LIBRARY.rgan_engine_release(self.pointer)
