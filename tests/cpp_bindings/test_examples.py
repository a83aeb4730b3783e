"""The programs of docs/embedding-c.md, built against the installed package, give Python's bits."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.c_programs import SPACING, build_example, in_python, run, slices, small_model
from support.librgan import runtime
from support.models import make_domain_card, make_network

HEADERS = Path(__file__).with_name("onnxruntime_headers")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture(scope="module")
def raw_slices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("c")
    build_example("c", folder)
    return folder / "raw_slices"


@pytest.fixture(scope="module", params=["g++", "clang++"])
def harmonize_stack(request, tmp_path_factory):
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    folder = tmp_path_factory.mktemp("cpp")
    build_example("cpp", folder, CMAKE_CXX_COMPILER=request.param)
    return folder / "harmonize_stack"


@pytest.fixture(scope="module")
def bare_model(tmp_path_factory):
    """Build the example with headers of our own: the wheel of ONNX Runtime has none."""
    folder = tmp_path_factory.mktemp("onnxruntime")
    library = folder / "libonnxruntime.so.1"
    library.symlink_to(runtime())
    build_example(
        "onnxruntime",
        folder / "build",
        ONNXRUNTIME_INCLUDE_DIR=HEADERS,
        ONNXRUNTIME_LIBRARY=library,
    )
    return folder / "build" / "bare_model"


def run_raw_slices(program, model, hu, spacing=SPACING, **variables):
    return run(program, model, *hu.shape[1:], spacing, source=hu.tobytes(), **variables)


def test_raw_slices(raw_slices, model):
    hu = slices()
    done = run_raw_slices(raw_slices, model, hu)
    assert done.returncode == 0, done.stderr
    assert b"slice 3 of 3" in done.stderr
    assert done.stdout == in_python(model, hu)


def test_raw_slices_says_what_is_wrong(raw_slices, model, tmp_path):
    hu = np.zeros((1, 8, 8), np.float32)
    assert b"not for 5 mm" in run_raw_slices(raw_slices, model, hu, 5).stderr
    assert b"cannot be read" in run_raw_slices(raw_slices, tmp_path / "none.onnx", hu).stderr
    missing = str(tmp_path / "none.so")
    without = run_raw_slices(raw_slices, model, hu, RGAN_ONNXRUNTIME=missing)
    assert without.returncode == 1
    assert b"ONNX Runtime cannot be loaded" in without.stderr


@pytest.mark.parametrize("name", ["raw_slices", "bare_model"])
def test_a_part_of_a_slice(name, model, request):
    program = request.getfixturevalue(name)
    more = (1,) if name == "bare_model" else ()
    for rest in (3, 12):
        source = bytes(4 * 8 * 8 + rest)
        done = run(program, model, 8, 8, SPACING, *more, source=source)
        assert done.returncode == 1
        assert b"not a whole number of slices" in done.stderr


def run_stack(program, model, hu, folder, spacing=SPACING):
    hu.tofile(folder / "source.f32")
    files = (folder / "source.f32", folder / "harmonized.f32")
    return run(program, model, *hu.shape[1:], spacing, *files)


def test_stack(harmonize_stack, model, tmp_path):
    hu = slices()
    done = run_stack(harmonize_stack, model, hu, tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"[" + b"#" * 40 + b"] 3/3\n" in done.stderr
    assert (tmp_path / "harmonized.f32").read_bytes() == in_python(model, hu)


def test_stack_says_what_is_wrong(harmonize_stack, model, tmp_path):
    done = run_stack(harmonize_stack, model, slices(), tmp_path, spacing=5)
    assert done.returncode == 1
    assert b"not for 5 mm" in done.stderr
    missing = run(harmonize_stack, model, 8, 8, SPACING, tmp_path / "none", tmp_path / "out")
    assert missing.returncode == 1
    assert b"none" in missing.stderr
    (tmp_path / "cut").write_bytes(bytes(4 * 8 * 8 + 3))
    cut = run(harmonize_stack, model, 8, 8, SPACING, tmp_path / "cut", tmp_path / "out")
    assert cut.returncode == 1
    assert b"cut: not whole numbers" in cut.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_stack(harmonize_stack, number, tmp_path):
    network = tmp_path / "network.onnx"
    network.write_bytes(make_network(card=make_domain_card(multiple=2)).SerializeToString())
    size = 1024
    source, out = tmp_path / "source.f32", tmp_path / "out.f32"
    np.resize(np.arange(size, dtype=np.float32), (100, size, size)).tofile(source)
    program = subprocess.Popen(
        [harmonize_stack, network, str(size), str(size), str(SPACING), source, out],
        stderr=subprocess.PIPE,
        env={**os.environ, "RGAN_ONNXRUNTIME": str(runtime())},
    )
    assert program.stderr is not None
    said = b""
    while b" 1/100" not in said:  # the first slice is done
        said += program.stderr.read(1)
    program.send_signal(number)
    rest = program.communicate(timeout=60)[1]
    assert program.returncode == 130
    assert b"stopped, as the caller asked" in rest
    assert b" 100/100" not in rest
    assert not out.exists()


@pytest.mark.parametrize("multiple", [1, 16])
def test_bare_model(bare_model, multiple, tmp_path):
    model = tmp_path / "network.onnx"
    model.write_bytes(make_network(card=make_domain_card(multiple=multiple)).SerializeToString())
    hu = slices()
    done = run(bare_model, model, *hu.shape[1:], SPACING, multiple, source=hu.tobytes())
    assert done.returncode == 0, done.stderr
    assert done.stdout == in_python(model, hu)


def test_bare_model_says_what_is_wrong(bare_model, tmp_path):
    done = run(bare_model, tmp_path / "none.onnx", 8, 8, SPACING, 1)
    assert done.returncode == 1
    assert b"none.onnx: cannot be read" in done.stderr
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    assert run(bare_model, tmp_path / "bad.onnx", 8, 8, SPACING, 1).returncode == 1
