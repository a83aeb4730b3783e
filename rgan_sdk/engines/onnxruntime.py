"""ONNX Runtime on the CPU or on CUDA."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.engines import cuda
from rgan_sdk.engines.base import Engine, processor_name, thread_count
from rgan_sdk.engines.binding import bind_pixel_spacing
from rgan_sdk.engines.cuda_libraries import MISSING, preload_libraries
from rgan_sdk.engines.memory import lacks_memory, slices_that_fit
from rgan_sdk.engines.sessions import Sessions
from rgan_sdk.errors import DeviceMemoryError, EngineUnavailableError, InferenceError
from rgan_sdk.model import INPUT_NAME, OUTPUT_NAME, SPACING_NAME, HarmonizationModel

if TYPE_CHECKING:
    import onnxruntime

DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu")

INSTALL = "install one runtime: pip install 'rgan-sdk[cpu]', or 'rgan-sdk[gpu]' for NVIDIA GPUs"
BOTH_INSTALLED = (
    "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files; "
    "keep one: pip uninstall -y onnxruntime onnxruntime-gpu, then pip install 'rgan-sdk[cpu]' "
    "or 'rgan-sdk[gpu]'"
)
WITHOUT_CUDA = (
    "this ONNX Runtime was built without CUDA; pip uninstall -y onnxruntime, then pip install "
    "'rgan-sdk[gpu]', or use --device cpu"
)
LIBRARIES_MISSING = re.compile(
    r"assigned to the default CPU EP|cannot open shared object file|libonnxruntime_providers_cuda"
)
FATAL, WARNING = 4, 2
"""Levels of ONNX Runtime's log: nothing but the end of the process, and its default."""


def installed_distributions() -> list[str]:
    """Return which distributions the package ``onnxruntime`` comes from, as it is imported here.

    They must not share a folder. One in another folder of ``sys.path`` is hidden and does no harm.
    """
    spec = util.find_spec("onnxruntime")
    imported = {
        Path(folder).resolve() for folder in (spec and spec.submodule_search_locations) or ()
    }
    found = []
    for name in DISTRIBUTIONS:
        try:
            folder = metadata.distribution(name).locate_file("onnxruntime")
        except metadata.PackageNotFoundError:
            continue
        if Path(str(folder)).resolve() in imported:
            found.append(name)
    return found


def why_not(device: str = "cpu") -> str:
    """Return why the engine cannot run on a device, and what to do; empty if it can."""
    try:
        ort = import_onnxruntime()
    except EngineUnavailableError as exc:
        return str(exc)
    if device in ("auto", "cpu"):
        return ""
    if not re.fullmatch(r"cuda(:\d+)?", device):
        return f"unknown device {device!r}; valid are auto, cpu, cuda and cuda:N"
    if reason := cuda.why_no_device():
        return reason
    return "" if "CUDAExecutionProvider" in ort.get_available_providers() else WITHOUT_CUDA


