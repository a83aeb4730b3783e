"""``rgan_harmonize_stored``, called by ``ctypes``."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import POINTER, byref, c_double, c_int, c_int32, c_size_t, c_void_p

import numpy as np
from pydicom import Dataset

from support.librgan import LIBRARY, PROGRESS, Engine, HarmonizeOptions, check

INT16, UINT16 = 1, 2


class StoredFormat(ctypes.Structure):
    _fields_ = (
        ("size", c_size_t),
        ("type", c_int),
        ("bits_stored", c_int32),
        ("slope", c_double),
        ("intercept", c_double),
        ("has_padding", c_int32),
        ("padding_value", c_int32),
        ("padding_limit", c_int32),
        ("reserved", c_int32),
    )


LIBRARY.rgan_harmonize_stored.argtypes = [
    *[c_void_p, c_void_p, c_size_t, c_size_t, c_size_t, c_void_p],
    *[c_double, c_void_p, POINTER(c_size_t), c_void_p],
]


def make_format(stored_type: int = INT16, **members: object) -> StoredFormat:
    return StoredFormat(ctypes.sizeof(StoredFormat), stored_type, **{"slope": 1, **members})


def format_of(dataset: Dataset) -> StoredFormat:
    """Return what the header of a file says, as an embedding program would."""
    signed = dataset.PixelRepresentation == 1
    dtype = np.int16 if signed else np.uint16
    padding = {}
    if "PixelPaddingValue" in dataset:
        value = dataset.PixelPaddingValue
        limit = dataset.get("PixelPaddingRangeLimit", value)
        as_stored = (int(np.int64(number).astype(dtype)) for number in (value, limit))
        padding = dict(zip(("padding_value", "padding_limit"), as_stored, strict=True))
    return make_format(
        INT16 if signed else UINT16,
        bits_stored=dataset.BitsStored,
        slope=float(dataset.RescaleSlope),
        intercept=float(dataset.RescaleIntercept),
        has_padding=bool(padding),
        **padding,
    )


def harmonize_stored(
    engine: Engine,
    stored: np.ndarray,
    stored_format: StoredFormat,
    pixel_spacing: float = 0.7,
    out: np.ndarray | None = None,
    progress: Callable[[int, int], bool] | None = None,
    stop: c_void_p | None = None,
    any_spacing: bool = False,
) -> tuple[np.ndarray, int]:
    """Harmonize ``[N, H, W]`` of 16 bits, C-contiguous; return it and how many were clipped."""
    out = np.empty_like(stored) if out is None else out
    clips = c_size_t(2**40)
    called = PROGRESS(lambda done, total, _: progress(done, total)) if progress else PROGRESS()
    options = HarmonizeOptions(ctypes.sizeof(HarmonizeOptions), called, None, stop, any_spacing)
    images = stored.ctypes.data, *stored.shape, byref(stored_format), pixel_spacing, out.ctypes.data
    check(
        LIBRARY.rgan_harmonize_stored(engine.pointer, *images, byref(clips), byref(options)),
    )
    return out, clips.value
