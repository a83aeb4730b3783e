"""Try an installed rgan-sdk, whose package is not the repository's. Needs an ONNX Runtime.

    PYTHON tests/packaging/smoke.py

runs the commands and the Python interface in an empty folder, with the Python that runs this
script, and exits with an error at the first thing that is wrong.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from importlib import metadata, resources
from pathlib import Path

import numpy as np

import rgan_sdk as rgan

REPOSITORY = Path(__file__).resolve().parents[2]
MODEL = "b40f-to-b70f"
SLICES = 4


def command(name: str, *arguments: str | Path) -> str:
    """Run a command of this installation, and return what it prints."""
    program = Path(sysconfig.get_path("scripts")) / name
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode != 0:
        raise SystemExit(f"{name} {arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def check_files() -> None:
    """The package is outside the repository, and whole."""
    package = Path(rgan.__file__).resolve().parent
    assert not package.is_relative_to(REPOSITORY), f"{package} is the repository's"
    for name in ("py.typed", "_core.pyi", "model_card.schema.json", "models/manifest.json"):
        assert resources.files("rgan_sdk").joinpath(name).is_file(), name
    assert resources.files("rgan_train").joinpath("py.typed").is_file()


def check_commands(folder: Path) -> None:
    """A synthetic series is written and harmonized, and the doctor finds nothing wrong."""
    version = metadata.version("rgan-sdk")
    for name in ("rgan-config", "rgan-harmonize", "rgan-train"):
        assert version in command(name, "--version")
    sample, output, report = folder / "sample", folder / "harmonized", folder / "report.json"
    command("rgan-harmonize", "sample", sample, "--slices", str(SLICES))
    command("rgan-harmonize", "run", sample, output, "--model", MODEL, "--report", report)
    assert json.loads(report.read_text())["summary"]["files"]["done"] == SLICES
    assert len(list(output.rglob("*.dcm"))) == SLICES
    command("rgan-harmonize", "doctor")


def check_c(folder: Path) -> None:
    """A program in C is compiled against the header and library of this installation."""
    source, program = folder / "version.c", folder / "version"
    source.write_text(
        "#include <rgan/rgan.h>\n#include <stdio.h>\n"
        "int main(void) { return puts(rgan_version()) < 0; }\n"
    )
    flags = shlex.split(command("rgan-config", "--includes", "--libs"))
    subprocess.run(["cc", source, "-o", program, *flags], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == metadata.version("rgan-sdk")
    assert (Path(command("rgan-config", "--cmakedir").strip()) / "rganConfig.cmake").is_file()


def check_python(folder: Path) -> None:
    """Slices in memory change inside the model's window only, and folders run from Python too."""
    hu = np.full((64, 64), -700, np.float32)
    hu[16:48, 16:48] = -500
    hu[:8] = -3024
    with rgan.Harmonizer.load(MODEL, device="cpu") as harmonizer:
        harmonized = harmonizer(hu, pixel_spacing=0.65)
        report = rgan.harmonize_directory(folder / "sample", folder / "again", harmonizer)
    assert (harmonized[:8] == hu[:8]).all()
    assert (harmonized[8:] != hu[8:]).any()
    assert report.summary["series"]["done"] == 1


def main() -> None:
    """Run all checks."""
    check_files()
    with tempfile.TemporaryDirectory() as folder:
        check_commands(Path(folder))
        check_c(Path(folder))
        check_python(Path(folder))
    where = f"Python {sys.version.split()[0]}, NumPy {np.__version__}"
    print(f"rgan-sdk {metadata.version('rgan-sdk')} works: {where}")


if __name__ == "__main__":
    main()
