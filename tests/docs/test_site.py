"""The documentation is whole, and the tutorials run word for word. `make docs` checks the links."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread

import rgan_sdk

DOCS = Path(__file__).parents[2] / "docs"
ROLES = ("data-manager", "physicist", "engineer")


def run_tutorial(role: str, folder: Path) -> str:
    """Run all commands and programs of a tutorial, and return what they print."""
    text = (DOCS / "tutorials" / f"{role}.md").read_text()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    printed = ""
    for language, snippet in re.findall(
        r"^```(bash|python)\n(.*?)^```", text, re.MULTILINE | re.DOTALL
    ):
        program = ["bash", "-euc"] if language == "bash" else [sys.executable, "-c"]
        done = subprocess.run(
            [*program, snippet],
            cwd=folder,
            env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, snippet + done.stdout + done.stderr
        printed += done.stdout
    return printed


def harmonized_slices(folder: Path) -> int:
    paths = (folder / "harmonized").rglob("*.dcm")
    return sum(dcmread(path).SeriesDescription.endswith("RGAN>B70f") for path in paths)


@pytest.mark.slow
def test_data_manager(tmp_path):
    printed = run_tutorial("data-manager", tmp_path)
    assert printed.count("series: 1 done, 1 skipped, 0 failed") == 2
    assert harmonized_slices(tmp_path) == 4


@pytest.mark.slow
def test_physicist(tmp_path):
    printed = run_tutorial("physicist", tmp_path)
    assert "halves of both groups differ by" in printed
    assert "a classifier tells the groups apart" in printed
    assert harmonized_slices(tmp_path) == 6
    assert (tmp_path / "report" / "report.html").is_file()


@pytest.mark.slow
def test_engineer(tmp_path):
    printed = run_tutorial("engineer", tmp_path)
    assert printed.count("(2, 128, 128)") == 1
    assert "ConvolutionKernel (0018,1210) is B40f" in printed
    assert "'done': 1, 'skipped': 0, 'failed': 0" in printed
    assert harmonized_slices(tmp_path) == 3


def test_each_role_has_a_tutorial():
    assert {path.stem for path in (DOCS / "tutorials").iterdir()} == set(ROLES)


def test_each_public_name_is_described_once():
    page = (DOCS / "reference" / "python-api.md").read_text()
    assert (
        sorted(re.findall(r"^\.\. auto\w+:: rgan_sdk\.(\w+)$", page, re.MULTILINE))
        == rgan_sdk.__all__
    )


def test_each_result_is_in_the_list():
    pages = {path.name for path in (DOCS / "results").glob("*.md")} - {"index.md"}
    assert pages == set(re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / "results/index.md").read_text()))
