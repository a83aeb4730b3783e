"""ONNX Runtime on the CPU, and on CUDA where it is asked for and really there."""

from __future__ import annotations

import re
from importlib import metadata, util
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.engines.base import Engine
from rgan_sdk.errors import EngineUnavailableError, InferenceError
from rgan_sdk.model import INPUT_NAME, OUTPUT_NAME, HarmonizationModel

if TYPE_CHECKING:
    import onnxruntime

REQUIREMENTS = ("onnxruntime", "onnxruntime-gpu")

INSTALL = "install one runtime: pip install 'rgan-sdk[cpu]', or 'rgan-sdk[gpu]' for NVIDIA GPUs"
BOTH_INSTALLED = (
    "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files; "
    "keep one: pip uninstall -y onnxruntime onnxruntime-gpu, then pip install 'rgan-sdk[cpu]' "
    "or 'rgan-sdk[gpu]'"
)


def installed_distributions() -> list[str]:
    """Return which of the two conflicting distributions are installed."""
    found = []
    for name in REQUIREMENTS:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        found.append(name)
    return found


def is_available() -> bool:
    """Whether ONNX Runtime is installed, once."""
    return len(installed_distributions()) == 1 and util.find_spec("onnxruntime") is not None


def cuda_is_usable() -> bool:
    """Whether the installed runtime was built for CUDA and sees a device."""
    if not is_available():
        return False
    ort = _import()
    return "CUDAExecutionProvider" in ort.get_available_providers() and any(
        getattr(device.device, "vendor_id", 0) == 0x10DE for device in ort.get_ep_devices()
    )


class OnnxRuntimeEngine(Engine):
    """Runs the model with ONNX Runtime.

    Parameters
    ----------
    model
        The verified model; its bytes are what is loaded.
    device
        ``auto`` takes CUDA where it is usable, else the CPU. ``cpu``, ``cuda`` and
        ``cuda:N`` are taken at their word: what is not there is an error.

    Notes
    -----
    On the CPU each slice runs by itself. Convolutions gain nothing from a batch there,
    and so the bits of a slice can't depend on its neighbours.
    """

    name = "onnxruntime"

    def __init__(self, model: HarmonizationModel, device: str = "auto") -> None:
        self._ort = _import()
        if device == "auto":
            device = "cuda:0" if cuda_is_usable() else "cpu"
        super().__init__(model, "cuda:0" if device == "cuda" else device)
        self._session = self._open_session()

    @property
    def version(self) -> str:  # noqa: D102 - see Engine
        return f"onnxruntime {self._ort.__version__}"

    @property
    def batch_invariant(self) -> bool:  # noqa: D102 - see Engine
        return self.device == "cpu"

    def close(self) -> None:
        """Release the session and its device memory."""
        del self._session

    def _open_session(self) -> onnxruntime.InferenceSession:
        options = self._ort.SessionOptions()
        options.log_severity_level = 4
        # One level for all: the level changes bits of the result.
        options.graph_optimization_level = self._ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        providers = self._providers()
        if self.device != "cpu":
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            session = self._ort.InferenceSession(
                self.model.content, sess_options=options, providers=providers
            )
        except Exception as exc:  # the runtime raises its own types, which share no base
            raise EngineUnavailableError(
                f"ONNX Runtime cannot run {self.model.source} on {self.device}: {exc}"
            ) from exc
        wanted = providers[0] if isinstance(providers[0], str) else providers[0][0]
        if session.get_providers()[0] != wanted:
            raise EngineUnavailableError(
                f"ONNX Runtime fell back from {wanted} to {session.get_providers()[0]}; "
                "check the CUDA and cuDNN libraries, or ask for --device cpu"
            )
        return session

    def _providers(self) -> list[Any]:
        if self.device == "cpu":
            return ["CPUExecutionProvider"]
        match = re.fullmatch(r"cuda:(\d+)", self.device)
        if match is None:
            raise EngineUnavailableError(
                f"unknown device {self.device!r}; valid are auto, cpu, cuda and cuda:N"
            )
        if "CUDAExecutionProvider" not in self._ort.get_available_providers():
            raise EngineUnavailableError(
                f"{self.device}: this ONNX Runtime was built without CUDA; "
                "pip uninstall -y onnxruntime, then pip install 'rgan-sdk[gpu]', "
                "or ask for --device cpu"
            )
        self._ort.preload_dlls()
        return [("CUDAExecutionProvider", {"device_id": match[1], "use_tf32": "0"})]

    def _infer(self, hu: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.device != "cpu":
            return self._run(hu)
        return np.concatenate([self._run(hu[i : i + 1]) for i in range(len(hu))])

    def _run(self, hu: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            out: NDArray[np.float32] = self._session.run([OUTPUT_NAME], {INPUT_NAME: hu})[0]
        except Exception as exc:  # see _open_session
            raise InferenceError(f"ONNX Runtime failed on {self.device}: {exc}") from exc
        return out


def _import() -> Any:
    """Import onnxruntime, or say why it can't be."""
    if len(installed_distributions()) > 1:
        raise EngineUnavailableError(BOTH_INSTALLED)
    try:
        import onnxruntime
    except ImportError as exc:
        raise EngineUnavailableError(f"ONNX Runtime is not installed; {INSTALL}") from exc
    return onnxruntime
