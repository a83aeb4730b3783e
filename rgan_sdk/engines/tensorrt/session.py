"""Run a TensorRT plan from host memory to host memory, with copies behind computation.

A batch is split into chunks of equal size. Two slots of buffers take turns: while the GPU computes
one chunk, the next one is copied to the device and the previous one back. Only the first copy in
and the last copy out of a batch overlap with nothing, so their share falls as batches get longer.
"""

from __future__ import annotations

import ctypes
import math
from contextlib import ExitStack
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.engines import cuda
from rgan_sdk.engines.tensorrt.build import OUT_OF_MEMORY, create, make_logger
from rgan_sdk.engines.tensorrt.profile import OptimizationProfile
from rgan_sdk.errors import DeviceMemoryError, InferenceError
from rgan_sdk.model import INPUT_NAME, OUTPUT_NAME, SPACING_NAME

SLOTS: Final = 2
ITEM: Final = 4
"""Bytes of a float32."""


def split_batch(count: int, most: int) -> tuple[int, list[slice]]:
    """Split a batch into as few chunks as possible.

    Parameters
    ----------
    count
        Slices in the batch.
    most
        Slices in a chunk, at most.

    Returns
    -------
    size : int
        Slices in each chunk; only the last chunk may be shorter.
    chunks : list of slice
        The chunks as index ranges.
    """
    size = math.ceil(count / math.ceil(count / most))
    return size, [slice(start, min(start + size, count)) for start in range(0, count, size)]


class Session:
    """One plan on one device.

    Parameters
    ----------
    trt
        The module ``tensorrt``.
    plan
        ``BuiltPlan.plan``, built for ``profile`` on a device of the same kind.
    index
        Number of the CUDA device.

    Raises
    ------
    DeviceMemoryError
        If the plan or its buffers do not fit into the device's memory.
    InferenceError
        If TensorRT cannot load the plan.
    EngineUnavailableError
        If TensorRT does not work with this device.
    """

    def __init__(
        self,
        trt: Any,
        plan: bytes,
        profile: OptimizationProfile,
        index: int,
    ) -> None:
        self.profile = profile
        self._cuda = cuda.runtime()
        self._index = index
        self._shape: tuple[int, ...] = ()
        self._workspace = _Workspace(self._cuda)
        cuda.check(self._cuda.cudaSetDevice(index))
        self._logger = make_logger(trt)
        self._runtime = create(trt.Runtime, self._logger)
        self._engine = self._require(self._runtime.deserialize_cuda_engine(plan))
        strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
        self._context = self._require(self._engine.create_execution_context(strategy))
        self._resources = ExitStack()
        with ExitStack() as resources:
            self._computing, self._uploading, self._downloading = (
                _stream(self._cuda, resources) for _ in range(3)
            )
            self._spacing = _pinned_array(self._cuda, ITEM, resources)
            self._device_spacing = _device_buffer(self._cuda, ITEM, resources)
            bytes_of_chunk = ITEM * math.prod(profile.largest)
            self._slots = [_Slot(self._cuda, bytes_of_chunk, resources) for _ in range(SLOTS)]
            self._resources = resources.pop_all()

    def run(
        self, hu: NDArray[np.float32], out: NDArray[np.float32], pixel_spacing: float | None = None
    ) -> None:
        """Compute a batch of any length.

        Parameters
        ----------
        hu
            ``[N, 1, H, W]`` float32, C-contiguous; H and W within the profile.
        out
            To be filled, of the same shape and dtype. Its values are undefined after an error.
        pixel_spacing
            In mm; None for a plan without that input.

        Raises
        ------
        DeviceMemoryError
            If a chunk does not fit into the device's memory.
        InferenceError
            If anything else fails.
        """
        cuda.check(self._cuda.cudaSetDevice(self._index))
        size, chunks = split_batch(len(hu), self.profile.largest[0])
        # All chunks have one shape: a short last chunk keeps old values of its slot at the end.
        self._take_shape((size, *hu.shape[1:]))
        if pixel_spacing is not None:
            self._take_spacing(pixel_spacing)
        for number, chunk in enumerate(chunks):
            slot = self._slots[number % SLOTS]
            if number >= SLOTS:
                slot.collect(out[chunks[number - SLOTS]])
            self._submit(slot, hu[chunk])
        for number in range(max(0, len(chunks) - SLOTS), len(chunks)):
            self._slots[number % SLOTS].collect(out[chunks[number]])

    def close(self) -> None:
        """Wait for the device, and release its memory and streams."""
        cuda.check(self._cuda.cudaSetDevice(self._index))
        # A run that failed half-way may have left copies and kernels behind, or broken the device:
        # their errors were reported by the run.
        for stream in (self._uploading, self._computing, self._downloading):
            self._cuda.cudaStreamSynchronize(stream)
        self._cuda.cudaGetLastError()
        self._context = self._engine = self._runtime = None
        self._workspace.release()
        self._resources.close()

    def _take_shape(self, shape: tuple[int, ...]) -> None:
        """Prepare for chunks of a shape. The device must be idle."""
        if shape == self._shape:
            return
        self._shape = ()
        if not self._context.set_input_shape(INPUT_NAME, shape):
            raise self._failure()
        needed = self._context.update_device_memory_size_for_shapes()
        self._workspace.grow(max(int(needed), 1))
        self._context.set_device_memory(self._workspace.pointer, self._workspace.size)
        self._shape = shape

    def _take_spacing(self, pixel_spacing: float) -> None:
        """Start copying the pixel spacing, for what is computed next. The device must be idle."""
        self._spacing[0] = pixel_spacing
        cuda.check(
            self._cuda.cudaMemcpyAsync(
                self._device_spacing,
                self._spacing.ctypes.data,
                ITEM,
                self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice,
                self._computing,
            )
        )
        self._context.set_tensor_address(SPACING_NAME, self._device_spacing)

    def _submit(self, slot: _Slot, hu: NDArray[np.float32]) -> None:
        """Start copying a chunk to the device, computing it and copying it back. Does not wait."""
        check, api, direction = cuda.check, self._cuda, self._cuda.cudaMemcpyKind
        size = ITEM * math.prod(self._shape)
        slot.source[: hu.size] = hu.reshape(-1)
        check(
            api.cudaMemcpyAsync(
                slot.device_source,
                slot.source.ctypes.data,
                size,
                direction.cudaMemcpyHostToDevice,
                self._uploading,
            )
        )
        check(api.cudaEventRecord(slot.uploaded, self._uploading))
        check(api.cudaStreamWaitEvent(self._computing, slot.uploaded, 0))
        self._compute(slot)
        check(api.cudaEventRecord(slot.computed, self._computing))
        check(api.cudaStreamWaitEvent(self._downloading, slot.computed, 0))
        check(
            api.cudaMemcpyAsync(
                slot.target.ctypes.data,
                slot.device_target,
                size,
                direction.cudaMemcpyDeviceToHost,
                self._downloading,
            )
        )
        check(api.cudaEventRecord(slot.downloaded, self._downloading))

    def _compute(self, slot: _Slot) -> None:
        self._context.set_tensor_address(INPUT_NAME, slot.device_source)
        self._context.set_tensor_address(OUTPUT_NAME, slot.device_target)
        if not self._context.execute_async_v3(int(self._computing)):
            raise self._failure()

    def _require(self, thing: Any) -> Any:
        if thing is None:
            raise self._failure()
        return thing

    def _failure(self) -> InferenceError:
        reasons = "; ".join(self._logger.errors[-2:]) or "no reason was given"
        if OUT_OF_MEMORY.search(reasons):
            return DeviceMemoryError(f"the GPU has not enough memory for TensorRT: {reasons}")
        return InferenceError(f"TensorRT failed: {reasons}")


