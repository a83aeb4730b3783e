"""What every inference engine is."""

from __future__ import annotations

import functools
import math
import os
import platform
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rgan_sdk import _core
from rgan_sdk.errors import InferenceError
from rgan_sdk.model import HarmonizationModel


@dataclass(frozen=True)
class Deviation:
    """Absolute difference to the float32 model in HU: largest, 99.9th percentile, mean."""

    max: float
    p999: float
    mean: float

    @classmethod
    def from_errors(cls, error: NDArray[Any]) -> Deviation:
        """Return the figures of absolute differences, in HU, of any shape."""
        return cls(float(error.max()), float(np.percentile(error, 99.9)), float(error.mean()))

    def __str__(self) -> str:
        return f"max {self.max:.4f}, p99.9 {self.p999:.4f}, mean {self.mean:.5f} HU"


class Engine(ABC):
    """Runs one model on one device.

    ``infer`` checks what goes in and what comes out; a subclass implements
    ``_infer``. The engine owns nothing of the caller's: the input is only read, the
    output is a new array that belongs to the caller, or the input itself where nothing
    changes. One engine serves one thread at a time.

    Attributes
    ----------
    name
        The engine's name on the command line.
    device
        The device it really runs on, such as ``cpu`` or ``cuda:0``.
    precision
        That of the model's file, ``fp32``, ``fp16`` or ``int8``, or what the engine lowers it to.
    lowers_to
        Precisions in which it can run a float32 model, beside that of the file.
    passed_over
        What ``auto`` would have preferred to this engine, and why it could not.
    deviation
        From the float32 model, as the self-test found it; None for the reference itself.
    """

    name: ClassVar[str]
    lowers_to: ClassVar[tuple[str, ...]] = ()

    def __init__(self, model: HarmonizationModel, device: str, precision: str = "") -> None:
        self.model = model
        self.device = device
        self.precision = precision or model.precision
        self._is_closed = False
        self.passed_over: tuple[str, ...] = ()
        self.deviation: Deviation | None = None

    @property
    @abstractmethod
    def version(self) -> str:
        """Name and version of what computes, for reports."""

    @property
    def description(self) -> str:
        """What runs where, for people."""
        return f"{self.version} ({self.device}, {self.precision})"

    @property
    def hardware(self) -> str:
        """The processor that computes, by its maker's name."""
        return processor_name()

    @property
    def circumstances(self) -> tuple[str, ...]:
        """What else the pixels may depend on: versions of libraries, features of the processor."""
        return (_processor_features(),)

    @property
    def default_batch_size(self) -> int:
        """Slices of 512x512 per call that suit the device."""
        return 1

    @property
    def batch_invariant(self) -> bool:
        """Whether a slice gets the same bits in every batch, whatever its size and order."""
        return False

    def infer(self, hu: NDArray[np.float32]) -> NDArray[np.float32]:
        """Harmonize a batch.

        Parameters
        ----------
        hu
            ``[N, 1, H, W]`` float32 Hounsfield units, C-contiguous; H and W multiples
            of the card's ``multiple``.

        Returns
        -------
        ndarray
            Same shape and type, finite.

        Raises
        ------
        InferenceError
            If the input has another form or is not finite, the runtime fails, or its output
            is not a finite image of the input's shape, or constant where the input is not.
        """
        if self._is_closed:
            raise InferenceError(f"the {self.name} engine is closed")
        self._check_input(hu)
        before = _core.extremes(hu[:, 0])
        if any(math.isnan(lowest) for lowest, _ in before):
            raise InferenceError("the input holds NaN or infinite values")
        out = self._infer(hu)
        if out.shape != hu.shape or out.dtype != np.float32:
            raise InferenceError(
                f"{self.name}: got {out.dtype} {out.shape} for float32 {hu.shape}; the model's "
                "graph does not keep the shape"
            )
        if out is not hu:
            self._check_output(before, _core.extremes(np.ascontiguousarray(out[:, 0])))
        return out

    def _check_output(
        self, before: list[tuple[float, float]], after: list[tuple[float, float]]
    ) -> None:
        """Compare the smallest and largest HU of each slice before and after."""
        if any(math.isnan(lowest) for lowest, _ in after):
            raise InferenceError(
                f"{self.name} on {self.device}: the output holds NaN or infinite values; "
                "nothing of this batch can be used"
            )
        for (low, high), (new_low, new_high) in zip(before, after, strict=True):
            if new_low == new_high and low != high:
                raise InferenceError("the engine made a constant slice of one that is not")

    def _check_input(self, hu: NDArray[np.float32]) -> None:
        multiple = self.model.card.multiple
        if hu.dtype != np.float32 or hu.ndim != 4 or hu.shape[1] != 1 or 0 in hu.shape:
            raise InferenceError(f"expected float32 [N, 1, H, W], got {hu.dtype} {hu.shape}")
        if not hu.flags.c_contiguous:
            raise InferenceError("the input must be C-contiguous")
        if hu.shape[2] % multiple or hu.shape[3] % multiple:
            raise InferenceError(f"H and W must be multiples of {multiple}, got {hu.shape[2:]}")

    @abstractmethod
    def _infer(self, hu: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute; the input is checked already, the output will be."""

    def close(self) -> None:
        """Release what the engine holds; it can't be used afterwards. Again, it does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._release()

    def _release(self) -> None:  # noqa: B027 - some engines hold nothing
        """Release what the engine holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def processor_name() -> str:
    """Return the CPU's name, or its architecture where the system does not tell."""
    return _of_processor("model name") or platform.processor() or platform.machine()


def _processor_features() -> str:
    """Return which instructions the CPU has: runtimes choose what they compute with by them."""
    return _of_processor("flags") or _of_processor("Features") or platform.machine()


@functools.cache
def _of_processor(field: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(field))
    return next(found, "")


def thread_count() -> int:
    """Return how many threads to compute with on the CPU: more than cores only fight for them."""
    chosen = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(chosen) if chosen.isdecimal() and int(chosen) else len(os.sched_getaffinity(0))
