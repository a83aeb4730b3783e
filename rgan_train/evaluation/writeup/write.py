"""Write the texts for a paper: methods with IBSI statement, and two checklists."""

from __future__ import annotations

from pathlib import Path

from rgan_sdk.errors import OutputError
from rgan_train.evaluation.report.write import NAME_ERRORS
from rgan_train.evaluation.writeup.checklists.clear import fill_clear
from rgan_train.evaluation.writeup.checklists.metrics import fill_metrics
from rgan_train.evaluation.writeup.document import Block, Heading, Listing, Paragraph
from rgan_train.evaluation.writeup.ibsi import ibsi_statement
from rgan_train.evaluation.writeup.methods.features import describe_features, describe_regions
from rgan_train.evaluation.writeup.methods.harmonization import describe_harmonization
from rgan_train.evaluation.writeup.methods.limits import list_limits
from rgan_train.evaluation.writeup.methods.references import list_references
from rgan_train.evaluation.writeup.methods.scans import describe_scans, describe_split
from rgan_train.evaluation.writeup.methods.settings import settings_table
from rgan_train.evaluation.writeup.methods.software import describe_software
from rgan_train.evaluation.writeup.methods.statistics import describe_statistics
from rgan_train.evaluation.writeup.render import to_latex, to_markdown
from rgan_train.evaluation.writeup.report import Report


def write_texts(report: Report, folder: Path) -> list[Path]:
    """Write ``methods``, ``clear`` and ``metrics``, each as ``.md`` and as ``.tex``.

    Parameters
    ----------
    folder
        Created if it does not exist. Earlier texts are replaced.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    documents = {
        "methods": describe_methods(report),
        "clear": fill_clear(report),
        "metrics": fill_metrics(report),
    }
    written = {}
    for name, blocks in documents.items():
        written[folder / f"{name}.md"] = to_markdown(blocks)
        written[folder / f"{name}.tex"] = to_latex(blocks)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in written.items():
            path.write_text(text, encoding="utf-8", errors=NAME_ERRORS)
    except OSError as exc:
        raise OutputError(f"{folder}: texts cannot be written ({exc.strerror})") from exc
    return list(written)


def describe_methods(report: Report) -> list[Block]:
    """Return the document on the methods."""
    sections = {
        "Scans": [describe_scans(report), describe_split(report)],
        "Harmonization": describe_harmonization(report),
        "Regions and features": [describe_regions(report), describe_features(report)],
        "Statistics": describe_statistics(report),
        "Software": [describe_software(report)],
    }
    blocks: list[Block] = [
        Heading("Methods", 1),
        Paragraph(
            "Written from the results of rgan-train evaluate. Nothing is stated that they do not "
            "tell; what you have to add is marked by “state”."
        ),
    ]
    for title, paragraphs in sections.items():
        blocks += [Heading(title), *map(Paragraph, filter(None, paragraphs))]
    blocks += [Heading("Limits, for the discussion"), Listing(list_limits(report))]
    blocks += ibsi_statement(report.provenance("features"))
    blocks += settings_table(report)
    return [*blocks, *list_references(blocks)]
