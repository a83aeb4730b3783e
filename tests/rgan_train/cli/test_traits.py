"""``rgan-train traits``: from a table to counts and a figure."""

import json
import subprocess
import sys

import numpy as np
import pytest
from support.training import train

NAMES = ("original_glcm_Contrast", "original_firstorder_Mean")
SOURCE_AND_TARGET = ("source", "target")


def write_table(path, cases=6, variants=SOURCE_AND_TARGET):
    """One feature differs between the groups; the source has it mixed up."""
    rng = np.random.default_rng(0)
    lines = [",".join(("case", "label", "variant", *NAMES))]
    for case in range(2 * cases):
        label = ("benign", "malignant")[case % 2]
        for variant in variants:
            contrast = rng.normal() + 10 * (case % 2) * (variant != "source")
            lines.append(f"CANARY{case},{label},{variant},{contrast},{rng.normal()}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table(tmp_path):
    table = write_table(tmp_path / "features.csv", variants=("target", "source", "mine"))
    done = train("traits", table, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "6 benign and 6 malignant cases, 2 features" in done.output
    assert "source: 0 separate; 0 of the target's 1 and 0 that should not" in done.output
    assert "mine: 1 separate; 1 of the target's 1 and 0 that should not" in done.output
    assert "target: 1 separate\n" in done.output
    assert "no clinical claim" in done.output
    assert "note" not in done.output
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert sorted(written) == ["traits.csv", "traits.json", "traits.png"]
    assert "no clinical claim" in json.loads(written["traits.json"])["note"]
    assert not any(b"CANARY" in content for content in written.values())


def test_notes(tmp_path):
    table = write_table(tmp_path / "features.csv", 4)
    with table.open("a") as file:
        file.write("more,benign,target,1,2\n")
    done = train("traits", table, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "note: 1 cases without every variant left out" in done.output
    assert "p is 0.029 or more, so none counts unless 2 of the 2 separate" in done.output
    done = train("traits", table, "-o", tmp_path / "out", "--fdr", "0.1")
    assert "none counts" not in done.output


@pytest.mark.parametrize(
    ("cases", "variants", "more", "code", "reason"),
    [
        (3, SOURCE_AND_TARGET, [], 1, "3 benign and 3 malignant case(s) are too few"),
        (6, ("source", "mine"), [], 1, "the column variant needs 'target'"),
        (6, SOURCE_AND_TARGET, ["--fdr", "0"], 2, "--fdr"),
        (6, SOURCE_AND_TARGET, ["--fdr", "1"], 2, "--fdr"),
    ],
)
def test_refusals(tmp_path, cases, variants, more, code, reason):
    table = write_table(tmp_path / "features.csv", cases, variants)
    done = train("traits", table, "-o", tmp_path / "out", *more)
    assert done.exit_code == code
    assert reason in done.stderr
    assert "CANARY" not in done.output
    assert not (tmp_path / "out").exists()


def test_no_table(tmp_path):
    assert train("traits", tmp_path / "nowhere.csv", "-o", tmp_path).exit_code == 2


def test_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr("rgan_train.cli.extra.EVALUATION", ("no_such_scipy",))
    done = train("traits", write_table(tmp_path / "features.csv"), "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "pip install 'rgan-sdk[eval]'" in done.stderr


def test_importing_is_light():
    code = (
        "import sys, rgan_train.cli.traits\n"
        "from rgan_train.evaluation.metrics import combat\n"
        "from rgan_train.evaluation.traits import traits\n"
        "assert not {'torch', 'matplotlib', 'scipy', 'pydicom'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
