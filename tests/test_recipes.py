"""A recipe for public scans runs from simulated scans to the evaluation of each test patient."""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from support.examples import check_options
from support.requirements import require_module
from support.snippets import write_smaller

from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_sdk.kernels.mtf import KernelMTF
from rgan_sdk.model import HarmonizationModel
from rgan_train.pairs.csv import write_pairs
from rgan_train.pairs.find import Pair
from rgan_train.pairs.splits import PARTS
from rgan_train.simulation.series import KernelChange, open_series, simulate_series

RECIPES = Path(__file__).parents[1] / "recipes"
NAMES = sorted(path.name for path in RECIPES.glob("*-to-*.sh"))
PATIENTS = 6
SLICES = 4
FOLDERS = Path("/scans/a"), Path("/scans/b")
SHARP, SOFT = KernelMTF(5.5, 8.5), KernelMTF(3, 6)


def write_patients(folder: Path) -> None:
    """Write scans of several patients, each with pixels of its own size, and simulate B30f."""
    for number in range(PATIENTS):
        sharp = folder / f"{number}" / "sharp"
        spacing = 3.5 + 0.1 * number
        for path in write_sample_series(
            sharp, "B50f", slices=SLICES, size=96, seed=number, pixel_spacing=spacing
        ):
            slice_ = dcmread(path)
            slice_.PatientID = f"patient {number}"
            slice_.save_as(path)
        change = KernelChange(SHARP, SOFT, "B30f")
        simulate_series(open_series(sharp), folder / f"{number}" / "soft", change)


def run(name: str, *arguments: Path, tools: Path) -> subprocess.CompletedProcess[str]:
    """Run a recipe with small networks."""
    path = (str(tools), str(Path(sys.executable).parent), os.environ["PATH"])
    return subprocess.run(
        [RECIPES / name, *arguments],
        env={**os.environ, "PATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_recipe_from_scans_to_an_evaluation_by_patient(tmp_path):
    require_module("radiomics", "make eval-deps")
    scans, work, tools = tmp_path / "scans", tmp_path / "work", tmp_path / "tools"
    write_patients(scans)
    tools.mkdir()
    write_smaller(tools)
    done = run("siemens-b50f-to-b30f.sh", work, scans, tools=tools)
    assert done.returncode == 0, done.stdout + done.stderr

    split = rows(work / "split.csv")
    part_of = {row["patient"]: row["split"] for row in split}
    assert len(part_of) == PATIENTS
    assert {(row["patient"], row["split"]) for row in split} == set(part_of.items())
    counts = Counter(row["split"] for row in split)
    assert set(counts) == set(PARTS)
    provenance = json.loads((work / "run" / "provenance.json").read_text())
    assert provenance["slices"] == {part: SLICES * counts[part] for part in PARTS}
    tested = sorted(patient for patient, part in part_of.items() if part == "test")

    card = HarmonizationModel.open(work / "b50f-to-b30f.onnx").card
    assert (card.source_kernels, card.target_kernel) == (("B50f",), "B30f")
    assert card.training_data[0].licence == "CC BY 4.0"

    assert [path.parent.name for path in sorted(work.glob("test/*/report.html"))] == tested
    table = rows(work / "by-patient.csv")
    assert [(row["patient"], row["method"]) for row in table] == [
        (patient, method) for patient in tested for method in ("input", "model")
    ]
    assert all(float(row["psnr_db"]) > 0 for row in table)
    assert "model, reproducible: " in done.stdout

    again = run("siemens-b50f-to-b30f.sh", work, scans, tools=tools)
    assert again.returncode == 0, again.stdout + again.stderr
    assert rows(work / "by-patient.csv") == table
    assert "epoch" not in again.stdout


def test_a_patient_who_came_twice_is_tested_once(tmp_path):
    """All pairs of a patient are in one part; only those of training are all used."""
    pairs = [
        Pair(f"p{n // 2}", "B50f", "B30f", "", 4, 8, 8, f"1.{n}", "", f"2.{n}", f"3.{n}", *FOLDERS)
        for n in range(20)
    ]
    other = replace(pairs[0], kernel_b="B80f")
    write_pairs([*pairs, other], tmp_path / "pairs.csv")
    command = [
        sys.executable,
        RECIPES / "split.py",
        tmp_path / "pairs.csv",
        "b50f",
        "B30f",
        tmp_path,
    ]
    subprocess.run(command, check=True)
    split = rows(tmp_path / "split.csv")
    count = Counter(row["split"] for row in split)
    assert count == {"train": 2 * 6, "validation": 1, "test": 3}
    assert "B80f" not in {row["kernel_b"] for row in split}
    tested = {row["patient"] for row in split if row["split"] == "test"}
    assert {path.stem for path in tmp_path.glob("test/*.csv")} == tested


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_begins_with_a_download(name, tmp_path):
    """Its command is one that `rgan-train` knows, and where it fails the recipe ends."""
    (tmp_path / "rgan-train").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 1\n')
    (tmp_path / "rgan-train").chmod(0o755)
    done = run(name, tmp_path / "work", tools=tmp_path)
    words = done.stdout.splitlines()
    assert done.returncode == 1, done.stderr
    assert words[0] == "public-pairs"
    check_options(["rgan-train", *words])
    source, target = words[words.index("--kernels") + 1].split(",")
    assert name.endswith(f"{source}-to-{target}.sh".lower())
