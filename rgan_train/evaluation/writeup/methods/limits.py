"""What limits the conclusions, and what the report remarks."""

from __future__ import annotations

from rgan_train.evaluation.cohorts.results import UNPROVEN
from rgan_train.evaluation.writeup.document import state
from rgan_train.evaluation.writeup.methods.statistics import scope
from rgan_train.evaluation.writeup.report import Report


def list_limits(report: Report) -> list[str]:
    """Return the limits that the report itself shows, then those that the author has to state."""
    scanners = report.provenance("scans", "source", "scanners")
    found = [
        "" if report.is_paired else UNPROVEN,
        scope(report),
        f"All scans of the source come from one model of scanner, {scanners[0]}."
        if scanners and len(scanners) == 1
        else "",
        "Regions of one slice are not independent, and neighbouring slices resemble each other.",
        "Agreement of features does not show that a diagnosis or a prediction agrees.",
        *(f"Remark of the report: {note}." for note in report.get("notes") or ()),
        state("further limits of the study") + ".",
    ]
    return [text for text in found if text]
