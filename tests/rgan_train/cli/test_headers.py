"""What the commands show while they read headers."""

import re

import pytest
from support.models import write_model
from support.training import settings, train, write_pair_of_scans

from rgan_train.cli.headers import count_headers

SHORT = ("training.crop=32", "training.epochs=1", "training.steps_per_epoch=1")
DIRECTION = ("data.source_kernel=B40f", "data.target_kernel=B70f")


@pytest.fixture
def terminal(monkeypatch):
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "120")):
        monkeypatch.setenv(name, value)


def counted(shown):
    """Return how many headers a terminal says were read in the end; 0 if it says nothing."""
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown)
    return int(([0, *re.findall(r"headers read: (\d+)", plain)])[-1])


def arguments(command, pairs, folder):
    """Return a command line that reads the headers of the listed pairs."""
    if command == "fit":
        method = ("--method", "histogram")
        return ["fit", pairs, "-o", folder / "run", *method, *settings(base=DIRECTION)]
    if command == "distill":
        teacher = write_model(folder / "blur.onnx")
        return ["distill", teacher, pairs, "-o", folder / "run", *settings(base=SHORT)]
    lost = ["--model", folder / "lost.onnx"]  # what comes after the headers ends soon
    return ["evaluate", pairs, *lost, "-o", folder / "out", *settings(base=DIRECTION)]


@pytest.mark.usefixtures("terminal")
def test_pair_counts_each_header_when_found_and_when_compared(tmp_path):
    scans = write_pair_of_scans(tmp_path, slices=3, size=16)
    assert counted(train("pair", scans, "-o", tmp_path / "pairs.csv").stderr) == 2 * 2 * 3


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("command", ["fit", "distill", "evaluate"])
def test_commands_count_the_headers_of_listed_pairs(pairs_csv, tmp_path, command):
    shown = train(*arguments(command, pairs_csv, tmp_path)).stderr
    assert counted(shown) == 2 * 2 * 12


def test_without_a_terminal_a_line_says_that_headers_are_read(tmp_path):
    scans = write_pair_of_scans(tmp_path, slices=3, size=16)
    shown = train("pair", scans, "-o", tmp_path / "pairs.csv").stderr
    assert shown == "reading headers\n"


@pytest.mark.parametrize("terminal_colour", ["", "1"])
def test_the_first_process_alone_shows_it(monkeypatch, capsys, terminal_colour):
    monkeypatch.setenv("FORCE_COLOR", terminal_colour)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with count_headers() as on_files:
        on_files(7)
    assert capsys.readouterr().err == ""
