"""Below 1 lp/cm a network must do what was measured, on real source slices."""

import pytest
import torch
from support.groups import write_series
from support.kernels import chests, exponential

from rgan_train.matching.drift import MOST, describe_drift, measure_drift
from rgan_train.matching.groups import open_group
from rgan_train.matching.linear import make_filter, make_graph
from rgan_train.matching.measurement import measure


@pytest.fixture(scope="module")
def measurement(tmp_path_factory):
    root = tmp_path_factory.mktemp("cohort")
    write_series(root / "a", chests(exponential(5.5, 2.0), 0.7, 5, seed=2), "SHARP", 2, 0.7)
    write_series(root / "b", chests(exponential(3.5, 2.0), 0.8, 5, seed=1), "SOFT", 1)
    return measure(open_group("source", [root / "a"]), open_group("target", [root / "b"]))


def test_the_measured_filter_itself_does_not_drift(measurement):
    graph = make_graph(make_filter(measurement.evidence.direct, measurement.source.spacings))
    drift = measure_drift(graph, measurement)
    assert drift < 2
    assert "train longer" not in describe_drift(drift)


def test_another_brightness_is_a_drift(measurement):
    network = make_filter(measurement.evidence.direct, measurement.source.spacings)
    predict = network.predict_at
    network.predict_at = lambda *inputs: predict(*inputs) + torch.tensor(0.01)
    drift = measure_drift(make_graph(network), measurement)
    assert drift > 25  # 0.01 of a window of 3040 HU
    assert f"more than {MOST:g} HU may change anatomy" in describe_drift(drift)
