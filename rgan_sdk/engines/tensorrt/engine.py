"""The TensorRT engine."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from importlib import util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.engines import cuda
from rgan_sdk.engines.base import Engine
from rgan_sdk.engines.memory import slices_that_fit
from rgan_sdk.engines.tensorrt import plans
from rgan_sdk.engines.tensorrt.build import build_plan
from rgan_sdk.engines.tensorrt.profile import CHUNK_SLICES, OptimizationProfile, make_profile
from rgan_sdk.engines.tensorrt.progress import BuildProgress, ignore_progress
from rgan_sdk.engines.tensorrt.session import Session
from rgan_sdk.errors import (
    ConfigurationError,
    DeviceMemoryError,
    EngineUnavailableError,
    InferenceError,
    RganError,
)
from rgan_sdk.model import HarmonizationModel

INSTALL = "pip install 'rgan-sdk[tensorrt]'"
MIN_VERSION = (10, 13)
CHUNKS = 4
"""Chunks in a batch: enough that most copies overlap with computation."""


def why_not(device: str = "cuda") -> str:
    """Return why the engine cannot run on a device, and what to do; empty if it can."""
    if device == "cpu":
        return "TensorRT runs on NVIDIA GPUs only; use --engine onnxruntime, or --device cuda"
    if reason := cuda.why_no_device():
        return reason
    try:
        _find_device(device)
    except RganError as exc:
        return str(exc)
    return "" if util.find_spec("tensorrt") else f"TensorRT is not installed; {INSTALL}"


def usable_device(device: str) -> cuda.Device:
    """Return the GPU that the name of a device stands for.

    Raises
    ------
    EngineUnavailableError
        If TensorRT cannot run there; see ``why_not``.
    """
    if reason := why_not(device):
        raise EngineUnavailableError(f"TensorRT on {device}: {reason}")
    return _find_device(device)


class TensorRTEngine(Engine):
    """Runs the model with TensorRT.

    The plan comes from the cache; otherwise it is built, which takes minutes. It computes chunks of
    up to ``CHUNK_SLICES`` slices of 512x512, so one plan serves batches of any size. Larger slices
    need another plan.

    Parameters
    ----------
    model
        A verified model. It computes in the precision of its file.
    device
        ``auto``, ``cuda`` (both are ``cuda:0``) or ``cuda:N``.

    Raises
    ------
    EngineUnavailableError
        If the device, the driver or TensorRT is not available, TensorRT cannot run the model, or
        the cache cannot be written to.
    """

    name = "tensorrt"

    def __init__(self, model: HarmonizationModel, device: str = "auto") -> None:
        self._gpu = usable_device(device)
        super().__init__(model, f"cuda:{self._gpu.index}")
        if self.precision == "int8":
            raise EngineUnavailableError(
                f"{model.source}: int8 files are for CPUs; use the float16 file with TensorRT"
            )
        self._trt = import_tensorrt()
        fitting = slices_that_fit(model.content, cuda.free_memory(self._gpu.index))
        self.default_batch_size = CHUNKS * CHUNK_SLICES if fitting >= CHUNK_SLICES else fitting
        self._session: Session | None = self._open(make_profile(model.card.multiple))

    @property
    def version(self) -> str:  # noqa: D102 - see Engine
        return f"tensorrt {self._trt.__version__}"

    @property
    def hardware(self) -> str:  # noqa: D102 - see Engine
        return self._gpu.name

    @property
    def circumstances(self) -> tuple[str, ...]:
        """Versions, and a hash of the plan: a new plan may choose other kernels."""
        return (*cuda.circumstances(), self._plan_sha256)

    def _infer(self, hu: NDArray[np.float32], pixel_spacing: float | None) -> NDArray[np.float32]:
        session = self._session_for(*hu.shape[2:])
        out = np.empty_like(hu)
        session.run(hu, out, pixel_spacing)
        return out

    def _session_for(self, height: int, width: int) -> Session:
        """Return a session for slices of a size. It replaces a session for other sizes."""
        if self._session is None or not self._session.profile.covers(height, width):
            self._release()
            try:
                self._session = self._open(make_profile(self.model.card.multiple, height, width))
            except EngineUnavailableError as exc:
                raise InferenceError(
                    f"no TensorRT plan for slices of {height}x{width}: {exc}"
                ) from exc
        return self._session

    def _release(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _open(self, profile: OptimizationProfile) -> Session:
        try:
            plan = load_or_build_plan(self._trt, self.model, self._gpu, profile)
        except ConfigurationError as exc:
            raise EngineUnavailableError(f"TensorRT on {self.device}: {exc}") from exc
        self._plan_sha256 = hashlib.sha256(plan.content).hexdigest()
        try:
            return Session(self._trt, plan.content, profile, self._gpu.index)
        except InferenceError as exc:
            if plan.seconds or isinstance(exc, DeviceMemoryError):
                raise EngineUnavailableError(f"TensorRT on {self.device}: {exc}") from exc
        plan.path.unlink(missing_ok=True)  # the cached plan does not load, so it is built again
        return self._open(profile)


class LoadedPlan(NamedTuple):
    """A plan from the cache, or one that was just built and cached.

    Attributes
    ----------
    content
        The serialized plan.
    path
        Its file in the cache.
    seconds
        How long it took to build, 0 if it was in the cache.
    """

    content: bytes
    path: Path
    seconds: float


def build_ahead(model: HarmonizationModel, gpu: cuda.Device, progress: BuildProgress) -> LoadedPlan:
    """Make sure that the plan which ``TensorRTEngine`` needs is in the cache.

    Raises
    ------
    EngineUnavailableError
        If TensorRT is not available, or cannot build the model.
    ConfigurationError
        If the cache cannot be written to.
    """
    return load_or_build_plan(
        import_tensorrt(), model, gpu, make_profile(model.card.multiple), progress
    )


def load_or_build_plan(
    trt: Any,
    model: HarmonizationModel,
    gpu: cuda.Device,
    profile: OptimizationProfile,
    progress: BuildProgress | None = None,
) -> LoadedPlan:
    """Load a plan from the cache, or build and cache it.

    Parameters
    ----------
    progress
        Told of the progress of a build. If it is None, a log line announces the build instead.

    Raises
    ------
    EngineUnavailableError
        If it cannot be built.
    ConfigurationError
        If the cache cannot be written to.
    """
    card = (gpu.name, gpu.compute_capability, gpu.multiprocessors)
    version = f"{trt.__name__} {trt.__version__}"
    key = plans.PlanKey(model.sha256, model.precision, version, *card, profile)
    stored = plans.load(key)
    if stored is not None:
        return LoadedPlan(stored, plans.cache_path(key), 0.0)
    if progress is None:
        logging.getLogger(__name__).warning(
            "building a TensorRT plan of %s for %s; this takes minutes, and is done once",
            model.card.name,
            gpu.name,
        )
    start = time.perf_counter()
    timings_key = plans.TimingsKey(version, *card)
    cuda.check(cuda.runtime().cudaSetDevice(gpu.index))
    built = build_plan(
        trt, model.content, profile, progress or ignore_progress, plans.load(timings_key) or b""
    )
    seconds = time.perf_counter() - start
    plans.store(timings_key, built.timings)
    return LoadedPlan(built.plan, plans.store(key, built.plan), seconds)


def import_tensorrt() -> Any:
    """Import the module ``tensorrt``.

    Raises
    ------
    EngineUnavailableError
        If it is not installed, cannot be loaded, or is too old.
    """
    try:
        import tensorrt as trt
    except ImportError as exc:
        raise EngineUnavailableError(f"TensorRT is not installed ({exc}); {INSTALL}") from exc
    except Exception as exc:  # a broken installation raises OSError and others
        raise EngineUnavailableError(
            f"TensorRT cannot be loaded ({exc}); reinstall it: pip uninstall -y tensorrt, then "
            f"{INSTALL}"
        ) from exc
    found = getattr(trt, "__version__", "without a version")
    version = re.match(r"(\d+)\.(\d+)", found)
    if version is None or (int(version[1]), int(version[2])) < MIN_VERSION:
        raise EngineUnavailableError(
            f"TensorRT {found} is too old; {'.'.join(map(str, MIN_VERSION))} or newer is "
            f"needed: {INSTALL} --upgrade"
        )
    return trt


def _find_device(device: str) -> cuda.Device:
    return cuda.find_device("cuda:0" if device == "auto" else device)
