"""``rgan_scan`` and ``rgan_read_batch``, called by ``ctypes``."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from ctypes import (
    POINTER,
    byref,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_size_t,
    c_uint64,
    c_void_p,
)
from pathlib import Path

import numpy as np

from support.librgan import LIBRARY, check

TEXTS = (
    *("sop_class_uid", "sop_instance_uid", "study_instance_uid", "series_instance_uid"),
    *("frame_of_reference_uid", "patient_id", "modality", "image_type"),
    *("photometric_interpretation", "manufacturer", "convolution_kernel", "rescale_type"),
)


class Stamp(ctypes.Structure):
    _fields_ = (("file_size", c_int64), ("modified_ns", c_int64), ("inode", c_uint64))


class SliceHeader(ctypes.Structure):
    _fields_ = (
        ("size", c_size_t),
        ("stamp", Stamp),
        *((name, c_char_p) for name in TEXTS),
        ("rows", c_int32),
        ("columns", c_int32),
        ("bits_allocated", c_int32),
        ("bits_stored", c_int32),
        ("is_signed", c_int32),
        ("slope", c_double),
        ("intercept", c_double),
        ("has_padding", c_int32),
        ("padding_low", c_int32),
        ("padding_high", c_int32),
        ("pixel_spacing", c_double * 2),
        ("slice_thickness", c_double),
        ("orientation", c_double * 6),
        ("position", c_double * 3),
    )


LIBRARY.rgan_scan.argtypes = [c_void_p, c_size_t, c_int32, c_void_p]
LIBRARY.rgan_headers_get.argtypes = [c_void_p, c_size_t, c_void_p]
LIBRARY.rgan_headers_release.argtypes = [c_void_p]
LIBRARY.rgan_read_batch.argtypes = [
    *[c_void_p, POINTER(Stamp), c_size_t, c_int32, c_int32, c_void_p, c_int32, c_void_p]
]
LIBRARY.rgan_batch_status.argtypes = [c_void_p, c_size_t]
LIBRARY.rgan_batch_release.argtypes = [c_void_p]


def as_array(paths: Sequence[Path]) -> ctypes.Array[c_char_p]:
    return (c_char_p * len(paths))(*map(os.fsencode, paths))


class Headers:
    def __init__(self, *paths: Path, threads: int = 2):
        self.pointer = c_void_p()
        check(LIBRARY.rgan_scan(as_array(paths), len(paths), threads, byref(self.pointer)))

    def get(self, index: int = 0) -> SliceHeader:
        header = SliceHeader(ctypes.sizeof(SliceHeader))
        check(LIBRARY.rgan_headers_get(self.pointer, index, byref(header)))
        return header

    def __enter__(self) -> Headers:
        return self

    def __exit__(self, *exc_info: object) -> None:
        LIBRARY.rgan_headers_release(self.pointer)


class Batch:
    """``[N, rows, columns]`` of some files."""

    def __init__(
        self,
        *paths: Path,
        rows: int,
        columns: int,
        stamps: Sequence[Stamp] | None = None,
        threads: int = 2,
    ):
        self.pointer = c_void_p()
        self.hu = np.zeros((len(paths), rows, columns), np.float32)
        given = None if stamps is None else (Stamp * len(stamps))(*stamps)
        files = as_array(paths), given, len(paths)
        place = rows, columns, self.hu.ctypes.data
        check(LIBRARY.rgan_read_batch(*files, *place, threads, byref(self.pointer)))

    def check(self, index: int = 0) -> None:
        check(LIBRARY.rgan_batch_status(self.pointer, index))

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *exc_info: object) -> None:
        LIBRARY.rgan_batch_release(self.pointer)
