"""The Python in the documentation runs as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

from support.requirements import require_module
from support.training import TINY

from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE
from rgan_train.pairs.csv import read_pairs, write_pairs
from rgan_train.training.run_folder import RunFolder

DOCS = Path(__file__).parents[2] / "docs"


def python_in(page):
    (code,) = re.findall(
        r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE
    )
    return code


def test_training_from_python(pairs_csv, tmp_path, monkeypatch):
    code = python_in("training.md")
    monkeypatch.chdir(tmp_path)
    write_pairs(read_pairs(pairs_csv), Path("pairs.csv"))
    lines = [assignment.partition("=") for assignment in (*TINY, "training.epochs=1")]
    values = {key: value if value[0] in "[0123456789" else f'"{value}"' for key, _, value in lines}
    Path("my.toml").write_text("".join(f"{key} = {value}\n" for key, value in values.items()))
    exec(code, {})
    assert RunFolder(Path("runs/first")).state("last").epoch == 1


def test_evaluation_from_python(pairs_csv, tmp_path):
    require_module("radiomics", "make eval-deps")
    write_pairs(read_pairs(pairs_csv), tmp_path / "pairs.csv")
    done = subprocess.run(
        [sys.executable, "-c", python_in("evaluation.md")],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("FeatureCount(features=")
    assert (tmp_path / "report" / "report.html").exists()


def test_pages_state_the_range_that_quality_is_measured_in():
    lower, upper = int(QUALITY_RANGE.lower), int(QUALITY_RANGE.upper)
    stated = f"clipped to [{lower}, {upper}]"
    pages = ("evaluation", "results/methods", "results/compact", "results/packaged-models")
    for page in (*pages, "results/first-run"):
        assert stated in (DOCS / f"{page}.md").read_text(), page
    width = f"{upper - lower:,}"
    assert f"a data range of {width} HU" in (DOCS / "evaluation.md").read_text()
