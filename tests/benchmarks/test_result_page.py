"""The tables of results pages, and where they go."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "quality"))
from result_page import difference_table, fill_page, present_lines, spread_table


def test_a_line_has_the_mean_of_its_runs_and_what_was_not_measured_is_empty():
    figures = {
        "target": {"features": 1395},
        "a, 0": {"PSNR, dB": 40.0, "features": 900},
        "a, 1": {"PSNR, dB": 41.0, "features": 1000},
    }
    table = spread_table("loss", {"target": ["target"], "a": ["a, 0", "a, 1"]}, figures)
    assert table.splitlines() == [
        "| loss | PSNR, dB | features |",
        "|---|---:|---:|",
        "| target |  | 1,395 |",
        "| a | 40.50 (40.00 to 41.00) | 950 (900 to 1,000) |",
    ]


def test_a_line_of_which_no_run_is_there_shows_that():
    planned = {"input": ["input"], "a": ["a, 0", "a, 1"], "b": ["b, 0"]}
    lines = present_lines(planned, {"input", "a, 1"})
    assert lines == {"input": ["input"], "a (1 of 2 runs)": ["a, 1"], "b (0 of 1 runs)": []}
    figures = {"input": {"PSNR, dB": 30.0}, "a, 1": {"PSNR, dB": 40.0}}
    assert spread_table("loss", lines, figures).splitlines()[-1] == "| b (0 of 1 runs) |  |"
    assert present_lines(planned, set()) == {}


def test_a_difference_has_its_sign_and_its_limits():
    one = {
        "PSNR, dB": {"value": 0.123, "interval": [-0.5, 0.71]},
        "features, lung": {"value": -1234.0, "interval": [-1300.4, 7.0]},
    }
    assert difference_table("against L1", {"texture": one}).splitlines()[2] == (
        "| texture | +0.12 (-0.50 to +0.71) | -1,234 (-1,300 to +7) |"
    )


def test_a_block_of_a_page_is_replaced_and_the_rest_stays(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- one -->\nold\n<!-- end -->\nafter\n<!-- two -->\n<!-- end -->\n")
    fill_page(page, {"one": r"new \1"})
    assert page.read_text() == (
        "before\n<!-- one -->\n\nnew \\1\n\n<!-- end -->\nafter\n<!-- two -->\n<!-- end -->\n"
    )
