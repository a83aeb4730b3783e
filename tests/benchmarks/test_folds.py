"""Which cells the five folds of the paper's page have."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("radiomics", reason="make eval-deps installs pyradiomics")
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "quality"))
import factorial
import folds

PLAN = tomllib.loads(factorial.PLAN.read_text())


def test_a_generator_is_trained_as_in_the_factorial_but_on_each_fold():
    first = {cell.row: cell for cell in factorial.plan_cells(PLAN) if cell.seed == 0}
    for generator in folds.plan_folds(PLAN, list(first)[:3]):
        assert [cell.config().data.fold for cell in generator.folds] == [1, 2, 3, 4, 5]
        for cell in generator.folds:
            assert cell.row == f"{generator.row}, fold{cell.config().data.fold}"
            assert cell.seed == 0
            assert cell.config().generator == first[generator.row].config().generator
            assert cell.config().training == first[generator.row].config().training


def test_the_papers_own_is_the_first_and_the_best_on_validation_slices_follow(monkeypatch):
    cells = factorial.plan_cells(PLAN)
    rows = list(dict.fromkeys(cell.row for cell in cells))
    better = {rows[5]: 48.0, rows[2]: 47.0}
    monkeypatch.setattr(
        folds,
        "read_cell",
        lambda cell: {"validation_psnr_db": better.get(cell.row, 40.0) + cell.seed},
    )
    assert folds.choose_rows(PLAN) == ["direct, windows, pretrained", rows[5], rows[2]]


def test_folds_wait_for_the_whole_factorial(monkeypatch):
    monkeypatch.setattr(folds, "read_cell", lambda cell: None)
    with pytest.raises(SystemExit, match="not computed yet; run factorial"):
        folds.choose_rows(PLAN)
