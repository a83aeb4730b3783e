"""Run the session of the TensorRT engine on a GPU without TensorRT.

    python benchmarks/gpu/session_smoke.py           on a GPU
    python benchmarks/gpu/session_smoke.py --fake    anywhere, with CUDA imitated in host memory

Streams, events, pinned buffers and workspace are the real ones. A stand-in takes TensorRT's place:
its kernel is a copy on the stream, so that each slice must come back as it went in. A pixel spacing
is copied into the first pixel of each slice. Prints the rate of the copies, and the free memory
before and after each session, which must not shrink.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np

from rgan_sdk.engines import cuda
from rgan_sdk.engines.tensorrt.profile import make_profile
from rgan_sdk.engines.tensorrt.session import ITEM, Session
from rgan_sdk.model import INPUT_NAME, OUTPUT_NAME, SPACING_NAME

PROFILE = make_profile(16)
SHAPES = (
    (33, 1, 512, 512),
    (1, 1, 16, 16),
    (17, 1, 64, 48),
    (8, 1, 512, 512),
    (9, 1, 512, 512),
    (33, 1, 512, 512),
)
SESSIONS = ((None, None, None), (0.5, 0.75, 0.5))
"""The pixel spacings of each session, for models of both formats."""
TIMED, TIMED_SLICES = 20, 32
SILENT = (
    "cudaSetDevice",
    "cudaStreamDestroy",
    "cudaEventDestroy",
    "cudaEventRecord",
    "cudaStreamWaitEvent",
    "cudaEventSynchronize",
    "cudaStreamSynchronize",
    "cudaGetLastError",
)
"""Calls that have nothing to do where everything is done at once."""
CONSTANTS = (
    "cudaStreamNonBlocking",
    "cudaEventBlockingSync",
    "cudaEventDisableTiming",
    "cudaHostAllocDefault",
    "cudaMemcpyKind",
    "cudaError_t",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fake", action="store_true", help="imitate CUDA in host memory")
    if parser.parse_args().fake:
        fake = fake_runtime()
        cuda.runtime = lambda: fake
    elif missing := cuda.why_no_device():
        print(f"missing: {missing}", file=sys.stderr)
        return 1
    free = [cuda.free_memory(0)]
    for spacings in SESSIONS:
        check_session(spacings)
        free.append(cuda.free_memory(0))
    print("free MiB:", [amount >> 20 for amount in free])
    return 0 if free[-1] >= free[1] else 1


def check_session(spacings: tuple[float | None, ...]) -> None:
    """Take batches of all shapes through one session, from two threads too."""
    session = Session(stand_in(), b"", PROFILE, 0)
    random = np.random.default_rng(0)
    for shape in SHAPES:
        for spacing in spacings:
            require_copy(session, random.normal(0, 500, shape).astype(np.float32), spacing)
    hu = random.normal(0, 500, (TIMED_SLICES, 1, 512, 512)).astype(np.float32)
    out = np.empty_like(hu)
    start = time.perf_counter()
    for _ in range(TIMED):
        session.run(hu, out, spacings[0])
    rate = TIMED * TIMED_SLICES / (time.perf_counter() - start)
    print(f"{rate:.0f} slices/s of copies alone", flush=True)
    check_other_thread(session, hu, spacings[0])
    session.close()


def require_copy(
    session: Session, hu: np.ndarray[Any, np.dtype[np.float32]], pixel_spacing: float | None
) -> None:
    out = np.full_like(hu, np.nan)
    session.run(hu, out, pixel_spacing)
    if pixel_spacing is not None:
        hu = hu.copy()
        hu[:, 0, 0, 0] = pixel_spacing
    if not np.array_equal(out, hu):
        raise SystemExit(f"wrong: a batch {hu.shape} did not come back as it went in")


def check_other_thread(
    session: Session, hu: np.ndarray[Any, np.dtype[np.float32]], pixel_spacing: float | None
) -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            require_copy(session, hu, pixel_spacing)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


class Context:
    """TensorRT's execution context, whose network returns its input."""

    def __init__(self) -> None:
        self.addresses: dict[str, int] = {}
        self.shape: tuple[int, ...] = ()
        self.memory = 0

    @property
    def size(self) -> int:
        """Bytes of a chunk."""
        return ITEM * int(np.prod(self.shape))

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        """Take chunks of a shape from now on."""
        self.shape = shape
        return True

    def update_device_memory_size_for_shapes(self) -> int:
        """Return how many bytes of workspace the shape needs."""
        return self.size

    def set_device_memory(self, pointer: int, size: int) -> None:
        """Take the workspace, and check its size."""
        self.memory = pointer
        if size < self.size:
            raise SystemExit("wrong: the workspace is too small")

    def set_tensor_address(self, name: str, pointer: int) -> bool:
        """Take the place of the input or output."""
        self.addresses[name] = pointer
        return True

    def execute_async_v3(self, handle: int) -> bool:
        """Copy the input through the workspace, so that a workspace in use shows."""
        from cuda.bindings.runtime import cudaStream_t

        api, stream = cuda.runtime(), cudaStream_t(handle)
        way = api.cudaMemcpyKind.cudaMemcpyDeviceToDevice
        source, target = self.addresses[INPUT_NAME], self.addresses[OUTPUT_NAME]
        cuda.check(api.cudaMemcpyAsync(self.memory, source, self.size, way, stream))
        if (spacing := self.addresses.get(SPACING_NAME)) is not None:
            slices = self.shape[0]
            for start in range(0, self.size, self.size // slices):
                cuda.check(api.cudaMemcpyAsync(self.memory + start, spacing, ITEM, way, stream))
        cuda.check(api.cudaMemcpyAsync(target, self.memory, self.size, way, stream))
        return True


def stand_in() -> Any:
    """Return a module in TensorRT's place."""

    class Logger:
        Severity = SimpleNamespace(ERROR=SimpleNamespace(value=1))

        def __init__(self) -> None:
            """TensorRT's class takes no arguments either."""

    def runtime(logger: Logger) -> SimpleNamespace:
        engine = SimpleNamespace(create_execution_context=lambda strategy: Context())
        return SimpleNamespace(deserialize_cuda_engine=lambda plan: engine)

    return SimpleNamespace(
        ILogger=Logger,
        Runtime=runtime,
        ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED=0),
    )


def fake_runtime() -> Any:
    """Return CUDA's runtime with host memory in place of a device: everything is done at once."""
    real = cuda.runtime()
    done = real.cudaError_t.cudaSuccess
    kept: dict[int, Any] = {}

    def allocate(size: int, *_: Any) -> tuple[Any, int]:
        buffer = ctypes.create_string_buffer(size)
        kept[ctypes.addressof(buffer)] = buffer
        return done, ctypes.addressof(buffer)

    def release(pointer: int) -> tuple[Any]:
        del kept[pointer]
        return (done,)

    def copy(target: int, source: int, size: int, *_: Any) -> tuple[Any]:
        ctypes.memmove(target, source, size)
        return (done,)

    return SimpleNamespace(
        **{name: lambda *_: (done,) for name in SILENT},
        cudaMalloc=allocate,
        cudaHostAlloc=allocate,
        cudaFree=release,
        cudaFreeHost=release,
        cudaMemcpyAsync=copy,
        cudaStreamCreateWithFlags=lambda flags: (done, 7),
        cudaEventCreateWithFlags=lambda flags: (done, 7),
        cudaMemGetInfo=lambda: (done, (1 << 31) - sum(map(len, kept.values())), 1 << 31),
        **{name: getattr(real, name) for name in CONSTANTS},
    )


if __name__ == "__main__":
    sys.exit(main())
