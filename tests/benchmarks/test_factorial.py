"""Which cells the factorial has, which it compares, and its tables."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("radiomics", reason="make eval-deps installs pyradiomics")
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "quality"))
import factorial
import measured
from contrasts import measure_slices
from measured import Measured

PLAN = tomllib.loads(factorial.PLAN.read_text())


def test_each_choice_is_trained_with_each_other_and_each_seed():
    cells = factorial.plan_cells(PLAN)
    assert len({(cell.row, cell.seed) for cell in cells}) == len(cells) == 24
    for cell in cells:
        config = cell.config()
        assert config.training.seed == cell.seed
        assert config.generator.output == cell.row.split(", ")[0]
        assert (config.curriculum.schedule == "none") == ("no windows" in cell.row)
        assert (config.generator.encoder == "none") == ("from scratch" in cell.row)
        assert (cell.vgg_weights is None) == ("from scratch" in cell.row)


def test_an_effect_compares_cells_that_differ_in_one_factor():
    effects = list(factorial.find_effects(PLAN["factor"]))
    assert len({effect.title for effect in effects}) == len(effects) == 12
    rows = {cell.row for cell in factorial.plan_cells(PLAN)}
    for effect in effects:
        plus, minus = effect.title.partition(":")[0].split(" against ")
        assert {effect.plus, effect.minus} <= rows
        assert effect.minus == ", ".join(
            minus if choice == plus else choice for choice in effect.plus.split(", ")
        )


def test_a_seed_counts_when_all_its_cells_are_there():
    cells = factorial.plan_cells(PLAN)
    assert factorial.complete_seeds(PLAN, cells[:-1]) == [0, 1]
    assert factorial.complete_seeds(PLAN, cells[1:]) == [1, 2]


def test_tables_show_what_is_there_and_effects_wait_for_a_whole_seed(monkeypatch, tmp_path):
    monkeypatch.setattr(measured, "FOLDER", tmp_path)
    cells = factorial.plan_cells(PLAN)

    def measured_of(cell):
        if cell.seed > 1 or (cell.seed, cell.row) == (1, cells[0].row):
            return None
        psnr = 46.0 + cell.row.startswith("residual") + 0.1 * ("no windows" in cell.row)
        figures = {"PSNR, dB": psnr, factorial.NOISE: 0.5}
        return Measured(figures, {"PSNR, dB": measure_slices(np.full(8, psnr))})

    monkeypatch.setattr(factorial, "read_measured", measured_of)
    tables = factorial.make_tables(PLAN, cells)
    assert "| direct, windows, pretrained (1 of 3 runs) | 46.00 |" in tables["factorial"]
    assert "| residual, no windows, from scratch (2 of 3 runs) | 47.10 (" in tables["factorial"]
    effects = tables["factorial effects"].splitlines()
    assert effects[0] == (
        "| effect of | PSNR, dB | PSNR, dB, by seed | noise power distance, dB, by seed |"
    )
    assert (
        "| direct against residual: windows, pretrained "
        "| -1.00 (-1.00 to -1.00) | -1.00 | +0.00 |" in effects
    )
    assert any(
        line.startswith("| windows against no windows: direct, pretrained | -0.10 (")
        for line in effects
    )
    monkeypatch.setattr(factorial, "read_measured", lambda cell: None)
    assert factorial.make_tables(PLAN, cells) == {}