class OnnxRuntimeEngine(Engine):
    """Runs the model with ONNX Runtime.

    Parameters
    ----------
    model
        A verified model. The runtime loads its bytes, not its file.
    device
        ``auto`` is CUDA if that is usable, else the CPU. ``cpu``, ``cuda`` and ``cuda:N`` never
        fall back to another device.

    Raises
    ------
    EngineUnavailableError
        If ONNX Runtime or the device is not available, or the runtime cannot load the model.

    Notes
    -----
    On the CPU each slice is computed by itself. A batch would make convolutions no faster there,
    and this way the bits of a slice cannot depend on its neighbours. They do not depend on the
    number of threads either; see ``thread_count``. A model of format 2 has a session for each pixel
    spacing, which has the weights for it as constants; the last ``MAX_SESSIONS`` are kept.

    On CUDA, inputs and output stay in device buffers, which are allocated once for each shape. TF32
    is off for float32 models only: for float16 ones the setting would keep cuDNN from Tensor Cores.
    """

    name = "onnxruntime"

    def __init__(self, model: HarmonizationModel, device: str = "auto") -> None:
        self._ort = import_onnxruntime()
        if device == "auto":
            device = "cpu" if why_not("cuda") else "cuda"
        if reason := why_not(device):
            raise EngineUnavailableError(f"ONNX Runtime on {device}: {reason}")
        self._gpu = None if device == "cpu" else cuda.find_device(device)
        super().__init__(model, f"cuda:{self._gpu.index}" if self._gpu else "cpu")
        if self._gpu is not None:
            self.default_batch_size = slices_that_fit(
                model.content, cuda.free_memory(self._gpu.index)
            )
        self._sessions = Sessions(self._open_session)
        # Fails now if it cannot run this graph.
        self._session_for(self._check_spacing(model.card.reference_spacing))
        self._buffers: tuple[Any, Any, Any, Any] | None = None

    @property
    def version(self) -> str:  # noqa: D102 - see Engine
        return f"onnxruntime {self._ort.__version__}"

    @property
    def batch_invariant(self) -> bool:  # noqa: D102 - see Engine
        return self.device == "cpu"

    @property
    def hardware(self) -> str:  # noqa: D102 - see Engine
        return self._gpu.name if self._gpu else processor_name()

    @property
    def circumstances(self) -> tuple[str, ...]:  # noqa: D102 - see Engine
        return cuda.circumstances() if self._gpu else super().circumstances

    def _release(self) -> None:
        self._buffers = None
        self._sessions.clear()

    def _release_sessions(self) -> bool:
        if self._gpu is not None:  # the only one
            return False
        found = len(self._sessions) > 0
        self._sessions.clear()
        return found

    def _session_for(self, pixel_spacing: float | None) -> onnxruntime.InferenceSession:
        """Return a session for one pixel spacing on a CPU, and the one for all on CUDA."""
        return self._sessions.get(None if self._gpu else pixel_spacing)

    def _open_session(self, pixel_spacing: float | None) -> onnxruntime.InferenceSession:
        """Open a session. Where there is a pixel spacing, it becomes a constant."""
        options = _make_options(self._ort)
        # The same level on all devices, because it affects the bits of the output.
        options.graph_optimization_level = self._ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        if self._gpu is None:
            providers: list[Any] = ["CPUExecutionProvider"]
            options.intra_op_num_threads = thread_count()
        else:
            providers = [("CUDAExecutionProvider", self._cuda_settings(self._gpu.index))]
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
            preload_libraries()
        content = bind_pixel_spacing(self.model.content, pixel_spacing)
        try:
            with self._quiet_log():
                session = self._ort.InferenceSession(
                    content, sess_options=options, providers=providers, enable_fallback=0
                )
        except Exception as exc:  # the runtime's own exceptions share no base class
            hint = f"; {MISSING}" if self._gpu and LIBRARIES_MISSING.search(str(exc)) else ""
            raise EngineUnavailableError(
                f"ONNX Runtime cannot run {self.model.source} on {self.device}: {exc}{hint}"
            ) from exc
        if self._gpu and session.get_providers()[0] != "CUDAExecutionProvider":
            raise EngineUnavailableError(f"ONNX Runtime does not run on {self.device}: {MISSING}")
        return session

    @contextmanager
    def _quiet_log(self) -> Iterator[None]:
        """Keep failures to load CUDA's libraries, which the error tells, out of the process's log.

        They go there whatever the options of the session say.
        """
        if self._gpu is None:
            yield
            return
        self._ort.set_default_logger_severity(FATAL)
        try:
            yield
        finally:
            self._ort.set_default_logger_severity(WARNING)

    def _cuda_settings(self, index: int) -> dict[str, str]:
        return {
            "device_id": str(index),
            "use_tf32": "0" if self.model.precision == "fp32" else "1",
            "cudnn_conv_algo_search": "EXHAUSTIVE",
            # Memory grows by the amount needed, not to the next power of two.
            "arena_extend_strategy": "kSameAsRequested",
        }

    def _infer(self, hu: NDArray[np.float32], pixel_spacing: float | None) -> NDArray[np.float32]:
        try:
            if self._gpu is None:
                run = self._session_for(pixel_spacing).run
                slices = [hu[index : index + 1] for index in range(len(hu))]
                return np.concatenate([run([OUTPUT_NAME], {INPUT_NAME: s})[0] for s in slices])
            return self._infer_on_cuda(hu, pixel_spacing, self._gpu.index)
        except Exception as exc:  # see _open_session
            kind = DeviceMemoryError if lacks_memory(exc) else InferenceError
            raise kind(f"ONNX Runtime failed on {self.device}: {exc}") from exc

    def _infer_on_cuda(
        self, hu: NDArray[np.float32], pixel_spacing: float | None, index: int
    ) -> NDArray[np.float32]:
        if self._buffers is None or tuple(self._buffers[0].shape()) != hu.shape:
            self._buffers = None  # released before new ones are allocated
            self._buffers = self._bind(hu.shape, index)
        source, spacing, target, binding = self._buffers
        # The current device belongs to the thread, and this one may not have opened the session.
        cuda.check(cuda.runtime().cudaSetDevice(index))
        source.update_inplace(hu)
        if pixel_spacing is not None:
            spacing.update_inplace(np.array([pixel_spacing], np.float32))
        self._session_for(pixel_spacing).run_with_iobinding(binding)
        out: NDArray[np.float32] = target.numpy()
        return out

    def _bind(self, shape: tuple[int, ...], index: int) -> tuple[Any, Any, Any, Any]:
        source, spacing, target = (
            self._ort.OrtValue.ortvalue_from_shape_and_type(list(sizes), np.float32, "cuda", index)
            for sizes in (shape, [1], shape)
        )
        binding = self._session_for(None).io_binding()
        binding.bind_ortvalue_input(INPUT_NAME, source)
        if self.model.card.format > 1:
            binding.bind_ortvalue_input(SPACING_NAME, spacing)
        binding.bind_ortvalue_output(OUTPUT_NAME, target)
        return source, spacing, target, binding


