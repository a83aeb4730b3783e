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
    assert {row["patients"] for row in rows(work / "by-feature.csv")} == {f"{len(tested)}"}

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
    assert "2 patients have pairs of b50f and B30f, and a recipe needs 3" in done.stderr
    assert "--set" not in done.stderr


def write_evaluation(folder: Path, patient: str, ccc: dict[str, str], listed: bool = True) -> None:
    """Write what the tables take from the report of a patient: the CCC of a model's features."""
    methods = ["input", "model"]
    quality = {name: {"mean": 1.0} for name in ("psnr_db", "ssim", "mae_hu")}
    report = {"methods": methods, "agreement": [], "quality": dict.fromkeys(methods, quality)}
    (folder / patient).mkdir(parents=True, exist_ok=True)
    (folder / patient / "results.json").write_text(json.dumps({**report, "slices": 4}))
    (folder / patient / "report.html").touch()
    agreement = ["group,method,feature,ccc"]
    for feature, value in ccc.items():
        for method, found in (("input", "0.1"), ("model", value), ("control", "0.9")):
            agreement.append(f"lung,{method},{feature},{found}")
    (folder / patient / "agreement.csv").write_text("\n".join(agreement))
    if listed:
        write_list(folder, patient)


def write_list(folder: Path, patient: str) -> None:
    write_pairs([replace(make_pair(1, 1), patient=patient)], folder / f"{patient}.csv")


def tabulate(folder: Path) -> subprocess.CompletedProcess[str]:
    """Put the reports of a folder together."""
    tables = folder / "patients.table", folder / "features.table"
    command = [sys.executable, RECIPES / "table.py", folder, *tables]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_table_has_the_patients_of_the_lists(tmp_path):
    write_evaluation(tmp_path, "p.1", {"mean": "0.9"}, listed=False)
    write_evaluation(tmp_path, "p.2", {"mean": "0.9"})
    done = tabulate(tmp_path)
    assert done.returncode == 0, done.stderr
    assert {row["patient"] for row in rows(tmp_path / "patients.table")} == {"p.2"}
    assert "model, psnr_db: 1 (1 to 1), 1 of 1 patients" in done.stdout


def test_the_table_counts_the_patients_in_whom_a_feature_is_reproducible(tmp_path):
    """A feature with no CCC is not reproducible; 9 of 10 patients are enough, 8 are not."""
    for number in range(10):
        values = {
            "always": "0.86",
            "often": "0.86" if number else "0.85",
            "sometimes": "0.86" if number > 1 else "",
        }
        write_evaluation(tmp_path, f"p{number}", values)
    done = tabulate(tmp_path)
    assert done.returncode == 0, done.stderr
    counts = {
        (row["method"], row["feature"]): (row["reproducible_in"], row["patients"])
        for row in rows(tmp_path / "features.table")
    }
    assert counts == {
        **{("input", feature): ("0", "10") for feature in values},
        ("model", "always"): ("10", "10"),
        ("model", "often"): ("9", "10"),
        ("model", "sometimes"): ("8", "10"),
    }
    assert (
        "model, lung: 2 of 3 features have a CCC above 0.85 in at least 90% of the patients "
        "(10 of 10 patients)"
    ) in done.stdout


def test_the_table_names_patients_without_a_report(tmp_path):
    write_evaluation(tmp_path, "p1", {"mean": "0.9"})
    write_list(tmp_path, "p2")
    done = tabulate(tmp_path)
    assert done.returncode == 1
    assert "1 of 2 patients have no report: p2." in done.stderr
    assert "model, psnr_db: 1 (1 to 1), 1 of 2 patients" in done.stdout
    assert {row["patient"] for row in rows(tmp_path / "patients.table")} == {"p1"}


def test_a_model_of_an_earlier_split_is_not_tested(tmp_path):
    (tmp_path / "b50f-to-b30f.onnx").touch()
    done = run("siemens-b50f-to-b30f.sh", tmp_path, tmp_path / "scans", tools=tmp_path)
    assert done.returncode == 1
    assert "has a model of an earlier split" in done.stderr


FAKE_TRAIN = """#!/bin/sh
echo "$2" >> "$0.log"
case $2 in */p1.csv) exit ${FAILS};; esac
mkdir -p "${2%.csv}"
cp "$0.report"/* "${2%.csv}"
"""


def evaluate_three(folder: Path, status: int) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run a recipe whose model is there; the report of the first of three patients fails."""
    work, tools, test = folder / "work", folder / "tools", folder / "work" / "test"
    write_evaluation(tools, "rgan-train.report", {"mean": "0.9"}, listed=False)
    (tools / "rgan-train").write_text(FAKE_TRAIN.replace("${FAILS}", str(status)))
    (tools / "rgan-train").chmod(0o755)
    for patient in ("p1", "p2", "p3"):
        write_list(test, patient)
    (work / "split.csv").touch()
    (work / "b50f-to-b30f.onnx").touch()
    done = run("siemens-b50f-to-b30f.sh", work, folder / "scans", tools=tools)
    tried = (tools / "rgan-train.log").read_text().splitlines()
    return done, [Path(path).stem for path in tried]


def test_a_patient_whose_evaluation_fails_does_not_stop_the_others(tmp_path):
    done, tried = evaluate_three(tmp_path, status=1)
    assert tried == ["p1", "p2", "p3"]
    assert done.returncode == 1
    assert "1 of 3 patients have no report: p1." in done.stderr
    assert {row["patient"] for row in rows(tmp_path / "work/by-patient.csv")} == {"p2", "p3"}


def test_reports_of_an_earlier_model_are_made_again(tmp_path):
    evaluate_three(tmp_path, status=1)
    write_evaluation(tmp_path / "work/test", "p1", {"mean": "0.9"})
    done, tried = evaluate_three(tmp_path, status=1)
    assert tried[3:] == ["p1", "p2", "p3"]
    assert "1 of 3 patients have no report: p1." in done.stderr


def test_ctrl_c_stops_all_evaluations(tmp_path):
    done, tried = evaluate_three(tmp_path, status=130)
    assert (done.returncode, tried) == (130, ["p1"])


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
