"""``rgan-config``: where the headers and the library for C and C++ are."""

from __future__ import annotations

import shlex
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import click

from rgan_sdk.cli.options import NOT_INSTALLED

EPILOG = """\b
Compile a program:
  gcc program.c $(rgan-config --includes --libs) -o program
\b
With CMake, in a project that calls find_package(rgan CONFIG REQUIRED):
  cmake -S . -B build -Drgan_DIR=$(rgan-config --cmakedir)
\b
Run it with the ONNX Runtime of this Python:
  RGAN_ONNXRUNTIME=$(rgan-config --onnxruntime) ./program"""


@click.command(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--includes", is_flag=True, help="Flags for the compiler.")
@click.option("--libs", is_flag=True, help="Flags for the linker, with the path for the loader.")
@click.option("--cmakedir", is_flag=True, help="Folder of the CMake package, for rgan_DIR.")
@click.option("--pkgconfigdir", is_flag=True, help="Folder of rgan.pc, for PKG_CONFIG_PATH.")
@click.option("--onnxruntime", is_flag=True, help="Library in the package of ONNX Runtime.")
@click.option("--openvino", is_flag=True, help="Library in the package of OpenVINO.")
@click.version_option(metadata.version("rgan-sdk"), prog_name="rgan-config")
@click.pass_context
def main(
    context: click.Context,
    *,
    includes: bool,
    libs: bool,
    cmakedir: bool,
    pkgconfigdir: bool,
    onnxruntime: bool,
    openvino: bool,
) -> None:
    """Print what a build needs to use rgan from C or C++.

    Several options are answered in one line.
    """
    lib = find_sdk() / "lib"
    answers = (
        (includes, compiler_flags),
        (libs, linker_flags),
        (cmakedir, lambda lib: str(lib / "cmake" / "rgan")),
        (pkgconfigdir, lambda lib: str(lib / "pkgconfig")),
        (onnxruntime, lambda _: find_runtime("onnxruntime", "capi/libonnxruntime.so.*", "cpu")),
        (openvino, lambda _: find_runtime("openvino", "libs/libopenvino_c.so.*", "openvino")),
    )
    asked_for = [answer(lib) for is_asked_for, answer in answers if is_asked_for]
    click.echo(" ".join(asked_for) or context.get_help())


def find_sdk() -> Path:
    """Return the folder that holds ``include`` and ``lib``.

    It is where the native module is: in an editable installation, not where the Python files are.
    """
    core = find_spec("rgan_sdk._core")
    assert core is not None
    assert core.origin is not None
    return Path(core.origin).parent


def compiler_flags(lib: Path) -> str:
    """Return what a compiler needs to find the headers, quoted for a shell."""
    return _quote(f"-I{lib.parent / 'include'}")


def linker_flags(lib: Path) -> str:
    """Return what a program needs to find the library, when linked and when run."""
    # A wheel holds no links, so that the linker needs the whole name of the library.
    flags = (f"-L{lib}", "-l:librgan.so.0", f"-Wl,-rpath,{lib}")
    return " ".join(map(_quote, flags))


def _quote(flag: str) -> str:
    """Quote what holds blanks. A shell takes no notice of quotes in ``$(...)``, so only these."""
    return shlex.quote(flag) if any(map(str.isspace, flag)) else flag


def find_runtime(package: str, pattern: str, extra: str) -> str:
    """Return the path of a library in an installed package, without importing it."""
    found = find_spec(package)
    folders = (found and found.submodule_search_locations) or []
    libraries = [str(path) for folder in folders for path in Path(folder).glob(pattern)]
    if not libraries:
        raise click.ClickException(f"{package}{NOT_INSTALLED}: pip install 'rgan-sdk[{extra}]'")
    return libraries[0]
