"""The documentation is whole. `make docs` checks its links."""

import re
from pathlib import Path

import click

import rgan_sdk
from rgan_sdk.cli import main

DOCS = Path(__file__).parents[2] / "docs"
ROLES = ("data-manager", "physicist", "engineer")


def test_each_role_has_a_tutorial():
    assert {path.stem for path in (DOCS / "tutorials").iterdir()} == set(ROLES)


def test_each_public_name_is_described_once():
    page = (DOCS / "reference" / "python-api.md").read_text()
    assert (
        sorted(re.findall(r"^\.\. auto\w+:: rgan_sdk\.(\w+)$", page, re.MULTILINE))
        == rgan_sdk.__all__
    )


def test_each_result_is_in_the_list():
    pages = {path.name for path in (DOCS / "results").glob("*.md")} - {"index.md"}
    assert pages == set(re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / "results/index.md").read_text()))


def test_commands_have_the_names_that_one_types():
    context = click.Context(main)
    assert all(main.get_command(context, name).name == name for name in main.list_commands(context))