def _make_options(ort: Any) -> onnxruntime.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = FATAL
    # A file that was checked as ONNX could begin like one in the runtime's own format.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


def run_graph(
    content: bytes, images: Iterable[NDArray[np.float32]]
) -> Iterator[dict[str, NDArray[Any]]]:
    """Run a graph with any outputs on the CPU. It need not be a harmonization model.

    Parameters
    ----------
    content
        The bytes of an ONNX file with the input ``hu``.
    images
        Values of that input, float32, one after the other.

    Yields
    ------
    dict of str to ndarray
        The outputs for one image, by name.

    Raises
    ------
    EngineUnavailableError
        If ONNX Runtime is not installed.
    InferenceError
        If ONNX Runtime cannot load or run the graph.
    """
    ort = import_onnxruntime()
    options = _make_options(ort)
    # Without these two, the tensors of all layers stay in memory: three gigabytes for VGG-19.
    options.execution_order = ort.ExecutionOrder.PRIORITY_BASED
    options.enable_mem_pattern = False
    with _graph_errors():
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for image in images:
        with _graph_errors():
            outputs = session.run(names, {INPUT_NAME: image})
        yield dict(zip(names, outputs, strict=True))


@contextmanager
def _graph_errors() -> Iterator[None]:
    """Turn errors of ONNX Runtime, which share no base class, into InferenceError."""
    try:
        yield
    except Exception as exc:
        raise InferenceError(f"ONNX Runtime cannot run this graph: {exc}") from exc


def import_onnxruntime() -> Any:
    """Import onnxruntime with its telemetry switched off.

    Raises
    ------
    EngineUnavailableError
        If it is not installed, cannot be loaded, or both of its distributions are installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ModuleNotFoundError as exc:
        raise EngineUnavailableError(f"ONNX Runtime is not installed; {INSTALL}") from exc
    except Exception as exc:  # a library that it needs, or a file of it, is missing or broken
        raise EngineUnavailableError(
            f"ONNX Runtime is installed and cannot be loaded ({exc}); {INSTALL}"
        ) from exc
    if len(installed_distributions()) > 1:
        raise EngineUnavailableError(BOTH_INSTALLED)
    return onnxruntime
