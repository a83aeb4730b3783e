"""Order, and strictness: under ``RGAN_STRICT=1`` only tests marked ``gpu`` may be skipped."""

import os

import pytest
from support.requirements import STRICT


def pytest_collection_modifyitems(items):
    """Begin with the longest tests, so that no process of ``make test`` waits for them at last."""
    items.sort(key=lambda item: item.path.name != "test_snippets.py")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn the skip of a test into a failure where skipping is not allowed."""
    outcome = yield
    if item.get_closest_marker("gpu") is None:
        _refuse_skip(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    """Turn the skip of a whole module into a failure where skipping is not allowed."""
    outcome = yield
    _refuse_skip(outcome.get_result())


def _refuse_skip(report):
    if STRICT and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"RGAN_STRICT=1 allows no skip but of tests marked gpu: {reason}"


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Keep plans and self-tests of the tests away from the user's."""
    os.environ["RGAN_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """Give a test a cache in which nothing is known yet."""
    monkeypatch.setenv("RGAN_CACHE", str(tmp_path / "cache"))
