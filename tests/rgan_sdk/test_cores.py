"""Cores are counted in one place, by what this process may use and not by what the machine has."""

import os
import re
import threading
from pathlib import Path

import pytest
from support.models import make_series_card, write_model
from support.runs import harmonize, write_inputs

from rgan_sdk import _core
from rgan_sdk.cores import look_ahead, usable_cores

ROOT = Path(__file__).parents[2]


@pytest.fixture
def three_of_many(monkeypatch):
    """Let the process run on three cores of a machine of 64, and keep the sizes of its pools."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 6, 63})
    pool, sizes = _core.ThreadPool, []
    monkeypatch.setattr(_core, "ThreadPool", lambda n: (sizes.append(n), pool(n))[1])
    return sizes


def test_the_affinity_counts(three_of_many):
    assert usable_cores() == 3


def test_a_run_starts_no_more_threads_than_it_may_use(three_of_many, tmp_path):
    model = write_model(tmp_path / "m.onnx", make_series_card())
    write_inputs(tmp_path / "in", series=1, slices=2, size=64)
    engine = ("--engine", "identity")
    assert (
        harmonize("run", tmp_path / "in", tmp_path / "out", "--model", model, *engine).exit_code
        == 0
    )
    assert three_of_many
    assert max(three_of_many) <= 3


def test_nothing_else_counts_cores():
    counting = re.compile(r"cpu_count|sched_getaffinity")
    sources = [path for name in ("rgan_sdk", "rgan_train") for path in (ROOT / name).rglob("*.py")]
    found = [path.name for path in sources if counting.search(path.read_text())]
    assert found == ["cores.py"]


def test_the_next_item_is_looked_at_while_one_is_worked_on():
    seen = threading.Event()

    def judge(item):
        if item == 2:
            seen.set()
        return 10 * item

    items = look_ahead([1, 2, 3], judge)
    assert next(items) == (1, 10)
    assert seen.wait(10)
    assert list(items) == [(2, 20), (3, 30)]
    assert list(look_ahead([], judge)) == []


def test_an_error_comes_with_its_item():
    items = look_ahead([2, 0], lambda item: 1 / item)
    assert next(items) == (2, 0.5)
    with pytest.raises(ZeroDivisionError):
        next(items)
