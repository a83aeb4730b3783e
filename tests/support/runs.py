"""Running the command line in tests."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from rgan_sdk.cli import main


def harmonize(*arguments: object) -> Result:
    """Run ``rgan-harmonize`` in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def new_series(out: Path) -> list[Path]:
    """Return the folders of new series in OUTPUT."""
    return sorted(p for p in out.iterdir() if p.is_dir() and p.name[:1] in "0123456789")


def read_report(path: Path) -> dict:
    """Read what ``--report`` wrote, and check that each file has one outcome."""
    report = json.loads(path.read_text())
    paths = [file["path"] for file in report["files"]]
    assert len(paths) == len(set(paths))
    assert sum(report["summary"]["files"].values()) == len(paths)
    return report


def contents(out: Path) -> dict[str, bytes]:
    """Return the files of all new series, by path."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for folder in new_series(out)
        for path in folder.iterdir()
    }
