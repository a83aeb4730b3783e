"""OpenVINO on the CPU, in float32, bfloat16 or int8. It is the fastest engine there."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.engines.base import Engine, thread_count
from rgan_sdk.engines.binding import bind_pixel_spacing
from rgan_sdk.engines.memory import lacks_memory
from rgan_sdk.engines.sessions import Sessions
from rgan_sdk.errors import DeviceMemoryError, EngineUnavailableError, InferenceError
from rgan_sdk.model import HarmonizationModel

if TYPE_CHECKING:
    import openvino

INSTALL = "pip install 'rgan-sdk[openvino]'"
IS_ONNX = b"\x12\x07<onnx/>\x1a\x00\x22\x00"
"""Goes before an ONNX file, so that OpenVINO takes it as ONNX, which is what was checked.

It is three texts on the producer, which the file's own replace. By the first XML element OpenVINO
sees that the file is none of its own format, and by three known fields that it is ONNX.
"""


def why_not(device: str = "cpu") -> str:
    """Return why the engine cannot run on a device, and what to do; empty if it can."""
    if device not in ("auto", "cpu"):
        return f"OpenVINO runs on cpu here, not on {device}"
    try:
        import_openvino()
    except EngineUnavailableError as exc:
        return str(exc)
    return ""


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which would report the import to its maker.

    Raises
    ------
    EngineUnavailableError
        If OpenVINO is not installed, or cannot be loaded.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        return import_module("openvino")
    except ModuleNotFoundError as exc:
        raise EngineUnavailableError(f"OpenVINO is not installed: {INSTALL}") from exc
    except Exception as exc:  # a library that it needs, or a file of it, is missing or broken
        raise EngineUnavailableError(
            f"OpenVINO is installed and cannot be loaded ({exc}): {INSTALL}"
        ) from exc


class OpenVINOEngine(Engine):
    """Runs the model with OpenVINO on the CPU.

    Parameters
    ----------
    model
        A verified model. The runtime loads its bytes, not its file.
    device
        ``auto`` or ``cpu``.
    precision
        Empty for the precision of the model's file. ``bf16`` computes the inner convolutions of a
        float32 model in bfloat16.

    Raises
    ------
    EngineUnavailableError
        If OpenVINO is not installed, cannot load the model, or the processor does not support the
        precision.

    Notes
    -----
    Each slice is computed by itself: a batch would make convolutions no faster on a CPU, and this
    way a slice cannot depend on its neighbours. A graph is compiled for an image size and a pixel
    spacing, and the last ``MAX_SESSIONS`` are kept. The precision is always set, because OpenVINO's
    own choice on new processors is bfloat16 for the whole graph.
    """

    name = "openvino"
    lowers_to: ClassVar[tuple[str, ...]] = ("bf16",)

    def __init__(
        self, model: HarmonizationModel, device: str = "auto", precision: str = ""
    ) -> None:
        if reason := why_not(device):
            raise EngineUnavailableError(reason)
        super().__init__(model, "cpu", precision)
        self._openvino = import_openvino()
        self._core = self._openvino.Core()
        self._requests = Sessions(self._open_request)
        self._check_precision()
        multiple = model.card.multiple  # fails now if OpenVINO cannot run this graph
        self._requests.get(multiple, multiple, self._check_spacing(model.card.reference_spacing))

    @property
    def version(self) -> str:  # noqa: D102 - see Engine
        return f"openvino {self._openvino.__version__.partition('-')[0]}"

    @property
    def batch_invariant(self) -> bool:  # noqa: D102 - see Engine
        return True

    def _release(self) -> None:
        self._requests.clear()

    def _release_sessions(self) -> bool:
        found = len(self._requests) > 0
        self._requests.clear()
        return found

    def _check_precision(self) -> None:
        if self.precision != "bf16":
            return
        if self.model.precision != "fp32":
            raise EngineUnavailableError(
                f"{self.model.source} is an {self.model.precision} model; bf16 is for float32 ones"
            )
        if "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise EngineUnavailableError(
                f"{self.hardware} does not compute in bf16; leave --precision out"
            )

    def _open_request(
        self, rows: int, columns: int, pixel_spacing: float | None
    ) -> openvino.InferRequest:
        try:
            return self._compile(rows, columns, pixel_spacing).create_infer_request()
        except RuntimeError as exc:
            what = str(exc).strip().splitlines()[-1]  # earlier lines name source files
            raise EngineUnavailableError(
                f"OpenVINO cannot run {self.model.source}: {what}"
            ) from exc

    def _compile(
        self, rows: int, columns: int, pixel_spacing: float | None
    ) -> openvino.CompiledModel:
        content = bind_pixel_spacing(self.model.content, pixel_spacing)
        graph = self._core.read_model(IS_ONNX + content)
        graph.reshape([1, 1, rows, columns])
        if self.precision == "bf16":
            from rgan_sdk.engines.openvino_bf16 import lower_to_bfloat16

            lower_to_bfloat16(graph)
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": thread_count(),
        }
        return self._core.compile_model(graph, "CPU", settings)

    def _infer(self, hu: NDArray[np.float32], pixel_spacing: float | None) -> NDArray[np.float32]:
        out = np.empty_like(hu)
        try:
            request = self._requests.get(*hu.shape[2:], pixel_spacing)
            for index in range(len(hu)):
                out[index] = request.infer([hu[index : index + 1]], share_inputs=True)[0]
        except (EngineUnavailableError, RuntimeError) as exc:
            kind = DeviceMemoryError if lacks_memory(exc) else InferenceError
            raise kind(f"OpenVINO failed: {exc}") from exc
        return out
