"""What a report tells for both checklists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rgan_train.evaluation.report.texts import join_with_and
from rgan_train.evaluation.results import TARGET
from rgan_train.evaluation.writeup.checklists.checklist import NOT_APPLICABLE, YES, Answer
from rgan_train.evaluation.writeup.document import without_marks
from rgan_train.evaluation.writeup.methods.features import (
    describe_bins,
    describe_resampling,
    list_filters,
)
from rgan_train.evaluation.writeup.methods.scans import describe_acquisition, describe_split
from rgan_train.evaluation.writeup.methods.statistics import percent
from rgan_train.evaluation.writeup.report import Report

SCOPE: Final = (
    "Filled from a report of rgan-train evaluate. Answers are for the evaluation of the "
    "harmonization alone: if the paper does more, such as predicting an outcome, check each “yes” "
    "for that too. An empty answer is open: the column on the right says what you have to state."
)


def imaging(report: Report) -> Answer:
    """Return what headers state of the imaging protocol."""
    return Answer(without_marks(describe_acquisition(report)))


def split(report: Report) -> Answer:
    """Return how slices were divided."""
    return Answer(without_marks(describe_split(report)))


def segmentation(report: Report) -> Answer:
    """Return where regions come from; it is open where some were given."""
    made = report.provenance("regions")
    if not made:
        return Answer()
    if made["given"]:
        return Answer(f"Regions from masks or boxes: {join_with_and(made['given'])}.")
    return Answer("Whole slices and random regions, placed by software: methods, Regions.", YES)


def readers(report: Report) -> Answer:
    """Return whether somebody drew regions."""
    if segmentation(report).verdict == YES:
        return Answer("Nobody drew a region.", NOT_APPLICABLE)
    return Answer()


def processing(report: Report) -> Answer:
    """Return discretisation, resampling and image types."""
    features = report.provenance("features")
    if not features:
        return Answer()
    settings = features["settings"]
    told = describe_bins(settings), describe_resampling(settings), image_types(features)
    return Answer(" ".join(told))


def image_types(features: Mapping[str, Any]) -> str:
    """Return on which images features were computed."""
    return f"Computed on {list_filters(features)}."


def software(report: Report) -> Answer:
    """Return what computed the features."""
    features = report.provenance("features")
    if not features:
        return Answer()
    return Answer(
        f"pyradiomics {features['pyradiomics']}, in two dimensions: methods, Regions and features; "
        "IBSI statement.",
        YES,
    )


def settings(report: Report) -> Answer:
    """Return where all settings of the features are."""
    if not report.provenance("features"):
        return Answer()
    return Answer("All settings, others being defaults: methods, Settings of the features.", YES)


def robustness(report: Report) -> Answer:
    """Return where the agreement of each feature is."""
    if not report.is_paired:
        return Answer()
    return Answer("CCC and ICC of each feature with the target: agreement.csv.")


def uncertainty(report: Report) -> Answer:
    """Return how limits were computed."""
    rules = report.provenance("statistics")
    if not rules:
        return Answer()
    limits = (
        f"{percent(rules['confidence_level'])} limits from {rules['bootstrap_samples']:,} "
        "bootstrap samples of slices"
        if report.is_paired
        else "limits of the AUC from exchanged labels"
    )
    return Answer(f"{limits[0].upper()}{limits[1:]}: methods, Statistics.", YES)


def code(report: Report) -> Answer:
    """Return which code computed the results."""
    version = report.provenance("versions", "rgan-sdk")
    return Answer(f"rgan-sdk {version} is open source (Apache-2.0)." if version else "")


def models(report: Report) -> Answer:
    """Return which models were used."""
    records = report.provenance("models") or {}
    told = [f"{name}: SHA-256 {one['sha256']}" for name, one in records.items() if "sha256" in one]
    return Answer("; ".join(told))


def simple_rivals(report: Report) -> Answer:
    """Return what models were compared with."""
    return Answer(
        f"Compared with no harmonization and with ComBat on the features, against the {TARGET}."
    )
