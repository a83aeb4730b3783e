"""Several threads run at once, on one harmonizer."""

import threading

import pytest
from support.models import make_series_card, write_model
from support.runs import contents, write_inputs
from support.threads import call_at_once

import rgan_sdk as rgan


@pytest.fixture
def harmonizer(tmp_path):
    path = write_model(tmp_path / "m.onnx", make_series_card())
    with rgan.Harmonizer.load(path, engine="onnxruntime", device="cpu") as harmonizer:
        yield harmonizer


@pytest.fixture
def inputs(tmp_path):
    write_inputs(tmp_path / "in", series=2, slices=3, size=64)
    return tmp_path / "in"


def test_each_writes_what_it_would_write_alone(harmonizer, inputs, tmp_path):
    rgan.harmonize_directory(inputs, tmp_path / "alone", harmonizer)
    outputs = [tmp_path / f"out-{number}" for number in range(3)]
    calls = [
        lambda output=output: rgan.harmonize_directory(inputs, output, harmonizer)
        for output in outputs
    ]
    reports = call_at_once(
        [*calls, lambda: rgan.plan_directory(inputs, tmp_path / "p", harmonizer)]
    )
    assert [report.summary["series"].get("done") for report in reports] == [2, 2, 2, None]
    for output in outputs:
        assert contents(output) == contents(tmp_path / "alone")


def test_two_do_not_share_an_output(harmonizer, inputs, tmp_path):
    is_running, may_end = threading.Event(), threading.Event()

    class Waiting(rgan.SilentObserver):
        def on_planned(self, series, slices):
            is_running.set()
            may_end.wait(timeout=60)

    def run_late():
        is_running.wait(timeout=60)
        try:
            with pytest.raises(rgan.OutputBusyError):
                rgan.harmonize_directory(inputs, tmp_path / "out", harmonizer)
        finally:
            may_end.set()

    def run():
        return rgan.harmonize_directory(inputs, tmp_path / "out", harmonizer, observer=Waiting())

    report, _ = call_at_once([run, run_late])
    assert report.summary["series"]["done"] == 2
