"""The native module itself: its stub is current, and it lets other threads run."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from support.checksums import crc32c

from rgan_sdk import _core
from rgan_sdk.errors import ResourceError

ROOT = Path(__file__).parents[2]

FEW_THREADS = """
import re, resource
from pathlib import Path
from rgan_sdk import _core

used = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10
resource.setrlimit(resource.RLIMIT_AS, (used + (40 << 20), resource.RLIM_INFINITY))
pool = _core.ThreadPool(64)
heads = _core.scan([b"/nothing/here"] * 100, pool)
print(pool.threads, len(heads), *{head.problem for head in heads})
"""
"""There is no room for the stacks of 64 threads, which have 8 MiB each."""


def test_the_committed_stub_is_what_the_module_says(tmp_path):
    stub = tmp_path / "_core.pyi"
    command = [sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "rgan_sdk._core", "-o", stub]
    subprocess.run(command, check=True, cwd=tmp_path)
    assert (ROOT / "rgan_sdk" / "_core.pyi").read_text() == stub.read_text(), "run `make stubs`"


def test_crc32c_is_that_of_the_catalogues():
    assert _core.crc32c(b"") == crc32c(b"") == 0
    assert _core.crc32c(b"123456789") == crc32c(b"123456789") == 0xE3069283
    for size in (5, 6143, 6144, 20_001):
        content = np.random.default_rng(size).bytes(size)
        assert _core.crc32c(content) == crc32c(content)


def test_files_have_a_checksum_or_a_problem(tmp_path):
    (tmp_path / "digits").write_text("123456789")
    (tmp_path / "link").symlink_to("digits")
    paths = [os.fsencode(tmp_path / name) for name in ("digits", "absent", "link", ".")]
    found = _core.checksum_files(paths, _core.ThreadPool(2))
    assert found[0] == (None, 0xE3069283)
    assert [problem for problem, _ in found[1:]] == [
        "cannot be read: No such file or directory",
        "not a regular file: Too many levels of symbolic links",
        "not a regular file",
    ]


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


def test_a_pool_does_with_the_threads_that_the_system_starts():
    command = [sys.executable, "-c", FEW_THREADS]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    threads, heads, problem = result.stdout.split(maxsplit=2)
    assert 1 <= int(threads) < 64
    assert (heads, problem.strip()) == ("100", "cannot be read: No such file or directory")


def test_a_lack_of_memory_is_an_error_of_ours():
    with pytest.raises(ResourceError, match="not enough memory"):
        _core.extremes(np.empty((1 << 50, 0, 1), np.float32))
