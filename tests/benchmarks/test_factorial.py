"""Which cells the factorial has, which it compares, and the limits of what it finds."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("radiomics", reason="make eval-deps installs pyradiomics")
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "quality"))
import factorial
from contrasts import measure_slices

from rgan_train.evaluation.metrics.blocks import Place, draw_slices

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
    assert len({effect.title for effect in effects}) == len(effects) == 5
    for effect in effects:
        plus, minus = effect.title.partition(",")[0].split(" against ")
        changed = {row.replace(plus, minus) for row in effect.plus if "no " + plus not in row}
        assert changed == set(effect.minus)
    assert [len(effect.plus) for effect in effects] == [2, 2, 2, 2, 4]


def test_a_seed_counts_when_all_its_cells_are_there():
    cells = factorial.plan_cells(PLAN)
    assert factorial.complete_seeds(PLAN, cells[:-1]) == [0, 1]
    assert factorial.complete_seeds(PLAN, cells[1:]) == [1, 2]


def test_limits_of_a_contrast_come_from_the_same_slices_of_both_sides():
    drawn = draw_slices([Place("p", "s", float(n)) for n in range(8)])
    base = np.random.default_rng(0).normal(40, 5, 8)
    measure = measure_slices({"a": base + 1, "b": base + 1, "c": base, "d": base}, drawn)
    found = measure.contrast(["a", "b"], ["c", "d"])
    assert found["value"] == pytest.approx(1)
    assert found["interval"] == pytest.approx([1, 1])

    measure = measure_slices({"a": base, "c": base[::-1]}, drawn)
    low, high = measure.contrast(["a"], ["c"])["interval"]
    assert low < -1 < 1 < high
