"""The README's snippets run, word for word, on small stand-ins for the user's files."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rgan_sdk.dicom.synthetic.sample import write_sample_series

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

TINY = """
[generator]
encoder = "none"
widths = [4, 8]
stem_channels = 4
output = "residual"
[discriminator]
channels = 4
strided_layers = 1
[training]
epochs = 1
steps_per_epoch = 2
batch_size = 1
crop = 32
[curriculum]
schedule = "none"
[data]
name = "synthetic"
licence = "CC0-1.0"
citation = "made for the test"
"""


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def workplace(tmp_path):
    """A folder with scans of two kernels and a training configuration."""
    for kernel in ("B40f", "B70f"):
        write_sample_series(tmp_path / "scans" / kernel, kernel, slices=12, size=64)
    (tmp_path / "train.toml").write_text(TINY)
    return tmp_path


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("snippet", snippets("bash"))
def test_commands(snippet, workplace):
    shutil.rmtree(workplace / "harmonized", ignore_errors=True)
    run(["bash", "-euo", "pipefail", "-c", snippet], workplace)
    if "rgan-harmonize run" in snippet:
        assert len(list((workplace / "harmonized").rglob("*.dcm"))) == 12


@pytest.mark.parametrize("snippet", snippets("python"))
def test_python(snippet, workplace):
    done = run([sys.executable, "-c", snippet], workplace)
    assert done.stdout.startswith("(4, 512, 512) {'series': {'done': 1, 'skipped': 1, 'failed': 0}")


def test_there_are_snippets():
    assert len(snippets("bash")) == 2
    assert len(snippets("python")) == 1


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
