"""rgan.hpp compiles strictly, can be in several files of a program, and does what it says."""

import shutil
import subprocess
from pathlib import Path

import pytest
from support.c_programs import SDK, STRICT, run
from support.librgan import library_path

from rgan_sdk.model import HarmonizationModel

SOURCES = Path(__file__).parents[2] / "cpp_bindings/tests"
MORE = ["-Wshadow", "-Wconversion", "-Wsign-conversion", "-Wold-style-cast"]


@pytest.fixture(params=["g++", "clang++"])
def compiler(request):
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


def compile_program(compiler, standard, *arguments):
    command = [compiler, f"-std={standard}", *STRICT.split(), f"-I{SDK / 'include'}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_its_own_test(compiler, tmp_path):
    program = tmp_path / "test_api"
    library = [library_path(), f"-Wl,-rpath,{SDK / 'lib'}", "-pthread"]
    done = compile_program(
        compiler, "c++20", *MORE, SOURCES / "test_api.cpp", "-o", program, *library
    )
    assert done.returncode == 0, done.stderr
    packaged = SOURCES.parents[1] / "rgan_sdk/models/b40f-to-b70f.onnx"
    assert HarmonizationModel.open(packaged).card.name == "b40f-to-b70f"
    ran = run(program, packaged)
    assert ran.returncode == 0, ran.stderr


def test_two_files_of_one_program(compiler, tmp_path):
    for name, rest in (("a", "int other();\nint main() { return other(); }"), ("b", "")):
        source = "#include <rgan/rgan.hpp>\nint {0}() {{ return rgan::version().empty(); }}\n"
        function = "other" if name == "b" else "own"
        (tmp_path / f"{name}.cpp").write_text(source.format(function) + rest)
    sources = [tmp_path / "a.cpp", tmp_path / "b.cpp"]
    program = tmp_path / "program"
    library = [library_path(), f"-Wl,-rpath,{SDK / 'lib'}"]
    done = compile_program(compiler, "c++20", *sources, "-o", program, *library)
    assert done.returncode == 0, done.stderr
    assert run(program).returncode == 0


def test_older_cpp_is_told_to_take_the_c_header(compiler, tmp_path):
    source = tmp_path / "old.cpp"
    source.write_text("#include <rgan/rgan.hpp>\n")
    done = compile_program(compiler, "c++17", "-fsyntax-only", source)
    assert done.returncode != 0
    assert "rgan.hpp needs C++20; rgan.h has all of it" in done.stderr
