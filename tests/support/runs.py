"""Running the command line in tests."""

import json
import os
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from rgan_sdk.cli import main
from rgan_sdk.dicom.synthetic.sample import write_sample_series

PROGRAM = Path(sys.executable).with_name("rgan-harmonize")


def same_date() -> dict[str, str]:
    """Return the environment in which two runs of a process of its own write the same bytes."""
    return {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}


def harmonize(*arguments: object) -> Result:
    """Run ``rgan-harmonize`` in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write_inputs(folder: Path, *, series: int, slices: int, size: int) -> None:
    """Write sample series, each in its own folder."""
    for number in range(series):
        target = folder / str(number)
        write_sample_series(target, "B40f", slices=slices, size=size, seed=number)


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


def folders(out: Path) -> dict[str, dict[str, bytes]]:
    """Return the files of each new series by name, by the name of its folder."""
    if not out.exists():
        return {}
    return {
        folder.name: {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in new_series(out)
    }
