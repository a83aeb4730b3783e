"""``rgan-train methods-text``."""

from dataclasses import replace

import pytest
from click.testing import CliRunner
from support.evaluations import make_evaluation
from support.writeups import full_provenance, write_pairs

from rgan_train.cli import main
from rgan_train.evaluation.report.write import write_report

FILES = {
    f"{name}{suffix}" for name in ("methods", "clear", "metrics") for suffix in (".md", ".tex")
}


def run(*arguments):
    return CliRunner().invoke(main, ["methods-text", *map(str, arguments)])


def test_texts_are_written_beside_a_real_report(tmp_path):
    evaluation = replace(make_evaluation(("good",)), provenance=full_provenance())
    write_report(evaluation, tmp_path / "report")
    before = {path.name for path in (tmp_path / "report").iterdir()}
    done = run(tmp_path / "report")
    assert done.exit_code == 0, done.output
    after = {path.name for path in (tmp_path / "report").iterdir()}
    assert after - before == FILES
    assert all(name in done.output for name in FILES)
    assert "4 slices of 1 patient" in (tmp_path / "report" / "methods.md").read_text()


def test_another_folder(tmp_path):
    done = run(write_pairs(tmp_path / "report"), "-o", tmp_path / "new" / "folder")
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == FILES
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["results.json"]


def test_no_report(tmp_path):
    done = run(tmp_path)
    assert done.exit_code == 1
    assert "has no results.json; give the folder that `rgan-train evaluate` wrote" in done.output


@pytest.mark.parametrize("name", ["methods.md", "metrics.tex"])
def test_a_file_that_cannot_be_written(tmp_path, name):
    (write_pairs(tmp_path) / name).mkdir()
    done = run(tmp_path)
    assert done.exit_code == 1
    assert "texts cannot be written" in done.output
