"""What pyproject.toml says of the package agrees with the pages and files that repeat it."""

import re
import tomllib
from pathlib import Path

import pytest

from rgan_sdk.cli.module import command

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = SETTINGS["project"]
PAGE = (ROOT / "docs" / "install.md").read_text()
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()
MODULE = ROOT / "containers" / "module.Dockerfile"
IMAGES = sorted(set(MODULE.parent.glob("*.Dockerfile")) - {MODULE})
WITH_EXTRAS = [path for path in IMAGES if path.name in ("cpu.Dockerfile", "cuda.Dockerfile")]


def test_the_page_lists_all_extras():
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(
        PROJECT["optional-dependencies"]
    )


def test_the_page_names_files_of_this_version():
    assert set(re.findall(r"rgan_sdk-(\d[\d.]*\d)[-.]", PAGE)) == {PROJECT["version"]}


def test_each_python_is_classified_built_and_described():
    prefix = "Programming Language :: Python :: 3."
    minors = {
        entry.removeprefix(prefix) for entry in PROJECT["classifiers"] if entry.startswith(prefix)
    }
    (digits,) = re.findall(r"^cp31\{(.*)\}-", SETTINGS["tool"]["cibuildwheel"]["build"])
    (makefile,) = re.findall(r"^PYTHONS \?= (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert minors == {"11", "12", "13"} == {f"1{digit}" for digit in digits.split(",")}
    assert makefile.split() == [f"python3.{minor}" for minor in sorted(minors)]
    assert "Python 3.11, 3.12 or 3.13" in PAGE
    assert PROJECT["requires-python"] == ">=3.11"


def test_images_get_what_the_wheel_is_built_from():
    build = SETTINGS["tool"]["scikit-build"]
    needed = {
        "pyproject.toml",
        "constraints.txt",
        PROJECT["readme"],
        *PROJECT["license-files"],
        build["cmake"]["source-dir"],
        *build["wheel"]["packages"],
    }
    assert IGNORED[1] == "*"
    assert {line[1:] for line in IGNORED if line.startswith("!")} == needed


def test_images_differ_where_they_must():
    cpu, cuda = (set(path.read_text().splitlines()) for path in WITH_EXTRAS)
    assert {line for line in cpu ^ cuda if "#" not in line} == {
        "ARG EXTRAS=cpu,codecs,nifti",
        "ARG EXTRAS=gpu,codecs,nifti",
        "    RGAN_CACHE=/tmp/rgan",
        "    RGAN_CACHE=/tmp/rgan \\",
        "    NVIDIA_VISIBLE_DEVICES=all \\",
        "    NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    }


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_images_do_not_run_as_root(path):
    assert re.findall(r"^USER (.*)$", path.read_text(), re.MULTILINE)[-1] == "65532:65532"


@pytest.mark.parametrize("path", WITH_EXTRAS, ids=lambda path: path.name)
def test_images_install_extras_that_exist(path):
    (extras,) = re.findall(r"^ARG EXTRAS=(.*)$", path.read_text(), re.MULTILINE)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_module_starts_from_these_images_and_has_folders():
    lines = MODULE.read_text().splitlines()
    assert "ARG IMAGE=rgan:cpu" in lines
    assert "FROM ${IMAGE}" in lines
    assert 'ENTRYPOINT ["rgan-harmonize", "module"]' in lines
    named = re.findall(r"(\w+)=/app/data/\w+", MODULE.read_text())
    assert named == [parameter.envvar for parameter in command.params if parameter.envvar]
