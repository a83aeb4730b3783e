"""Strictness: under ``RGAN_STRICT=1`` only a test that needs a GPU may be skipped."""

import pytest
from support.requirements import STRICT


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn a skip into a failure where skipping is not allowed."""
    outcome = yield
    report = outcome.get_result()
    if STRICT and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""
        if "gpu" not in reason:
            report.outcome = "failed"
            report.longrepr = f"RGAN_STRICT=1 allows no skip but for `gpu`: {reason}"
