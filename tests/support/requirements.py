"""Data sets and tools that a test may need: skip with a reason, or fail where strict."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

STRICT = os.environ.get("RGAN_STRICT") == "1"


def data_root() -> Path:
    """Return the folder of the unpacked data sets (``make data``)."""
    default = Path(__file__).parents[2] / ".data"
    return Path(os.environ.get("RGAN_DATA", default))


def require_data(name: str) -> Path:
    """Return the folder or file of a data set, or skip."""
    path = data_root() / name
    if not path.exists():
        _missing(f"data set {name} is not in {data_root()}; see docs/data.md and `make data`")
    return path


def require_tool(name: str) -> str:
    """Return the path of a command-line tool, or skip."""
    path = shutil.which(name)
    if path is None:
        _missing(f"{name} is not installed; ci/apt.txt names its Debian package")
    return path


def require_file(path: Path) -> None:
    """Skip unless a file of a Debian package is installed."""
    if not path.exists():
        _missing(f"{path} is not installed; ci/apt.txt names its Debian package")


def require_module(name: str, command: str) -> None:
    """Skip unless a package that the project can do without is installed."""
    if find_spec(name) is None:
        _missing(f"{name} is not installed; `{command}` installs it")


def _missing(reason: str) -> None:
    if STRICT:
        pytest.fail(f"RGAN_STRICT: {reason}")
    pytest.skip(reason)


def require_namespaces() -> None:
    """Skip unless this process may make namespaces of its own, as root may."""
    command = ("unshare", "--mount", "--net", "true")
    if subprocess.run(command, capture_output=True, check=False).returncode:
        _missing("mount and network namespaces cannot be made here; run the tests as root")
