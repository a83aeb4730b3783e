"""A run is stopped by an event, at whatever it is, and goes on later."""

import threading

import pytest
from support.runs import contents, new_series, write_inputs

import rgan_sdk as rgan


class Setter:
    """Sets the event when one of its methods is called for the n-th time."""

    def __init__(self, event, name, count):
        self.event, self.name, self.left = event, name, count

    def _tell(self, name):
        self.left -= name == self.name
        if self.left == 0:
            self.event.set()

    def on_found(self, files):
        self._tell("found")

    def on_planned(self, series, slices):
        self._tell("planned")

    def on_verified(self, files, total):
        self._tell("verified")

    def on_started(self, series_instance_uid, slices):
        self._tell("started")

    def on_written(self, slices):
        self._tell("written")

    def on_finished(self, entry):
        self._tell("finished")


@pytest.fixture
def inputs(tmp_path):
    write_inputs(tmp_path / "in", series=3, slices=2, size=64)
    return tmp_path / "in"


@pytest.mark.parametrize(
    ("name", "count", "finished"),
    [
        ("found", 1, 0),
        ("planned", 1, 0),
        ("started", 1, 0),
        ("started", 2, 1),
        ("written", 1, 0),
        ("written", 3, 1),
        ("finished", 1, 1),
        ("finished", 2, 2),
    ],
)
def test_a_run_is_cancelled_and_continued(inputs, tmp_path, bound, name, count, finished):
    whole, out, event = tmp_path / "whole", tmp_path / "out", threading.Event()
    rgan.harmonize_directory(inputs, whole, bound(1))
    with pytest.raises(rgan.CancelledError):
        rgan.harmonize_directory(
            inputs, out, bound(1), observer=Setter(event, name, count), cancel=event
        )
    assert len(new_series(out)) == finished
    assert contents(out).items() <= contents(whole).items()
    assert not (out / ".rgan" / "staging").exists()
    assert not [each for each in threading.enumerate() if each.name.startswith("rgan-")]
    report = rgan.harmonize_directory(inputs, out, bound(1), cancel=threading.Event())
    assert report.summary["series"] == {"done": 3, "skipped": 0, "failed": 0}
    assert contents(out) == contents(whole)


def test_files_of_finished_series_that_are_read_again(inputs, tmp_path, bound):
    rgan.harmonize_directory(inputs, tmp_path / "out", bound(1))
    event, before = threading.Event(), contents(tmp_path / "out")
    with pytest.raises(rgan.CancelledError):
        rgan.harmonize_directory(
            inputs,
            tmp_path / "out",
            bound(1),
            rgan.RunOptions(verify_outputs=True),
            observer=Setter(event, "verified", 1),
            cancel=event,
        )
    assert contents(tmp_path / "out") == before


def test_what_cannot_cancel(inputs, tmp_path, bound):
    with pytest.raises(rgan.ConfigurationError, match="cancel must be Cancellation or None"):
        rgan.harmonize_directory(inputs, tmp_path / "out", bound(1), cancel=lambda: True)
    assert not (tmp_path / "out").exists()


def test_an_observer_lacks_a_method(inputs, tmp_path, bound):
    class Old:
        def on_found(self, files): ...

    with pytest.raises(rgan.ConfigurationError, match="observer must be Observer or None"):
        rgan.harmonize_directory(inputs, tmp_path / "out", bound(1), observer=Old())
