"""The SDK as CMake installs it, without Python, shared and static: found, linked, moved about."""

import os
import re
import shlex
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
from support.c_programs import (
    EXAMPLES,
    SPACING,
    build,
    build_example,
    cmake,
    configure,
    in_python,
    run,
    slices,
    small_model,
)
from support.requirements import require_tool

CPP_BINDINGS = EXAMPLES.parent / "cpp_bindings"
PROJECT = """cmake_minimum_required(VERSION 3.24)
project(program LANGUAGES {language})
find_package(rgan {version} CONFIG REQUIRED)
"""
PLUGIN = """add_library(plugin MODULE {source})
target_link_libraries(plugin PRIVATE rgan::rgan)
"""


class Install:
    """A prefix, and how the library was built."""

    def __init__(self, folder: Path, *, is_shared: bool):
        self.is_shared = is_shared
        first = folder / "first"
        settings = {"RGAN_PYTHON": "OFF", "CMAKE_INSTALL_LIBDIR": "lib"}
        settings["BUILD_SHARED_LIBS"] = "ON" if is_shared else "OFF"
        # Not optimized, which takes half the time. The bits are the same.
        build(CPP_BINDINGS, folder / "build", CMAKE_CXX_FLAGS="-O0", **settings)
        done = cmake("--install", folder / "build", "--prefix", first)
        assert done.returncode == 0, done.stderr
        self.prefix = first.rename(folder / "moved here")

    def flags(self) -> list[str]:
        """Return what pkg-config says that a C program needs."""
        whole = [] if self.is_shared else ["--static"]
        done = subprocess.run(
            [require_tool("pkg-config"), *whole, "--cflags", "--libs", "rgan"],
            env={**os.environ, "PKG_CONFIG_PATH": str(self.prefix / "lib/pkgconfig")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return shlex.split(done.stdout)


@pytest.fixture(scope="module", params=["shared", "static"])
def install(request, tmp_path_factory):
    return Install(tmp_path_factory.mktemp(request.param), is_shared=request.param == "shared")


def check_bits(program, folder, **variables):
    """Check that the example raw_slices gives the bits of Python."""
    model, hu = small_model(folder / "model.onnx"), slices()
    arguments = (model, *hu.shape[1:], SPACING)
    done = run(program, *arguments, source=hu.tobytes(), **variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout == in_python(model, hu)


def test_what_is_there(install):
    files = {path.relative_to(install.prefix).as_posix() for path in install.prefix.rglob("*.*")}
    library = {"lib/librgan.so", "lib/librgan.so.0"} if install.is_shared else {"lib/librgan.a"}
    cmake_files = {f for f in files if re.fullmatch(r"lib/cmake/rgan/rgan[\w-]+\.cmake", f)}
    assert {"lib/cmake/rgan/rganConfig.cmake"} < cmake_files
    headers = {"include/rgan/rgan.h", "include/rgan/rgan.hpp"}
    assert files - cmake_files == headers | library | {"lib/pkgconfig/rgan.pc"}
    told = [path for path in install.prefix.rglob("*.cmake") if "/first" in path.read_text()]
    assert told == []


def test_find_package(install, tmp_path):
    source = shutil.copytree(EXAMPLES / "c", tmp_path / "source")
    if not install.is_shared:
        text = (source / "CMakeLists.txt").read_text()
        (source / "CMakeLists.txt").write_text(text.replace("LANGUAGES C)", "LANGUAGES C CXX)"))
    build(source, tmp_path / "build", rgan_ROOT=install.prefix)
    check_bits(tmp_path / "build/raw_slices", tmp_path)


def test_cpp(install, tmp_path):
    build_example("cpp", tmp_path / "build", rgan_ROOT=install.prefix)
    assert b"usage" in run(tmp_path / "build/harmonize_stack").stderr


def test_pkg_config(install, tmp_path):
    program = tmp_path / "raw_slices"
    subprocess.run(
        ["gcc", EXAMPLES / "c/raw_slices.c", "-o", program, *install.flags()], check=True
    )
    check_bits(program, tmp_path, LD_LIBRARY_PATH=str(install.prefix / "lib"))


def test_a_plugin_hides_the_library_and_stays_loaded(install, tmp_path):
    source, plugin = EXAMPLES / "c/raw_slices.c", tmp_path / "plugin.so"
    subprocess.run(["gcc", "-shared", "-fPIC", source, "-o", plugin, *install.flags()], check=True)
    project = PROJECT.format(language="C CXX", version="") + PLUGIN.format(source=source)
    (tmp_path / "CMakeLists.txt").write_text(project)
    build(tmp_path, tmp_path / "build", rgan_ROOT=install.prefix)
    for built in (plugin, tmp_path / "build/libplugin.so"):
        assert "rgan" not in read(["nm", "--dynamic", "--defined-only"], built)
        holder = install.prefix / "lib/librgan.so.0" if install.is_shared else built
        assert "NODELETE" in read(["readelf", "--dynamic"], holder)


def read(command, path):
    """Return what a tool says of a library."""
    return subprocess.run([*command, path], capture_output=True, text=True, check=True).stdout


def find(tmp_path, install, language="C CXX", version=""):
    (tmp_path / "CMakeLists.txt").write_text(PROJECT.format(language=language, version=version))
    return configure(tmp_path, tmp_path / "build", rgan_ROOT=install.prefix)


def test_versions(install, tmp_path):
    version = metadata.version("rgan-sdk")
    major, minor, _ = version.split(".")
    assert find(tmp_path, install, version=f"{major}.{minor}").returncode == 0
    other = find(tmp_path, install, version=f"{major}.{int(minor) + 1}")
    assert other.returncode != 0
    said = " ".join(other.stderr.split())  # in other words by each release of CMake
    assert "compatible" in said
    assert f"rganConfig.cmake, version: {version}" in said


def test_a_project_in_c_alone(install, tmp_path):
    done = find(tmp_path, install, language="C")
    assert (done.returncode == 0) == install.is_shared
    assert ("enable the language CXX" in done.stderr) == (not install.is_shared)


def test_absolute_folders(tmp_path):
    folders = {"LIBDIR": tmp_path / "libraries", "INCLUDEDIR": tmp_path / "some/headers"}
    settings = {f"CMAKE_INSTALL_{name}": folder for name, folder in folders.items()}
    done = configure(CPP_BINDINGS, tmp_path / "build", RGAN_PYTHON="OFF", **settings)
    assert done.returncode == 0, done.stderr
    pc_file = (tmp_path / "build/rgan.pc").read_text()
    said = re.findall(r"^(?:lib|include)dir=[$]{pcfiledir}/(.*)$", pc_file, re.MULTILINE)
    found = [os.path.normpath(tmp_path / "libraries/pkgconfig" / path) for path in said]
    assert found == [str(folder) for folder in folders.values()]


def test_a_part_of_another_project(tmp_path):
    parent = f"project(parent LANGUAGES CXX)\nadd_subdirectory({CPP_BINDINGS} rgan)\n"
    (tmp_path / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.24)\n" + parent)
    done = configure(tmp_path, tmp_path / "build")
    assert done.returncode == 0, done.stderr
    assert "BUILD_SHARED_LIBS" not in (tmp_path / "build/CMakeCache.txt").read_text()
