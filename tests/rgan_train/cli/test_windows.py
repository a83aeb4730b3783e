"""``rgan-train windows``: the picture of a run's windows."""

import pytest
from support.training import tiny_config, train
from support.windows import write_windows


@pytest.fixture
def run(tmp_path):
    (tmp_path / "config.json").write_text(tiny_config().to_json())
    write_windows(tmp_path / "windows.jsonl")
    return tmp_path


def test_the_picture_lies_in_the_run(run):
    done = train("windows", run)
    assert done.exit_code == 0, done.output
    assert "epochs 1 to 13, the last window is -940 to 180 HU (selection)" in done.output
    assert (run / "windows.png").read_bytes().startswith(b"\x89PNG")


def test_or_where_it_is_wanted(run):
    assert train("windows", run, "-o", run / "figure.svg").exit_code == 0
    assert not (run / "windows.png").exists()
    assert "<svg" in (run / "figure.svg").read_text()


def test_no_windows(run):
    (run / "windows.jsonl").unlink()
    done = train("windows", run)
    assert done.exit_code == 1
    assert 'curriculum.schedule = "none"' in done.stderr


def test_no_run(run):
    (run / "config.json").unlink()
    done = train("windows", run)
    assert done.exit_code == 1
    assert "config.json" in done.stderr
    assert train("windows", run / "nowhere").exit_code == 2


@pytest.mark.parametrize("arguments", [["windows", "."], ["compare", ".", ".", "--model", "m"]])
def test_without_the_extra(monkeypatch, arguments):
    monkeypatch.setattr("rgan_train.cli.extra.PLOTTING", "no_such_matplotlib")
    more = ["--slice", 0, "-o", "figure.png"] if arguments[0] == "compare" else []
    done = train(*arguments, *more)
    assert done.exit_code == 1
    assert "pip install 'rgan-sdk[eval]'" in done.stderr
