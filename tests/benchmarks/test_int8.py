"""The measurement behind `quantize`'s rule, on models of both formats."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from support.models import make_card, make_domain_card, make_network

from rgan_sdk.model import HarmonizationModel

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "infer"))
from int8 import RULES, at_metal, compare_ranges


@pytest.mark.slow
@pytest.mark.parametrize("make", [make_card, make_domain_card], ids=["format 1", "format 2"])
def test_both_formats_are_measured(tmp_path, make):
    path = tmp_path / "m.onnx"
    path.write_bytes(make_network(card=make(multiple=2)).SerializeToString())
    model = HarmonizationModel.open(path)
    images = list(np.random.default_rng(0).normal(0, 200, (3, 64, 64)).astype(np.float32))
    ranges = compare_ranges(model, images, 0.65)
    assert list(ranges) == list(RULES)
    assert all(0 < found["p999_hu"] <= found["max_hu"] for found in ranges.values())
    assert at_metal(model, images, 0.65)["int8_layers"] == 3
