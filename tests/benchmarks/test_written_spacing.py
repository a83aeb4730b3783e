"""Written files pass their gate only if all were written, and are as good as the arrays."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rgan_sdk.model import HarmonizationModel

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "quality"))
from spacings import written
from spacings.figures import Figures
from spacings.gates import check_gates
from spacings.written import PackagedModel, packaged_models, read_written

PLAN = {
    "pairs": {"siemens": {"kernels": ["B40f", "B70f"], "spacings": [0.646], "packaged": True}},
    "features": {"pair": "siemens", "spacing": 0.646, "row": "compact"},
    "row": {},
    "train": [],
    "noise": [0],
}


@pytest.fixture
def packaged(tmp_path, monkeypatch) -> PackagedModel:
    monkeypatch.setattr(written, "RESULTS", tmp_path)
    return packaged_models(PLAN)[0]


def write_figures(packaged: PackagedModel, row: dict, sha256: str = "") -> None:
    asked = {
        "method_version": written.METHOD_VERSION,
        "spacings": [0.646],
        "model_sha256": sha256 or HarmonizationModel.open(packaged.model).sha256,
    }
    row = {"spacing": 0.646, "status": "done", "reason": ""} | row
    packaged.path.write_text(json.dumps({"asked": asked, "measured": [row]}))


def figures(written_db: float, pixel: float) -> dict:
    return {
        "written": {"psnr_db": written_db, "ssim": 1.0},
        "memory": {"psnr_db": 50.0, "ssim": 1.0},
        "largest_difference_hu": pixel,
    }


def test_both_directions_of_the_pair_are_run(packaged):
    assert [model.model for model in packaged_models(PLAN)] == ["b40f-to-b70f", "b70f-to-b40f"]


def test_figures_of_another_model_file_count_as_missing(packaged):
    write_figures(packaged, figures(49.99, 0.5))
    assert len(read_written(packaged, PLAN)) == 1
    write_figures(packaged, figures(49.99, 0.5), sha256="0" * 64)
    assert read_written(packaged, PLAN) == []


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (figures(49.99, 0.5), True),
        (figures(49.94, 0.5), False),
        (figures(50.06, 0.5), False),
        (figures(50.0, 0.6), False),
        ({"status": "skipped", "reason": "PixelSpacing (0028,0030) is outside"}, False),
    ],
)
def test_the_gate(packaged, row, met):
    write_figures(packaged, row)
    gate = next(g for g in check_gates(PLAN, Figures(PLAN, {})) if packaged.model in g.what)
    assert gate.is_met is met
    assert row.get("reason", "dB apart") in gate.found
