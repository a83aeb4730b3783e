"""CUDA and cuDNN as NVIDIA's Python packages install them, in whichever folder that is."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Final

NAMES: Final = ("cudart", "cublasLt", "cublas", "curand", "nvJitLink", "cufft", "nvrtc", "cudnn")
"""What ONNX Runtime's CUDA provider needs; each comes after those that it needs itself."""

MISSING: Final = (
    "CUDA or cuDNN libraries are missing or of another version; pip install 'rgan-sdk[gpu]', "
    "or set LD_LIBRARY_PATH to the folders of libcudart, libcublas and libcudnn before the "
    "program starts, or use --device cpu"
)


def preload_libraries() -> None:
    """Load the libraries, so that a runtime finds them whichever folder it is in itself.

    What no package brings is left to the system's own search, ``LD_LIBRARY_PATH`` included.
    """
    for path in find_libraries():
        try:
            ctypes.CDLL(str(path))
        except OSError:  # of another CUDA version; the runtime says so if it needs this one
            continue


def find_libraries() -> list[Path]:
    """Return the files of ``NAMES`` in all packages of NVIDIA on ``sys.path``, in that order."""
    folders = list(_library_folders())
    return [
        path
        for name in NAMES
        for folder in folders
        for path in sorted(folder.glob(f"lib{name}.so.*"))
    ]


def _library_folders() -> Iterator[Path]:
    spec = util.find_spec("nvidia")  # a namespace: each installation folder has a part of it
    for root in (spec and spec.submodule_search_locations) or ():
        yield from sorted(Path(root).glob("*/lib"))
