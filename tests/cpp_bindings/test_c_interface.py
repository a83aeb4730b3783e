"""The header, the names that the library shows, and the errors of its C interface."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest
from support.librgan import LIBRARY, Card, Engine, LibraryError, Model, check, library_path
from support.models import make_card, make_domain_card, make_model

import rgan_sdk

HEADER = Path(rgan_sdk.__file__).parents[1] / "cpp_bindings/include/rgan/rgan.h"
SYMBOLS = HEADER.parents[2] / "rgan.symbols"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]


@pytest.mark.parametrize(
    ("language", "standard"), [("c", "c99"), ("c", "c11"), ("c++", "c++17"), ("c++", "c++20")]
)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_header_compiles_alone(compiler, language, standard, tmp_path):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    source = tmp_path / "alone.c"
    source.write_text(
        f'#include "{HEADER}"\n'
        "rgan_card card = RGAN_CARD_INIT;\n"
        "rgan_engine_options engine = RGAN_ENGINE_OPTIONS_INIT;\n"
        "rgan_harmonize_options options = RGAN_HARMONIZE_OPTIONS_INIT;\n"
        "rgan_stored_format format = RGAN_STORED_FORMAT_INIT;\n"
        "rgan_slice_header header = RGAN_SLICE_HEADER_INIT;\n"
    )
    command = [compiler, "-x", language, f"-std={standard}", *STRICT, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_only_the_listed_symbols_are_visible():
    found = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--format=posix", library_path()],
        capture_output=True,
        text=True,
        check=True,
    )
    names = sorted(line.split()[0] for line in found.stdout.splitlines())
    assert names == SYMBOLS.read_text().split(), f"if this is meant, write them to {SYMBOLS.name}"


def test_soname():
    found = subprocess.run(
        ["readelf", "--dynamic", library_path()], capture_output=True, text=True, check=True
    )
    assert "SONAME" in found.stdout
    assert "[librgan.so.0]" in found.stdout


def test_version():
    from importlib.metadata import version

    assert LIBRARY.rgan_version().decode() == version("rgan-sdk")
    assert LIBRARY.rgan_abi_version() == 0


def test_release_accepts_null():
    for name in ("model", "engine", "stop", "headers", "batch"):
        getattr(LIBRARY, f"rgan_{name}_release")(None)


@pytest.fixture
def model():
    with Model(make_model(make_domain_card()).SerializeToString()) as opened:
        yield opened


def test_card_fields(model):
    card = model.card()
    assert card.format == 2
    assert card.name == b"test-blur"
    assert card.version == b"1.2.3"
    assert card.precision == b"fp32"
    assert card.source_kernels[: card.source_kernel_count] == [b"B40f"]
    assert card.target_kernel == b"B70f"
    assert (card.window_lower, card.window_upper) == (-1024, 1000)
    assert (card.pixel_spacing_min, card.pixel_spacing_max) == (0.6, 0.9)
    assert card.pixel_spacing_reference == 0.7
    assert LIBRARY.rgan_model_card_json(model.pointer).decode() == make_domain_card().to_json()


def test_format_1_states_no_pixel_spacing():
    with Model(make_model(make_card()).SerializeToString()) as model:
        card = model.card()
    assert card.format == 1
    assert card.pixel_spacing_min == card.pixel_spacing_max == card.pixel_spacing_reference == 0


def test_a_structure_of_another_size(model):
    card = Card(ctypes.sizeof(Card) - 8)
    with pytest.raises(LibraryError, match=r"INVALID_ARGUMENT.*set size to sizeof\(rgan_card\)"):
        check(LIBRARY.rgan_model_card(model.pointer, ctypes.byref(card)))


def test_hash_of_a_file(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(make_model().SerializeToString())
    expected = rgan_sdk.HarmonizationModel.open(path).sha256
    with Model(path, sha256=expected) as model:
        assert LIBRARY.rgan_model_sha256(model.pointer).decode() == expected
    with pytest.raises(LibraryError, match=r"MODEL_FORMAT: .*model.onnx: sha256 is .*get it again"):
        Model(path, sha256="0" * 64)
    for wrong in ("", "abc", expected + "\n", "g" * 64):
        with pytest.raises(LibraryError, match=r"INVALID_ARGUMENT: .*64 hexadecimal digits"):
            Model(path, sha256=wrong)


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])
def test_hash_of_any_length(length):
    import hashlib

    # Not a model, but its hash is not looked at before that is found; so a model with a tail.
    content = make_model().SerializeToString()
    tail = bytes([0x32, *_varint(length)]) + b"x" * length  # doc_string
    with Model(content + tail) as model:
        found = LIBRARY.rgan_model_sha256(model.pointer).decode()
    assert found == hashlib.sha256(content + tail).hexdigest()


def _varint(value):
    return [value] if value < 128 else [value & 127 | 128, *_varint(value >> 7)]


def test_no_such_file(tmp_path):
    with pytest.raises(LibraryError, match=r"NOT_FOUND: .*none.onnx: the model cannot be read"):
        Model(tmp_path / "none.onnx")
    with pytest.raises(LibraryError, match="NOT_FOUND"):
        Model(tmp_path)


def test_no_runtime(model, tmp_path):
    missing = str(tmp_path / "libonnxruntime.so").encode()
    with pytest.raises(LibraryError, match=r"ENGINE_UNAVAILABLE.*RGAN_ONNXRUNTIME"):
        Engine(model, runtime=missing)


def test_a_library_that_is_no_runtime(model):
    with pytest.raises(LibraryError, match=r"ENGINE_UNAVAILABLE.*not ONNX Runtime"):
        Engine(model, runtime=str(library_path()).encode())


def test_errors_belong_to_their_thread(model, tmp_path):
    import threading

    with pytest.raises(LibraryError):
        Engine(model, runtime=b"/nowhere/lib.so")
    texts = []
    other = threading.Thread(target=lambda: texts.append(LIBRARY.rgan_last_error()))
    other.start()
    other.join()
    assert texts == [b""]
    assert b"nowhere" in LIBRARY.rgan_last_error()
