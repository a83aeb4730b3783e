"""A browser for all tests of reports."""

import shutil

import pytest
from support.browser import BROWSERS, Page
from support.requirements import require_tool


@pytest.fixture(scope="package")
def browser(tmp_path_factory):
    path = require_tool(next(filter(shutil.which, BROWSERS), BROWSERS[0]))
    page = Page(path, tmp_path_factory.mktemp("profile"))
    yield page
    page.close()
