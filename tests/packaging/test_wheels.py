"""What `make wheels` does, for the Python that runs the tests: it takes some minutes."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from support.requirements import require_module

SCRIPT = Path(__file__).with_name("wheels.sh")
DATA = {
    ".py",
    ".pyi",
    ".so",
    ".0",
    ".h",
    ".hpp",
    ".cmake",
    ".pc",
    ".typed",
    ".json",
    ".onnx",
    ".toml",
    ".html",
    ".css",
    ".js",
}


def run(folder: Path, *pythons: str) -> subprocess.CompletedProcess[str]:
    require_module("auditwheel", "pip install --group wheels")
    tools = Path(sys.executable).parent
    return subprocess.run(
        [SCRIPT, tools, folder, *pythons],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """Give the folder of an sdist and of a wheel made from it, which was installed and tried."""
    folder = tmp_path_factory.mktemp("dist")
    done = run(folder, sys.executable, "python3.0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left out: python3.0 cannot be run" in done.stdout
    assert "rgan-sdk 0.1.0 works: Python 3." in done.stdout
    return folder


@pytest.mark.slow
def test_the_wheel_holds_the_packages_and_nothing_else(dist):
    (wheel,) = dist.glob("*.whl")
    assert "-manylinux_2_" in wheel.name
    entries = zipfile.ZipFile(wheel).infolist()
    names = [Path(entry.filename) for entry in entries if not entry.is_dir()]
    tops = {name.parts[0] for name in names}
    assert tops == {"rgan_sdk", "rgan_train", "rgan_sdk-0.1.0.dist-info"}
    in_packages = [name for name in names if name.parts[0] in ("rgan_sdk", "rgan_train")]
    assert {name.suffix for name in in_packages} == DATA
    assert [name.parent for name in names if name.suffix == ".so"] == [Path("rgan_sdk")]


@pytest.mark.slow
def test_the_sdist_holds_sources_tests_and_docs(dist):
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        tops = {Path(name).parts[1] for name in archive.getnames()}
    assert {"cpp_bindings", "docs", "pyproject.toml", "rgan_sdk", "rgan_train", "tests"} <= tops
    assert not {".ci", ".data", ".git", ".venv", "build", "dist"} & tops


@pytest.mark.slow
def test_no_python_is_an_error(tmp_path):
    done = run(tmp_path / "dist", "python3.0")
    assert done.returncode == 1
    assert "no wheel was tried" in done.stderr
