"""The native module itself: its stub is current, and it lets other threads run."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

from rgan_sdk import _core

ROOT = Path(__file__).parents[2]


def test_the_committed_stub_is_what_the_module_says(tmp_path):
    stub = tmp_path / "_core.pyi"
    command = [sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "rgan_sdk._core", "-o", stub]
    subprocess.run(command, check=True, cwd=tmp_path)
    assert (ROOT / "rgan_sdk" / "_core.pyi").read_text() == stub.read_text(), "run `make stubs`"


def test_the_gil_is_released():
    stored = np.zeros((8192, 8192), np.uint8)
    out = np.empty(stored.shape, np.float32)
    started, finished = threading.Event(), threading.Event()

    def convert():
        started.set()
        _core.stored_to_hu(stored, 1.0, 0.0, out)
        finished.set()

    thread = threading.Thread(target=convert)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # only a release of the GIL lets this thread go on
    try:
        thread.start()
        started.wait()
        ran_beside_it = not finished.is_set()
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert ran_beside_it
