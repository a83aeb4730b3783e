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
from rgan_train.networks.window import HANDOVER
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
    """Run a recipe with small networks; modules in ``tools`` come before those installed."""
    require_module("radiomics", "make eval-deps")
    path = (str(tools), str(Path(sys.executable).parent), os.environ["PATH"])
    return subprocess.run(
        [RECIPES / name, *arguments],
        env={
            **os.environ,
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": str(tools),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_recipe_from_scans_to_an_evaluation_by_patient(tmp_path):
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
    assert (card.window.lower, card.window.upper) == (-1024 - HANDOVER, 2000 + HANDOVER)

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


def make_pair(number: int, patient: int) -> Pair:
    uids = f"1.{number}", "", f"2.{number}", f"3.{number}"
    return Pair(f"p{patient}", "B50f", "B30f", "", 4, 8, 8, *uids, *FOLDERS)


def try_split(folder: Path, pairs: list[Pair]) -> subprocess.CompletedProcess[str]:
    """Split pairs of B50f and B30f."""
    write_pairs(pairs, folder / "pairs.csv")
    command = [sys.executable, RECIPES / "split.py", folder / "pairs.csv", "b50f", "B30f", folder]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def split_into(folder: Path, pairs: list[Pair]) -> list[dict[str, str]]:
    """Split pairs, and return the rows of split.csv."""
    done = try_split(folder, pairs)
    assert done.returncode == 0, done.stderr
    return rows(folder / "split.csv")


def test_a_patient_who_came_twice_is_tested_once(tmp_path):
    """All pairs of a patient are in one part; only those of training are all used."""
    pairs = [make_pair(n, n // 2) for n in range(20)]
    other = replace(pairs[0], kernel_b="B80f")
    split = split_into(tmp_path, [*pairs, other])
    count = Counter(row["split"] for row in split)
    assert count == {"train": 2 * 6, "validation": 1, "test": 3}
    assert "B80f" not in {row["kernel_b"] for row in split}
    tested = {row["patient"] for row in split if row["split"] == "test"}
    assert {path.stem for path in tmp_path.glob("test/*.csv")} == tested


def test_an_earlier_split_leaves_no_lists(tmp_path):
    pairs = [make_pair(n, n) for n in range(30)]
    split_into(tmp_path, pairs[:10])
    earlier = {path.name for path in tmp_path.glob("test/*.csv")}
    split = split_into(tmp_path, pairs)
    tested = {f"{row['patient']}.csv" for row in split if row["split"] == "test"}
    assert earlier - tested
    assert {path.name for path in tmp_path.glob("test/*.csv")} == tested


def test_scans_of_other_kernels_are_told_by_their_kernels(tmp_path):
    other = [replace(make_pair(n, n), kernel_a="B70f", kernel_b="B31f") for n in range(9)]
    done = try_split(tmp_path, [*other, replace(make_pair(9, 9), kernel_a="B60f")])
    assert done.returncode == 1
    assert (
        "pairs.csv: no pair has the kernels b50f and B30f; the most frequent kernels there are "
        "B31f and B70f; B30f and B60f. Give scans with the kernels of the recipe"
    ) in done.stderr
    assert not (tmp_path / "split.csv").exists()


def test_a_recipe_says_that_it_needs_three_patients(tmp_path):
    done = try_split(tmp_path, [make_pair(n, n // 2) for n in range(4)])
    assert done.returncode == 1
    assert "pairs of b50f and B30f: of 2 patients, and a recipe needs 3" in done.stderr
    assert "--set" not in done.stderr


def test_the_table_has_the_patients_of_the_lists(tmp_path):
    quality = {"input": {name: {"mean": 1.0} for name in ("psnr_db", "ssim", "mae_hu")}}
    report = {"methods": ["input"], "agreement": [], "quality": quality, "slices": 4}
    for patient in ("p.1", "p.2"):
        (tmp_path / patient).mkdir()
        (tmp_path / patient / "results.json").write_text(json.dumps(report))
    write_pairs([make_pair(2, 2)], tmp_path / "p.2.csv")
    table = tmp_path / "by-patient" / "table.csv"
    table.parent.mkdir()
    subprocess.run([sys.executable, RECIPES / "table.py", tmp_path, table], check=True)
    assert [row["patient"] for row in rows(table)] == ["p.2"]


def test_a_model_of_an_earlier_split_is_not_tested(tmp_path):
    (tmp_path / "b50f-to-b30f.onnx").touch()
    done = run("siemens-b50f-to-b30f.sh", tmp_path, tmp_path / "scans", tools=tmp_path)
    assert done.returncode == 1
    assert "has a model of an earlier split" in done.stderr


def test_a_missing_package_is_told_before_the_download(tmp_path):
    (tmp_path / "rgan-train").write_text("#!/bin/sh\necho begun\n")
    (tmp_path / "rgan-train").chmod(0o755)
    (tmp_path / "radiomics.py").write_text("raise ImportError\n")
    done = run("siemens-b50f-to-b30f.sh", tmp_path / "work", tools=tmp_path)
    assert done.returncode == 1
    assert "Error: pyradiomics is not installed; `make eval-deps` installs it" in done.stderr
    assert "begun" not in done.stdout


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
