"""The Python in the documentation runs as it stands."""

import re
from pathlib import Path

from support.requirements import require_module
from support.training import TINY

from rgan_train.checkpoint import RunFolder
from rgan_train.pairs_csv import read_pairs, write_pairs

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


def test_evaluation_from_python(pairs_csv, tmp_path, monkeypatch, capsys):
    require_module("radiomics", "make eval-deps")
    monkeypatch.chdir(tmp_path)
    write_pairs(read_pairs(pairs_csv), Path("pairs.csv"))
    exec(python_in("evaluation.md"), {})
    assert capsys.readouterr().out.startswith("Count(features=")
    assert Path("report/report.html").exists()
