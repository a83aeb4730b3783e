"""The session of the TensorRT engine on the stand-ins of the script for GPU machines."""

import sys
from importlib import util
from pathlib import Path

import numpy as np
import pytest
from support.requirements import require_module

from rgan_sdk.engines import cuda
from rgan_sdk.engines.tensorrt.session import Session
from rgan_sdk.errors import InferenceError

require_module("cuda", "make test")
SCRIPT = Path(__file__).parents[4] / "benchmarks" / "gpu" / "session_smoke.py"


@pytest.fixture
def smoke(monkeypatch):
    """The script, with CUDA imitated in host memory."""
    spec = util.spec_from_file_location("session_smoke", SCRIPT)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fake = module.fake_runtime()
    monkeypatch.setattr(cuda, "runtime", lambda: fake)
    return module


def test_batches_come_back_from_the_fake_device(smoke, monkeypatch, capsys):
    shapes = (33, 1, 32, 32), (1, 1, 16, 16), (17, 1, 64, 48), (8, 1, 32, 32), (33, 1, 32, 32)
    for name, value in {"SHAPES": shapes, "TIMED": 1, "TIMED_SLICES": 9}.items():
        monkeypatch.setattr(smoke, name, value)
    monkeypatch.setattr(sys, "argv", ["session_smoke.py", "--fake"])
    assert smoke.main() == 0
    assert "free MiB: [2048, 2048, 2048]" in capsys.readouterr().out


def test_a_failed_run_is_waited_for_before_memory_is_released(smoke, monkeypatch):
    """Copies of earlier chunks may still be under way."""
    fake, calls = cuda.runtime(), []
    for name in ("cudaStreamSynchronize", "cudaFree", "cudaFreeHost"):
        original = getattr(fake, name)

        def spy(*arguments, name=name, original=original):
            calls.append(name)
            return original(*arguments)

        monkeypatch.setattr(fake, name, spy)
    session = Session(smoke.stand_in(), b"", smoke.PROFILE, 0)
    monkeypatch.setattr(smoke.Context, "execute_async_v3", lambda self, handle: False)
    hu = np.zeros((16, 1, 64, 64), np.float32)
    with pytest.raises(InferenceError, match="TensorRT failed"):
        session.run(hu, np.empty_like(hu))
    session.close()
    assert calls[:3] == ["cudaStreamSynchronize"] * 3
    assert set(calls[3:]) == {"cudaFree", "cudaFreeHost"}
