"""Running a TensorRT plan: host memory to host memory, copies behind computation.

A batch is cut into chunks of one size, the most that the plan takes or less. Two slots of buffers
take turns: while the GPU computes a chunk, the next one is copied in and the last one out. An
array can be returned only when all of it is there, so the first copy in and the last copy out of a
batch overlap with nothing: the longer the batch, the smaller their share.
"""

from __future__ import annotations

import ctypes
import math
from contextlib import ExitStack
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.engines import cuda
from rgan_sdk.engines.tensorrt.build import OUT_OF_MEMORY, OptimizationProfile, create, make_logger
from rgan_sdk.errors import DeviceMemoryError, InferenceError
from rgan_sdk.model import INPUT_NAME, OUTPUT_NAME

SLOTS: Final = 2
ITEM: Final = 4
"""Bytes of a float32."""


def split_batch(count: int, most: int) -> tuple[int, list[slice]]:
    """Cut a batch into as few chunks as possible; only the last may be shorter than the size."""
    size = math.ceil(count / math.ceil(count / most))
    return size, [slice(start, min(start + size, count)) for start in range(0, count, size)]


class Session:
    """One plan on one device.

    Parameters
    ----------
    trt
        The module ``tensorrt``.
    plan
        As ``build_plan`` made it, for ``profile``, on a device of this kind.
    index
        The CUDA device.
    cuda_graph
        Whether launches of kernels are recorded once for each shape and then replayed.

    Raises
    ------
    DeviceMemoryError
        If the plan or its buffers do not fit the device's memory.
    InferenceError
        If TensorRT does not load the plan.
    EngineUnavailableError
        If it works not at all with this device.
    """

    def __init__(
        self,
        trt: Any,
        plan: bytes,
        profile: OptimizationProfile,
        index: int,
        *,
        cuda_graph: bool = False,
    ) -> None:
        self.profile = profile
        self._cuda = cuda.runtime()
        self._index = index
        self._records_graphs = cuda_graph
        self._shape: tuple[int, ...] = ()
        self._memory = _Memory(self._cuda)
        cuda.check(self._cuda.cudaSetDevice(index))
        self._logger = make_logger(trt)
        self._runtime = create(trt.Runtime, self._logger)
        self._engine = self._made(self._runtime.deserialize_cuda_engine(plan))
        strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
        self._context = self._made(self._engine.create_execution_context(strategy))
        self._resources = ExitStack()
        with ExitStack() as resources:
            self._computing, self._uploading, self._downloading = (
                _stream(self._cuda, resources) for _ in range(3)
            )
            bytes_of_chunk = ITEM * math.prod(profile.largest)
            self._slots = [_Slot(self._cuda, bytes_of_chunk, resources) for _ in range(SLOTS)]
            self._resources = resources.pop_all()

    def run(self, hu: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Compute a batch ``[N, 1, H, W]`` of any length into ``out``.

        Raises
        ------
        DeviceMemoryError
            If a chunk does not fit the device's memory.
        InferenceError
            If anything else fails; nothing in ``out`` can be used then.
        """
        cuda.check(self._cuda.cudaSetDevice(self._index))
        size, chunks = split_batch(len(hu), self.profile.largest[0])
        # The last chunk is filled up with what the slot held before: one shape for all.
        self._take_shape((size, *hu.shape[1:]))
        for number, chunk in enumerate(chunks):
            slot = self._slots[number % SLOTS]
            if number >= SLOTS:
                slot.collect(out[chunks[number - SLOTS]])
            self._submit(slot, hu[chunk])
        for number in range(max(0, len(chunks) - SLOTS), len(chunks)):
            self._slots[number % SLOTS].collect(out[chunks[number]])

    def close(self) -> None:
        """Wait for the device, and release what is held on it."""
        cuda.check(self._cuda.cudaSetDevice(self._index))
        self._forget_graphs()
        self._context = self._engine = self._runtime = None
        self._memory.release()
        self._resources.close()

    def _take_shape(self, shape: tuple[int, ...]) -> None:
        """Prepare for chunks of a shape; nothing is being computed now."""
        if shape == self._shape:
            return
        self._shape = ()
        self._forget_graphs()
        if not self._context.set_input_shape(INPUT_NAME, shape):
            raise self._failure()
        needed = self._context.update_device_memory_size_for_shapes()
        self._memory.grow(max(int(needed), 1))
        self._context.set_device_memory(self._memory.pointer, self._memory.size)
        self._shape = shape

    def _submit(self, slot: _Slot, hu: NDArray[np.float32]) -> None:
        """Have a chunk copied to the device, computed and copied back, without waiting."""
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
        if slot.graph is not None:
            cuda.check(self._cuda.cudaGraphLaunch(slot.graph, self._computing))
            return
        self._context.set_tensor_address(INPUT_NAME, slot.device_source)
        self._context.set_tensor_address(OUTPUT_NAME, slot.device_target)
        self._enqueue()
        if self._records_graphs:
            slot.graph = self._record()

    def _enqueue(self) -> None:
        if not self._context.execute_async_v3(int(self._computing)):
            raise self._failure()

    def _record(self) -> Any:
        """Record what ``_enqueue`` launches. TensorRT wants a shape computed once before."""
        mode = self._cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        cuda.check(self._cuda.cudaStreamBeginCapture(self._computing, mode))
        try:
            self._enqueue()
        finally:
            graph = cuda.check(self._cuda.cudaStreamEndCapture(self._computing))
        try:
            return cuda.check(self._cuda.cudaGraphInstantiate(graph, 0))
        finally:
            cuda.check(self._cuda.cudaGraphDestroy(graph))

    def _forget_graphs(self) -> None:
        for slot in self._slots:
            if slot.graph is not None:
                cuda.check(self._cuda.cudaStreamSynchronize(self._computing))
                cuda.check(self._cuda.cudaGraphExecDestroy(slot.graph))
                slot.graph = None

    def _made(self, thing: Any) -> Any:
        if thing is None:
            raise self._failure()
        return thing

    def _failure(self) -> InferenceError:
        told = "; ".join(self._logger.errors[-2:]) or "no reason was given"
        if OUT_OF_MEMORY.search(told):
            return DeviceMemoryError(f"the GPU's memory does not suffice for TensorRT: {told}")
        return InferenceError(f"TensorRT failed: {told}")


class _Memory:
    """What TensorRT computes in: as much as the largest shape so far needs."""

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
    """Buffers for one chunk on host and device, and the events that its stages end with."""

    def __init__(self, api: Any, size: int, resources: ExitStack) -> None:
        self._cuda = api
        self.source, self.target = (_pinned(api, size, resources) for _ in range(2))
        self.device_source, self.device_target = (
            _device_buffer(api, size, resources) for _ in range(2)
        )
        self.uploaded, self.computed, self.downloaded = (_event(api, resources) for _ in range(3))
        self.graph: Any = None

    def collect(self, out: NDArray[np.float32]) -> None:
        """Wait for the chunk, and copy it out."""
        cuda.check(self._cuda.cudaEventSynchronize(self.downloaded))
        out.reshape(-1)[:] = self.target[: out.size]


def _stream(api: Any, resources: ExitStack) -> Any:
    stream = cuda.check(api.cudaStreamCreateWithFlags(api.cudaStreamNonBlocking))
    resources.callback(lambda: cuda.check(api.cudaStreamDestroy(stream)))
    return stream


def _event(api: Any, resources: ExitStack) -> Any:
    # Waiting leaves the core to the threads that read and write files.
    flags = api.cudaEventBlockingSync | api.cudaEventDisableTiming
    event = cuda.check(api.cudaEventCreateWithFlags(flags))
    resources.callback(lambda: cuda.check(api.cudaEventDestroy(event)))
    return event


def _device_buffer(api: Any, size: int, resources: ExitStack) -> int:
    pointer = int(cuda.check(api.cudaMalloc(size)))
    resources.callback(lambda: cuda.check(api.cudaFree(pointer)))
    return pointer


def _pinned(api: Any, size: int, resources: ExitStack) -> NDArray[np.float32]:
    """Return an array of host memory that the device copies by itself, filled with zeros."""
    pointer = int(cuda.check(api.cudaHostAlloc(size, api.cudaHostAllocDefault)))
    resources.callback(lambda: cuda.check(api.cudaFreeHost(pointer)))
    array: NDArray[np.float32] = np.ctypeslib.as_array(
        (ctypes.c_float * (size // ITEM)).from_address(pointer)
    )
    array.fill(0)
    return array
