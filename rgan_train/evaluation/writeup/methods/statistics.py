"""How features and images were compared."""

from __future__ import annotations

from rgan_train.evaluation.metrics.blocks import MANY_PATIENTS
from rgan_train.evaluation.report.texts import format_number, join_with_and, pluralize
from rgan_train.evaluation.results import COMBAT
from rgan_train.evaluation.writeup.document import state
from rgan_train.evaluation.writeup.report import Report


def describe_statistics(report: Report) -> list[str]:
    """Return the paragraphs on measures and their uncertainty."""
    if report.is_paired:
        found = [_agreement(report), _images(report), _differences(report), _combat(report)]
        return [text for text in found if text]
    return [_separation(report), _lesions(report)]


def percent(share: float) -> str:
    """Return ``95 %`` for 0.95."""
    return f"{share * 100:g} %"


def scope(report: Report) -> str:
    """Return for whom the results hold."""
    patients = min(report.group_patients)
    known = report.provenance("split", "test_patients_also_in_training")
    if patients >= MANY_PATIENTS and not known:
        return ""
    which = "" if report.is_paired else " in the smaller group"
    if patients >= MANY_PATIENTS:
        which = ", some of them known from training,"
    alone = "this patient" if patients == 1 and report.is_paired else "these patients"
    return (
        f"With {pluralize(patients, 'patient')}{which} the results are descriptive: they hold for "
        f"{alone} and say nothing about others."
    )


def _agreement(report: Report) -> str:
    rules = report.provenance("statistics")
    thresholds = sorted({key for one in report.data["agreement"] for key in one["reproducible"]})
    above = " and, more strictly, above ".join(f"{float(key):.2f}" for key in thresholds)
    limits = (
        f"{percent(rules['confidence_level'])} limits of the CCC and of the number of reproducible "
        f"features come from {rules['bootstrap_samples']:,} bootstrap samples of slices, not of "
        "regions, because regions of one slice are not independent. Limits of the ICC come from "
        "the F distribution and take regions as independent."
        if rules
        else state("how confidence limits were computed, and from how many samples") + "."
    )
    reproducible = (
        f" A feature counts as reproducible if its CCC is above {above}." if above else ""
    )
    return (
        "For each feature, the values on the source or on harmonized slices were compared with "
        "those on the target by Lin's concordance correlation coefficient (CCC; Lin 1989), which "
        "lowers agreement for shift and scale as well as for scatter, and by the intraclass "
        f"correlation ICC(A,1) (McGraw 1996).{reproducible} A feature that is undefined or "
        "constant on the target is not counted; one that a model makes undefined counts against "
        f"it. {limits}"
    )


def _images(report: Report) -> str:
    hu = report.provenance("statistics", "quality_range_hu")
    clipped = (
        f"with values clipped to {format_number(hu[0])} to {format_number(hu[1])} HU"
        if hu
        else state("the HU range")
    )
    padding = " Padding counts in no measure." if hu else ""
    lungs = (
        " Lung density (LAA-950, LAA-910, Perc15, mean) was compared in the lungs of the target."
        if report.get("lungs")
        else ""
    )
    return (
        f"Images were compared by PSNR, SSIM (Wang 2004) and mean absolute error, {clipped}; "
        "by noise power in soft tissue, the rise of edges, and the mean difference in HU by "
        f"tissue.{padding}{lungs}"
    )


def _differences(report: Report) -> str:
    found = report.get("differences")
    if found is None:
        return state("how methods were compared with each other") + "."
    if not found:
        return ""
    blocks = sorted({one["block"] for one in found})
    drawn = " or ".join(
        f"blocks of {pluralize(block, 'neighbouring slice')}" if block else "whole patients"
        for block in blocks
    )
    rules = report.provenance("statistics")
    times = f" {rules['bootstrap_samples']:,} times" if rules else ""
    return (
        "Methods were compared with each other on the same slices: mean PSNR, mean SSIM and the "
        "number of reproducible features, with limits from a paired bootstrap that draws "
        f"{drawn}{times} with a fixed seed, for all methods alike. Limits are not corrected for "
        f"the number of comparisons, and no hypothesis was tested. {scope(report)}"
    ).strip()


def _combat(report: Report) -> str:
    names = {one["method"] for one in report.data["agreement"]}
    if not any(COMBAT in name for name in names):
        return ""
    return (
        "For comparison, ComBat (Johnson 2007) was applied to the features of each method in each "
        "group of regions, with the kernel as batch: shift and scale of each feature without "
        "empirical Bayes, and for the input also with it. It sees the target's features of the "
        "regions that it is judged by, which no model does."
    )


def _separation(report: Report) -> str:
    rules = report.provenance("statistics") or {}
    folds = f"up to {rules['most_folds']} folds" if rules else state("the number of folds")
    tested = report.data["tested"]
    fdr = percent(rules["false_discovery_rate"]) if rules else state("the false discovery rate")
    patients = (
        "No patient is in two folds."
        if report.data["folds_by_patient"]
        else "A group has a single patient, so its slices were divided by position, and the "
        "classifier knows their neighbours."
    )
    blur = f"a blur of both groups by {rules['blur_mm']:g} mm" if rules else "a blur of both groups"
    return (
        "A ridge classifier learned to tell the groups apart by their features and was tested in "
        f"{folds}; reported is the mean area under the ROC curve. {patients} Limits are those of "
        "all exchanges of the labels of whole folds, where there are enough of them. Distances are "
        "medians over the features of the standardised mean difference and of the "
        "Kolmogorov-Smirnov distance, and the share of features without a difference at a false "
        f"discovery rate of {fdr} (Benjamini 1995; Mann-Whitney U tests of the means of {tested}). "
        f"Random pixels in the same regions, and {blur}, were run as controls. "
        "Features were also compared after ComBat (Johnson 2007). "
        f"Noise, noise power, MTF and mean HU by tissue were measured in both groups. "
        f"{scope(report)}"
    ).strip()


def _lesions(report: Report) -> str:
    if not report.get("lesion_failures"):
        return "No artificial lesions were put in."
    rules = report.provenance("statistics")
    sizes = (
        f"nodules ({_hu(rules['nodules_hu'])}) and holes ({_hu([rules['holes_hu']])}) of "
        f"{join_with_and([f'{mm:g}' for mm in rules['lesion_diameters_mm']])} mm"
        if rules
        else f"nodules and holes {state('their sizes and HU')}"
    )
    return (
        f"Artificial lesions were put into the lungs of both groups: {sizes}, blurred by the "
        "group's own measured MTF. Contrast, area and the LAA-950 of holes were compared with the "
        "target's."
    )


def _hu(values: list[float]) -> str:
    return join_with_and([format_number(value) for value in values]) + " HU"
