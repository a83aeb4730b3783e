"""``result.json``: what a module did with the series, for the program that runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from rgan_sdk.files import sync
from rgan_sdk.module.settings import ModuleSettings
from rgan_sdk.run.delivery.mapping import output_series
from rgan_sdk.run.report import Report

RESULT: Final = "result.json"
SCHEMA: Final = 1

DONE: Final = "done"
NOTHING_ELIGIBLE: Final = "nothing eligible"
FAILED: Final = "failed"

NOTIFICATION: Final = "__mercure_notification"
"""Where mercure looks for a text for its notifications."""


def describe(report: Report, settings: ModuleSettings) -> dict[str, Any]:
    """Return the content of ``result.json``.

    It holds no patient data. Reasons and notes may name files, as they are called in INPUT.
    """
    counts = report.summary["series"]
    return {
        "schema": SCHEMA,
        "outcome": outcome(report),
        "summary": report.summary,
        "series": [
            {**vars(entry), "output": output_series(entry) or None} for entry in report.series
        ],
        "models": report.models,
        "settings": vars(settings),
        "warnings": report.warnings,
        "environment": report.environment,
        NOTIFICATION: {"text": ", ".join(f"{n} series {status}" for status, n in counts.items())},
    }


def outcome(report: Report) -> str:
    """Return what became of all series together."""
    summary = report.summary
    if any(counts["failed"] for counts in summary.values()):
        return FAILED
    return DONE if summary["series"]["done"] else NOTHING_ELIGIBLE


def write_result(result: dict[str, Any], state: Path, destination: Path) -> None:
    """Write ``result.json`` whole or not at all; it is the last file to appear.

    Parameters
    ----------
    state
        A folder beside it to write it in first.

    Raises
    ------
    OSError, OutputError
        If it cannot be written.
    """
    path = state / RESULT
    path.write_text(json.dumps(result, indent=2) + "\n")
    sync(path)
    path.rename(destination / RESULT)
    sync(destination)


def read_outcome(destination: Path) -> str:
    """Return the outcome that ``result.json`` holds."""
    return str(json.loads((destination / RESULT).read_bytes())["outcome"])
