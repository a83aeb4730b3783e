"""``rgan-config`` answers with what is there, and its examples run."""

import os
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.requirements import require_tool

from rgan_sdk.cli import config

BIN = Path(sys.executable).parent
PROGRAM = """#include <rgan/rgan.h>
#include <stdio.h>
int main(void) { puts(rgan_version()); }
"""
PROJECT = """cmake_minimum_required(VERSION 3.24)
project(program LANGUAGES C)
find_package(rgan CONFIG REQUIRED)
add_executable(program program.c)
target_link_libraries(program PRIVATE rgan::rgan)
"""


def run(*arguments):
    result = CliRunner(env={"COLUMNS": "80"}).invoke(config.main, arguments)
    assert result.exit_code == 0, result.output
    return result.output.strip()


def test_folders_and_files_are_there():
    assert (Path(run("--cmakedir")) / "rganConfig.cmake").is_file()
    assert (Path(run("--pkgconfigdir")) / "rgan.pc").is_file()
    assert Path(run("--onnxruntime")).is_file()
    assert Path(run("--openvino")).is_file()


def test_flags_are_answered_in_one_line():
    flags = shlex.split(run("--libs", "--includes"))
    assert [flag[:2] for flag in flags] == ["-I", "-L", "-l", "-W"]
    assert {path.name for path in Path(flags[0][2:], "rgan").iterdir()} == {"rgan.h", "rgan.hpp"}


def test_other_letters_are_not_quoted(monkeypatch):
    monkeypatch.setattr(config, "find_sdk", lambda: Path("/home/josé"))
    assert run("--includes") == "-I/home/josé/include"


def test_flags_are_quoted(monkeypatch):
    monkeypatch.setattr(config, "find_sdk", lambda: Path("/with space"))
    assert shlex.split(run("--includes", "--libs")) == [
        "-I/with space/include",
        "-L/with space/lib",
        "-l:librgan.so.0",
        "-Wl,-rpath,/with space/lib",
    ]


def test_without_options_it_helps():
    assert run() == run("--help")
    assert max(map(len, run().splitlines())) <= 80
    assert run("--version").endswith(metadata.version("rgan-sdk"))


@pytest.mark.parametrize(("package", "extra"), [("onnxruntime", "cpu"), ("openvino", "openvino")])
def test_a_runtime_is_not_installed(package, extra, monkeypatch):
    find = config.find_spec
    monkeypatch.setattr(config, "find_spec", lambda name: None if name == package else find(name))
    result = CliRunner().invoke(config.main, [f"--{package}"])
    assert result.exit_code == 1
    assert f"{package} is not installed: pip install 'rgan-sdk[{extra}]'" in result.output


def examples():
    return [line.strip() for line in run("--help").splitlines() if "$(rgan-config" in line]


def test_examples(tmp_path):
    require_tool("gcc")
    (tmp_path / "program.c").write_text(PROGRAM)
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)
    compile_it, configure, start = examples()
    commands = (compile_it, start, configure, "cmake --build build", "build/program")
    done = subprocess.run(
        " && ".join(commands),
        shell=True,
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == said[-1] == metadata.version("rgan-sdk")
