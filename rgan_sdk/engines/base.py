"""The contract that every inference engine fulfils."""

from __future__ import annotations

import functools
import math
import os
import platform
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rgan_sdk import _core
from rgan_sdk.cores import usable_cores
from rgan_sdk.errors import DeviceMemoryError, InferenceError, check_type
from rgan_sdk.model import HarmonizationModel


@dataclass(frozen=True)
class Deviation:
    """Absolute difference from the float32 model in HU.

    Attributes
    ----------
    max
        The largest difference.
    p999
        The 99.9th percentile.
    mean
        The mean.
    """

    max: float
    p999: float
    mean: float

    @classmethod
    def from_errors(cls, error: NDArray[Any]) -> Deviation:
        """Return the statistics of absolute differences in HU, an array of any shape."""
        return cls(float(error.max()), float(np.percentile(error, 99.9)), float(error.mean()))

    def __str__(self) -> str:
        return f"max {self.max:.4f}, p99.9 {self.p999:.4f}, mean {self.mean:.5f} HU"


class Engine(ABC):
    """Runs one model on one device.

    ``infer`` checks the input and the output; a subclass implements ``_infer``. The input is only
    read. The output is a new array that belongs to the caller, or the input itself if nothing
    changes.

    Any thread may call ``infer`` and ``close``. Calls from several threads wait for each other, so
    each caller gets the output of its own input, and a subclass may keep buffers. More threads make
    one engine no faster.

    Attributes
    ----------
    name
        The engine's name on the command line.
    model
        The model that it runs.
    device
        The device that it runs on, such as ``cpu`` or ``cuda:0``.
    precision
        What it computes in: the precision of the model's file (``fp32``, ``fp16`` or ``int8``), or
        one of ``lowers_to``.
    lowers_to
        Precisions other than its own in which the engine can run a float32 model.
    default_batch_size
        The batch size that suits the device, for slices of 512x512. Asked once, at opening: later
        the engine's own buffers would count as memory in use.
    passed_over
        The engines that ``auto`` prefers to this one, each with the reason why it was not taken.
    deviation
        From the float32 model, as measured by the self-test; None if no test was needed.
    node
        The machine that it runs on; empty for the process that opened it.
    """

    name: str
    lowers_to: ClassVar[tuple[str, ...]] = ()
    default_batch_size: int = 1

    def __init__(self, model: HarmonizationModel, device: str, precision: str = "") -> None:
        check_type("model", model, HarmonizationModel)
        self.model = model
        self.device = device
        self.precision = precision or model.precision
        self._is_closed = False
        self._lock = threading.Lock()  # held while the runtime computes, or is released
        self.passed_over: tuple[str, ...] = ()
        self.deviation: Deviation | None = None
        self.node = ""

    @property
    @abstractmethod
    def version(self) -> str:
        """Name and version of the runtime, for reports."""

    @property
    def description(self) -> str:
        """Runtime, device and precision in one line, for people."""
        return f"{self.version} ({self.device}, {self.precision})"

    @property
    def hardware(self) -> str:
        """The product name of the processor that computes."""
        return processor_name()

    @property
    def circumstances(self) -> tuple[str, ...]:
        """What else may affect the output, such as libraries and features of the processor."""
        return (_processor_features(),)

    @property
    def batch_invariant(self) -> bool:
        """Whether a slice gets the same bits in every batch, of any size and order."""
        return False

    def infer(
        self, hu: NDArray[np.float32], pixel_spacing: float | None = None
    ) -> NDArray[np.float32]:
        """Harmonize a batch.

        Parameters
        ----------
        hu
            ``[N, 1, H, W]`` float32 Hounsfield units, C-contiguous; H and W multiples
            of the card's ``multiple``.
        pixel_spacing
            Of all slices, in mm. Models of format 2 need it, models of format 1 don't use it. It
            is not compared with the card; see ``Harmonizer``.

        Returns
        -------
        ndarray
            The same shape and dtype, all values finite.

        Raises
        ------
        InferenceError
            If the input has another form or holds NaN or infinity; if the model needs a pixel
            spacing and gets no finite positive number; if the runtime fails; if the output has
            another shape or holds NaN or infinity; or if a slice becomes constant.
        DeviceMemoryError
            If the batch does not fit into memory.
        """
        self._check_input(hu)
        spacing = self._check_spacing(pixel_spacing)
        before = _core.extremes(hu[:, 0])
        if any(math.isnan(lowest) for lowest, _ in before):
            raise InferenceError("the input holds NaN or infinite values")
        out = self._infer_alone(hu, spacing)
        if out.shape != hu.shape or out.dtype != np.float32:
            raise InferenceError(
                f"{self.name}: got {out.dtype} {out.shape} for float32 {hu.shape}; the model's "
                "graph does not keep the shape"
            )
        if out is not hu:
            self._check_output(before, _core.extremes(np.ascontiguousarray(out[:, 0])))
        return out

    def _infer_alone(
        self, hu: NDArray[np.float32], pixel_spacing: float | None
    ) -> NDArray[np.float32]:
        """Compute a batch while no other thread does."""
        with self._lock:
            if self._is_closed:
                raise InferenceError(f"the {self.name} engine is closed")
            try:
                return self._infer_or_lack_memory(hu, pixel_spacing)
            except DeviceMemoryError:
                if not self._release_sessions():
                    raise
            # Not in the handler: the traceback there still holds the session that failed.
            return self._infer_or_lack_memory(hu, pixel_spacing)

    def _infer_or_lack_memory(
        self, hu: NDArray[np.float32], pixel_spacing: float | None
    ) -> NDArray[np.float32]:
        try:
            return self._infer(hu, pixel_spacing)
        except MemoryError as exc:
            raise DeviceMemoryError(
                f"{self.name} on {self.device}: the system has not enough memory"
            ) from exc

    def _check_output(
        self, before: list[tuple[float, float]], after: list[tuple[float, float]]
    ) -> None:
        """Check the output by the smallest and largest HU of each slice before and after."""
        if any(math.isnan(lowest) for lowest, _ in after):
            raise InferenceError(
                f"{self.name} on {self.device}: the output holds NaN or infinite values"
            )
        for (low, high), (new_low, new_high) in zip(before, after, strict=True):
            if new_low == new_high and low != high:
                raise InferenceError("the output slice is constant, but its input is not")

    def _check_input(self, hu: NDArray[np.float32]) -> None:
        multiple = self.model.card.multiple
        if not isinstance(hu, np.ndarray):
            raise InferenceError(f"expected a float32 array, got {type(hu).__name__}")
        if hu.dtype != np.float32 or hu.ndim != 4 or hu.shape[1] != 1 or 0 in hu.shape:
            raise InferenceError(f"expected float32 [N, 1, H, W], got {hu.dtype} {hu.shape}")
        if not hu.flags.c_contiguous:
            raise InferenceError("the input must be C-contiguous")
        if hu.shape[2] % multiple or hu.shape[3] % multiple:
            raise InferenceError(f"H and W must be multiples of {multiple}, got {hu.shape[2:]}")

    def _check_spacing(self, pixel_spacing: float | None) -> float | None:
        """Return the pixel spacing as the nearest float32; None for a model of format 1."""
        if self.model.card.format == 1:
            return None
        with np.errstate(over="ignore"):
            spacing = float(np.float32(pixel_spacing)) if isinstance(pixel_spacing, Real) else 0.0
        if not (spacing > 0 and math.isfinite(spacing)):
            raise InferenceError(
                f"{self.model.card.name} needs the pixel spacing, a finite positive number in mm; "
                f"got {pixel_spacing!r}"
            )
        return spacing

    @abstractmethod
    def _infer(self, hu: NDArray[np.float32], pixel_spacing: float | None) -> NDArray[np.float32]:
        """Compute a batch, in one thread at a time.

        ``infer`` has checked the input, and checks the output. The pixel spacing is a value of
        float32; None for a model of format 1.
        """

    def _release_sessions(self) -> bool:
        """Let sessions go that can be opened again, because memory does not suffice.

        Returns
        -------
        bool
            Whether there were any, so that it is worth another try.
        """
        return False

    def close(self) -> None:
        """Wait for a running ``infer``, then release what the engine holds.

        Closing a closed engine is harmless.
        """
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._release()

    def _release(self) -> None:  # noqa: B027 - some engines hold nothing
        """Release memory, threads and device resources."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def processor_name() -> str:
    """Return the name of the CPU, or its architecture if the system does not give a name."""
    return _read_cpuinfo("model name") or platform.processor() or platform.machine()


def _processor_features() -> str:
    """Return the instruction sets of the CPU. Runtimes choose their kernels by them."""
    return _read_cpuinfo("flags") or _read_cpuinfo("Features") or platform.machine()


@functools.cache
def _read_cpuinfo(field: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(field))
    return next(found, "")


def thread_count() -> int:
    """Return how many threads should compute on the CPU.

    It is ``usable_cores``, or the first number in ``OMP_NUM_THREADS``.
    """
    chosen = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(chosen) if chosen.isdecimal() and int(chosen) else usable_cores()
