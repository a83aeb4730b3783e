"""The examples run as they are, in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, folder: Path) -> str:
    """Run an example in a folder, and return what it prints."""
    program = sys.executable if name.endswith(".py") else "bash"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [program, EXAMPLES / name],
        cwd=folder,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def kernels(folder: Path) -> list[str]:
    """Return what the descriptions of the new slices say."""
    return [dcmread(path).SeriesDescription.split()[-1] for path in folder.rglob("*.dcm")]


def test_data_manager(tmp_path):
    output = run("data_manager.sh", tmp_path)
    assert "all done" in output
    assert kernels(tmp_path / "harmonized") == ["RGAN>B70f"] * 3
    assert (tmp_path / "report.json").is_file()
    assert len(list((tmp_path / "harmonized" / "previews").iterdir())) == 2


def test_physicist(tmp_path):
    output = run("physicist.sh", tmp_path)
    assert "a classifier tells the groups apart" in output
    assert kernels(tmp_path / "harmonized") == ["RGAN>B70f"] * 4
    for name in ("came-to-study.certificate.png", "report/report.html"):
        assert (tmp_path / name).is_file()


def test_engineer(tmp_path):
    output = run("engineer.py", tmp_path)
    assert ": done" in output
    assert ": skipped ConvolutionKernel (0018,1210) is B70f" in output
    assert output.count("in another process") == 2
    assert kernels(tmp_path / "harmonized") == ["RGAN>B70f"] * 3


def test_each_example_is_run_and_described():
    names = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".sh")}
    text = (EXAMPLES / "README.md").read_text()
    assert names == {"data_manager.sh", "physicist.sh", "engineer.py"}
    assert all(f"]({name})" in text for name in names)


@pytest.mark.parametrize("name", ["data_manager.sh", "physicist.sh"])
def test_own_scans_need_all_arguments(tmp_path, name):
    done = subprocess.run(
        ["bash", EXAMPLES / name, "scans"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode != 0
    assert not list(tmp_path.iterdir())
