"""The cache of TensorRT plans and of kernel timings.

A plan is native code for one kind of GPU and one version of TensorRT. So it must come from this
machine and this user. A file is loaded only if it belongs to this user, nobody else may write to
it, and its first line is exactly what would be written for this key and these bytes. Any other file
counts as absent.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from rgan_sdk.cache import cache_folder, read_own, write_own
from rgan_sdk.engines.tensorrt.profile import OptimizationProfile

FORMAT = "rgan-sdk 1"


@dataclass(frozen=True)
class PlanKey:
    """All that a plan depends on.

    Attributes
    ----------
    model_sha256
        Of the model file.
    precision
        Of the model file.
    tensorrt
        Name and version.
    gpu, compute_capability, multiprocessors
        See ``cuda.Device``.
    profile
        The shapes that the plan supports.
    """

    suffix: ClassVar[str] = ".plan"

    model_sha256: str
    precision: str
    tensorrt: str
    gpu: str
    compute_capability: str
    multiprocessors: int
    profile: OptimizationProfile


@dataclass(frozen=True)
class TimingsKey:
    """All that kernel timings depend on; see ``PlanKey``."""

    suffix: ClassVar[str] = ".timings"

    tensorrt: str
    gpu: str
    compute_capability: str
    multiprocessors: int


def cache_path(key: PlanKey | TimingsKey) -> Path:
    """Return the path of the file for a key. The file may be absent.

    Raises
    ------
    ConfigurationError
        If the cache folder cannot be created.
    """
    return cache_folder("tensorrt") / (_sha256(_as_json(key).encode()) + key.suffix)


def load(key: PlanKey | TimingsKey) -> bytes | None:
    """Return what was stored for a key; None if it is absent, damaged or not trustworthy."""
    header, _, content = (read_own(cache_path(key)) or b"").partition(b"\n")
    return content if header == _header(key, content) else None


def store(key: PlanKey | TimingsKey, content: bytes) -> Path:
    """Store content atomically, in a file that only its owner can read and write.

    Raises
    ------
    ConfigurationError
        If the file cannot be written.
    """
    path = cache_path(key)
    write_own(path, _header(key, content) + b"\n" + content)
    return path


def _header(key: PlanKey | TimingsKey, content: bytes) -> bytes:
    header = {"format": FORMAT, "key": json.loads(_as_json(key)), "sha256": _sha256(content)}
    return json.dumps(header, sort_keys=True).encode()


def _as_json(key: PlanKey | TimingsKey) -> str:
    return json.dumps(asdict(key), sort_keys=True)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
