"""The folders stay readable: no long files, no crowded folders."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("rgan_sdk", "rgan_train")
MAX_LINES, MAX_MODULES = 350, 14

FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FOLDERS = sorted({path.parent for path in FILES if path.parent.name != "cli"})


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_has_one_idea(path):
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_a_folder_can_be_seen_at_a_glance(folder):
    modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MAX_MODULES


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_a_folder_says_what_it_holds(folder):
    assert (folder / "__init__.py").read_text().startswith('"""')
