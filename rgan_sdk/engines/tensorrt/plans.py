"""The cache of TensorRT plans, and of the timings they were built with.

A plan is native code for one kind of GPU and one version of TensorRT. So it is made on the machine
that runs it and taken from nowhere else: a file is read back only if it belongs to this user, no
one else may write to it, and its first line is what would be written for this key and these bytes.
Anything else counts as absent and is built anew.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from rgan_sdk.cache import cache_folder, read_own, write_own
from rgan_sdk.engines.tensorrt.build import OptimizationProfile

FORMAT = "rgan-sdk 1"


@dataclass(frozen=True)
class PlanKey:
    """All that a plan depends on.

    Attributes
    ----------
    tensorrt
        Name and version.
    gpu, compute_capability, multiprocessors
        See ``cuda.Device``.
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
    """All that timings of kernels depend on; see ``PlanKey``."""

    suffix: ClassVar[str] = ".timings"

    tensorrt: str
    gpu: str
    compute_capability: str
    multiprocessors: int


def plan_path(key: PlanKey | TimingsKey) -> Path:
    """Return where the file of a key lies or would lie.

    Raises
    ------
    ConfigurationError
        If the cache folder cannot be made.
    """
    return cache_folder("tensorrt") / (_sha256(_as_json(key).encode()) + key.suffix)


def load(key: PlanKey | TimingsKey) -> bytes | None:
    """Return what was stored for a key; None where it is absent, damaged, or not to be trusted."""
    header, _, content = (read_own(plan_path(key)) or b"").partition(b"\n")
    return content if header == _header(key, content) else None


def store(key: PlanKey | TimingsKey, content: bytes) -> Path:
    """Write a file whole or not at all, readable and writable by its owner only.

    Raises
    ------
    ConfigurationError
        If it cannot be written.
    """
    path = plan_path(key)
    write_own(path, _header(key, content) + b"\n" + content)
    return path


def _header(key: PlanKey | TimingsKey, content: bytes) -> bytes:
    header = {"format": FORMAT, "key": json.loads(_as_json(key)), "sha256": _sha256(content)}
    return json.dumps(header, sort_keys=True).encode()


def _as_json(key: PlanKey | TimingsKey) -> str:
    return json.dumps(asdict(key), sort_keys=True)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
