"""What a training run shows while it works."""

import math
import re

import pytest

from rgan_train.cli.progress import show_progress
from rgan_train.training.events import StepDone, TrainingStarted


def shown(capsys, seconds_left):
    """Return the times left that a terminal shows at the start of 100 epochs of 1,000 steps."""
    with show_progress() as report:
        report(TrainingStarted("linear", "cpu", 1, 10, 0, 100, 1000, 30.0, seconds_left))
        report(StepDone(0, 1, {}))
    return re.findall(r"\d+:\d\d:\d\d", capsys.readouterr().out)


@pytest.fixture(autouse=True)
def _terminal(monkeypatch):
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "120")):
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("seconds", "text"), [(7200.0, "1:59:59"), (-5.0, "0:00:00")])
def test_the_time_left_knows_the_time_limit(capsys, seconds, text):
    assert shown(capsys, seconds)[-1] == text


def test_without_a_limit_the_time_left_is_that_of_the_steps(capsys):
    assert not shown(capsys, math.inf)
