"""The program of docs/embedding-c.md, compiled against the installed header and library."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.librgan import library_path, runtime
from support.models import make_domain_card, make_model

import rgan_sdk as rgan

EXAMPLE = Path(__file__).parents[2] / "examples/c/raw_slices.c"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    built = tmp_path_factory.mktemp("example") / "raw_slices"
    library = library_path()
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    places = [f"-I{library.parents[1] / 'include'}", f"-Wl,-rpath,{library.parent}"]
    command = ["gcc", *strict, *places, EXAMPLE, "-o", built, library]
    subprocess.run(command, check=True)
    return built


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(make_model(make_domain_card()).SerializeToString())
    return path


def run(program, model, spacing, hu, **variables):
    environment = {"RGAN_ONNXRUNTIME": str(runtime()), **variables}
    return subprocess.run(
        [program, model, str(hu.shape[1]), str(hu.shape[2]), str(spacing)],
        input=hu.tobytes(),
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )


def test_it_gives_the_bits_of_python(program, model):
    hu = np.random.default_rng(0).normal(-300, 300, (3, 40, 30)).astype(np.float32)
    done = run(program, model, 0.7, hu)
    assert done.returncode == 0, done.stderr
    assert b"slice 3 of 3" in done.stderr
    with rgan.Harmonizer.load(model, engine="onnxruntime", device="cpu") as harmonizer:
        expected = harmonizer(hu, pixel_spacing=0.7)
    assert done.stdout == expected.tobytes()


def test_its_errors_say_what_is_wrong(program, model, tmp_path):
    hu = np.zeros((1, 8, 8), np.float32)
    assert b"not for 5 mm" in run(program, model, 5, hu).stderr
    assert b"cannot be read" in run(program, tmp_path / "none.onnx", 0.7, hu).stderr
    without = run(program, model, 0.7, hu, RGAN_ONNXRUNTIME=str(tmp_path / "none.so"))
    assert without.returncode == 1
    assert b"ONNX Runtime cannot be loaded" in without.stderr
