"""CLEAR (Kocak et al. 2023), as far as a report can fill it."""

from __future__ import annotations

from collections.abc import Mapping

from rgan_train.evaluation.report.texts import join_with_and, pluralize
from rgan_train.evaluation.writeup.checklists import answers
from rgan_train.evaluation.writeup.checklists.checklist import (
    OPEN,
    YES,
    Answer,
    answer_table,
    count_answers,
    read_checklist,
)
from rgan_train.evaluation.writeup.document import Block, Heading, Paragraph
from rgan_train.evaluation.writeup.methods.features import (
    describe_bins,
    describe_resampling,
    list_classes,
)
from rgan_train.evaluation.writeup.methods.references import list_references
from rgan_train.evaluation.writeup.methods.statistics import scope
from rgan_train.evaluation.writeup.report import Report


def fill_clear(report: Report) -> list[Block]:
    """Return the checklist as a document."""
    checklist = read_checklist("clear")
    found = {**_data(report), **_features(report), **_evaluation(report), **_sharing(report)}
    counts = count_answers(checklist, found)
    told = (
        f"{pluralize(len(checklist.items), 'item')}: {counts[YES]} answered from the report, "
        f"{len(checklist.items) - counts[YES] - counts[OPEN]} not applicable, {counts[OPEN]} open "
        f"({checklist.key})."
    )
    blocks: list[Block] = [
        Heading(checklist.title, 1),
        Paragraph(answers.SCOPE),
        answer_table(checklist, found, told),
    ]
    return [*blocks, *list_references(blocks)]


def _data(report: Report) -> Mapping[int, Answer]:
    reference = (
        f"The reference is the same scan with the kernel {report.data['target_kernel']}."
        if report.is_paired
        else "There is no reference for single patients: two groups are compared."
    )
    has_series = report.provenance("series") or report.provenance("source_series")
    series = " SeriesInstanceUID of all series: results.json." if has_series else ""
    return {
        13: Answer(f"{pluralize(report.patients, 'patient')}.{series}"),
        14: Answer(_training_data(report)),
        15: answers.split(report),
        16: answers.imaging(report),
        18: Answer(reference),
        19: answers.segmentation(report),
        20: answers.readers(report),
        31: answers.readers(report),
    }


def _training_data(report: Report) -> str:
    records = (report.provenance("models") or {}).values()
    names = dict.fromkeys(data["name"] for one in records for data in one.get("training_data", ()))
    return f"Training data by the models' cards: {'; '.join(names)}." if names else ""


def _features(report: Report) -> Mapping[int, Answer]:
    features = report.provenance("features")
    if not features:
        return {}
    settings = features["settings"]
    names = list(report.provenance("models") or ())
    models = f"Harmonized with {join_with_and(names)}. " if names else ""
    where, scaled = (
        ("on the target", "Features are not scaled.")
        if report.is_paired
        else ("in a group", "Features are standardised for the classifier, on its training folds.")
    )
    return {
        21: Answer(f"{models}Padding is not counted. Methods, Harmonization.", YES),
        22: Answer(describe_resampling(settings), YES),
        23: Answer(describe_bins(settings)),
        24: Answer(answers.image_types(features), YES),
        25: answers.software(report),
        26: Answer(f"On every image: {list_classes(features)}.", YES),
        27: Answer(f"{pluralize(features['counted'], 'feature')} of each region.", YES),
        28: answers.settings(report),
        29: Answer(f"Features that are undefined or constant {where} are not counted."),
        32: Answer(f"{scaled} ComBat for comparison: methods, Statistics.", YES),
        33: Answer(f"None: all {pluralize(features['counted'], 'feature')} were compared."),
    }


def _evaluation(report: Report) -> Mapping[int, Answer]:
    compared = report.get("differences") or not report.is_paired
    measures = (
        "CCC, ICC(A,1), PSNR, SSIM, mean absolute error, noise power, edges, HU by tissue"
        if report.is_paired
        else "AUC of a classifier, distances of distributions, noise, MTF, HU by tissue, lesions"
    )
    robust = answers.robustness(report)
    return {
        34: answers.models(report),
        38: Answer(answers.split(report).found),
        39: Answer(f"{measures}: methods, Statistics."),
        40: answers.uncertainty(report),
        41: Answer("Methods, Statistics and Software.", YES) if compared else Answer(),
        46: Answer(robust.found, YES if robust.found else OPEN),
        47: Answer("Of the harmonization: tables.md, tables.tex and report.html."),
        52: Answer(scope(report)),
    }


def _sharing(report: Report) -> Mapping[int, Answer]:
    table = "features.csv.gz holds the features of all regions." if report.is_paired else ""
    return {
        54: Answer(table),
        55: Answer("The settings are in methods, the command in results.json."),
        56: answers.code(report),
        57: answers.models(report),
    }
