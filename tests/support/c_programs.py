"""Programs in C and C++, built by CMake as a user builds them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np

import rgan_sdk as rgan
from support.librgan import library_path, runtime
from support.models import make_domain_card, make_model
from support.requirements import require_tool

EXAMPLES = Path(__file__).parents[2] / "examples"
SDK = library_path().parents[1]
"""Where the package has headers and library."""

STRICT = "-Wall -Wextra -Wpedantic -Werror"
SPACING = 0.7


def cmake(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = require_tool("cmake")
    return subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def configure(source: Path, build: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    """Configure a project; settings are those of CMake."""
    defined = [f"-D{name}={value}" for name, value in settings.items()]
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    return cmake(*generator, "-S", source, "-B", build, *defined)


def build(source: Path, folder: Path, **settings: object) -> None:
    """Configure a project and build it in a folder."""
    for done in (configure(source, folder, **settings), cmake("--build", folder)):
        assert done.returncode == 0, done.stdout + done.stderr


def build_example(name: str, folder: Path, **settings: object) -> None:
    """Build an example against the installed package, with each warning an error."""
    flags = {"CMAKE_C_FLAGS": STRICT, "CMAKE_CXX_FLAGS": STRICT, "rgan_ROOT": SDK}
    build(EXAMPLES / name, folder, **{**flags, **settings})


def run(
    program: Path, *arguments: object, source: bytes = b"", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a program that finds ONNX Runtime in its wheel."""
    return subprocess.run(
        [program, *map(str, arguments)],
        input=source,
        env={**os.environ, "RGAN_ONNXRUNTIME": str(runtime()), **variables},
        capture_output=True,
        check=False,
    )


def small_model(path: Path) -> Path:
    path.write_bytes(make_model(make_domain_card()).SerializeToString())
    return path


def slices(count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(-300, 300, (count, 40, 30)).astype(np.float32)


def in_python(model: Path, hu: np.ndarray) -> bytes:
    """Return the bytes that the Python interface makes of slices."""
    with rgan.Harmonizer.load(model, engine="onnxruntime", device="cpu") as harmonizer:
        return harmonizer(hu, pixel_spacing=SPACING).tobytes()