class _Workspace:
    """Device memory that TensorRT computes in: as much as the largest shape so far needs."""

    def __init__(self, api: Any) -> None:
        self._cuda, self.pointer, self.size = api, 0, 0

    def grow(self, size: int) -> None:
        if size > self.size:
            self.release()
            self.pointer, self.size = int(cuda.check(self._cuda.cudaMalloc(size))), size

    def release(self) -> None:
        if self.pointer:
            pointer, self.pointer, self.size = self.pointer, 0, 0
            cuda.check(self._cuda.cudaFree(pointer))


class _Slot:
    """Buffers for one chunk on host and device, and an event for the end of each stage."""

    def __init__(self, api: Any, size: int, resources: ExitStack) -> None:
        self._cuda = api
        self.source, self.target = (_pinned_array(api, size, resources) for _ in range(2))
        self.device_source, self.device_target = (
            _device_buffer(api, size, resources) for _ in range(2)
        )
        self.uploaded, self.computed, self.downloaded = (_event(api, resources) for _ in range(3))

    def collect(self, out: NDArray[np.float32]) -> None:
        """Wait for the chunk, and copy it to ``out``."""
        cuda.check(self._cuda.cudaEventSynchronize(self.downloaded))
        out.reshape(-1)[:] = self.target[: out.size]


def _stream(api: Any, resources: ExitStack) -> Any:
    stream = cuda.check(api.cudaStreamCreateWithFlags(api.cudaStreamNonBlocking))
    resources.callback(lambda: cuda.check(api.cudaStreamDestroy(stream)))
    return stream


def _event(api: Any, resources: ExitStack) -> Any:
    # A blocking wait leaves the core to the threads that read and write files.
    flags = api.cudaEventBlockingSync | api.cudaEventDisableTiming
    event = cuda.check(api.cudaEventCreateWithFlags(flags))
    resources.callback(lambda: cuda.check(api.cudaEventDestroy(event)))
    return event


def _device_buffer(api: Any, size: int, resources: ExitStack) -> int:
    pointer = int(cuda.check(api.cudaMalloc(size)))
    resources.callback(lambda: cuda.check(api.cudaFree(pointer)))
    return pointer


def _pinned_array(api: Any, size: int, resources: ExitStack) -> NDArray[np.float32]:
    """Return an array of zeros in page-locked host memory, which the device can copy itself."""
    pointer = int(cuda.check(api.cudaHostAlloc(size, api.cudaHostAllocDefault)))
    resources.callback(lambda: cuda.check(api.cudaFreeHost(pointer)))
    array: NDArray[np.float32] = np.ctypeslib.as_array(
        (ctypes.c_float * (size // ITEM)).from_address(pointer)
    )
    array.fill(0)
    return array
