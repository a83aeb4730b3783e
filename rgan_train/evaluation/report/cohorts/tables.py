"""The tables of a comparison without pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from rgan_train.evaluation.cohorts.controls import BLUR_MM
from rgan_train.evaluation.cohorts.image_measures import noise_power_distance
from rgan_train.evaluation.cohorts.lesions.compare import LesionComparison
from rgan_train.evaluation.cohorts.lesions.plant import Seen
from rgan_train.evaluation.cohorts.lesions.render import DIAMETERS, NODULE_HU, Lesion
from rgan_train.evaluation.cohorts.results import HALVES, CohortEvaluation, GroupComparison
from rgan_train.evaluation.cohorts.separation import FEWEST
from rgan_train.evaluation.metrics.tissue_bias import TISSUES
from rgan_train.evaluation.report.table import Column, Table
from rgan_train.evaluation.report.texts import format_number, join_with_and
from rgan_train.evaluation.results import TARGET

NEAREST: Final = "Of each column the nearest to the target in bold."

Measure = Callable[[Seen], float]
Wanted = Callable[[Lesion], bool]


def make_tables(evaluation: CohortEvaluation) -> list[Table]:
    """Return AUC, distances, images, HU by tissue; nodules and holes if there are lesions."""
    tables = [
        _auc_table(evaluation),
        _distance_table(evaluation),
        _image_table(evaluation),
        _tissue_table(evaluation),
    ]
    if evaluation.lesions is not None:
        rows = [TARGET, *evaluation.methods]
        tables += [_nodule_table(evaluation.lesions, rows), _hole_table(evaluation.lesions, rows)]
    return tables


def format_separation(found: GroupComparison) -> str:
    """Return ``0.62 (0.35 to 0.65)``, the AUC and its limits; a dash if it was not measured."""
    if found.separation is None:
        return "–"
    auc = format_number(found.separation.auc, 2)
    if found.separation.limits is None:
        return f"{auc} (no limits)"
    low, high = (format_number(limit, 2) for limit in found.separation.limits)
    return f"{auc} ({low} to {high})"


def _auc_table(evaluation: CohortEvaluation) -> Table:
    columns = []
    for kind in evaluation.kinds:
        found = [evaluation.group(kind, row) for row in evaluation.rows]
        areas = [one.separation.auc if one.separation else math.nan for one in found]
        columns.append(_plain_column("", kind, [format_separation(one) for one in found], areas))
    tested = (
        "patients that the classifier did not know"
        if evaluation.by_patient
        else "parts of the slices, by position, of a group that has one patient: neighbours of "
        "slices that the classifier knew"
    )
    remarks = [
        "The classifier is a ridge, with nothing tuned; its AUC is 1 if it is always right. In "
        "brackets the limits within which 95 % lie if the labels of whole folds are exchanged. It "
        f"is tested on {tested}. 0.5 is no goal: anatomy alone separates groups, as two halves of "
        "the target show in the first row. Controls are applied to both groups: pixels drawn at "
        f"random in the same regions, and a Gaussian blur of {BLUR_MM:g} mm. ComBat makes the "
        "means equal that the classifier sees, so that its AUC would say nothing."
    ]
    if few := _few_arrangements(evaluation):
        remarks.append(
            f"No limits: the labels of whole folds have only {join_with_and(few)} arrangements, "
            f"and limits need {FEWEST}, which is at least 7 folds. There nothing says whether the "
            "groups are told apart better than by chance."
        )
    title = "How well a classifier tells the groups apart by their features: area under the curve"
    return Table("auc", f"{title} (AUC)", evaluation.rows, columns, remarks)


def _few_arrangements(evaluation: CohortEvaluation) -> list[str]:
    """Return the numbers of arrangements that are too few for limits."""
    found = [one.separation for one in evaluation.groups]
    few = {one.arrangements for one in found if one and one.limits is None}
    return [str(number) for number in sorted(few)]


def _distance_table(evaluation: CohortEvaluation) -> Table:
    columns = []
    for kind in evaluation.kinds:
        found = [evaluation.group(kind, row) for row in evaluation.rows]
        regions = [join_with_and([str(number) for number in one.regions]) for one in found]
        total = [float(sum(one.regions)) for one in found]
        columns.append(_plain_column(kind, "regions", regions, total))
        for label, name, factor, digits in (
            ("mean difference", "mean_difference", 1, 2),
            ("KS", "kolmogorov_smirnov", 1, 2),
            ("not different, %", "alike", 100, 0),
        ):
            values = [
                math.nan
                if one.distance is None or (name, one.name) == ("alike", HALVES)
                else factor * float(getattr(one.distance, name))
                for one in found
            ]
            texts = [format_number(value, digits) for value in values]
            columns.append(_plain_column(kind, label, texts, values))
    remarks = [
        "Mean difference: of the group means, in standard deviations, the median over the "
        "features. KS: largest distance of the distribution functions (Kolmogorov-Smirnov), the "
        "median. Not different: share of the features without a difference at 5 % false discovery "
        f"rate (Mann-Whitney, of the means of {evaluation.units}, Benjamini-Hochberg). Features "
        "count that are defined everywhere and vary in both groups (results.json has their number "
        "in each row). ComBat makes means and spreads equal by design, on the regions that it is "
        "judged by here.",
        "Fewer regions make distances larger: those of the halves of the target are no goal for "
        "the other rows, and nearly no feature could differ between them.",
    ]
    title = "Distances of the distributions of features from the target's"
    return Table("distances", title, evaluation.rows, columns, remarks)


def _image_table(evaluation: CohortEvaluation) -> Table:
    rows = [TARGET, *evaluation.methods]
    measured = [evaluation.images[row] for row in rows]
    target = evaluation.images[TARGET]
    columns = []
    for tissue in ("soft tissue", "fat", "lung"):
        levels = [one.noise(tissue) for one in measured]
        texts = [format_number(level, 1) for level in levels]
        columns.append(_plain_column("noise, HU", tissue, texts, levels))
    distances = [noise_power_distance(one, target) for one in measured]
    texts = [format_number(distance, 2) for distance in distances]
    columns.append(_plain_column("", "noise power distance, dB", texts, distances))
    for label, name in (("50 %", "f50"), ("10 %", "f10")):
        values = [getattr(one.curves, name).value if one.curves else math.nan for one in measured]
        texts = ["beyond Nyquist" if math.isinf(v) else format_number(v, 1) for v in values]
        columns.append(_plain_column("MTF falls to, lp/cm", label, texts, values))
    remarks = [
        "Noise is not matched: it depends on "
        "dose and patient too. Noise power distance: root mean square over frequencies of 10 log10 "
        "of the power divided by the target's, in even soft tissue. MTF: from a fit of noise and "
        "anatomy; a dash where the slices can't tell their kernel."
    ]
    title = "Noise and kernel, measured on the slices themselves"
    return Table("images", title, rows, list(filter(_has_values, columns)), remarks)


def _tissue_table(evaluation: CohortEvaluation) -> Table:
    rows = [TARGET, *evaluation.methods]
    columns = []
    for name in TISSUES:
        values = [evaluation.images[row].hu[name] for row in rows]
        texts = [format_number(value, 1) for value in values]
        columns.append(_plain_column("", name, texts, values))
    remarks = [
        "Places for the mean HU are chosen on the slices as they came. A method should leave the "
        "means of the input; that the target's differ is its patients'."
    ]
    title = "Mean HU by tissue"
    return Table("tissues", title, rows, list(filter(_has_values, columns)), remarks)


def _nodule_table(lesions: LesionComparison, rows: Sequence[str]) -> Table:
    columns = []
    for diameter in DIAMETERS:
        wanted = of_kind("nodule", diameter=diameter)
        over, label = "contrast, % of the true", f"{diameter:g} mm"
        columns.append(_lesion_column(lesions, rows, over, label, contrast, wanted))
    for hu in NODULE_HU:
        over, label = "contrast by density", f"{format_number(hu, plus='+')} HU"
        columns.append(
            _lesion_column(lesions, rows, over, label, contrast, of_kind("nodule", hu=hu))
        )
    for diameter in DIAMETERS:
        wanted = of_kind("nodule", diameter=diameter)
        over, label = "area, mm²", f"{diameter:g} mm"
        columns.append(_lesion_column(lesions, rows, over, label, area, wanted))
    remarks = [
        f"Nodules are spheres of {_list(NODULE_HU)} HU, cut by slices of {lesions.thickness:g} mm "
        "and blurred by the group's own measured MTF. Contrast: mean of the middle half, in per "
        "cent of what was put in. Area: of what is above half of that. Each is the mean over its "
        "kinds of nodules.",
        NEAREST,
    ]
    title = "Nodules put into the lungs of both groups"
    return Table("nodules", title, rows, columns, remarks)


def _hole_table(lesions: LesionComparison, rows: Sequence[str]) -> Table:
    columns = []
    for over, measure in (("contrast, % of the true", contrast), ("LAA-950, %", laa_950)):
        for diameter in DIAMETERS:
            wanted, label = of_kind("hole", diameter=diameter), f"{diameter:g} mm"
            columns.append(_lesion_column(lesions, rows, over, label, measure, wanted))
    remarks = [
        "Holes have -1000 HU, as emphysema makes them, and are put in like nodules. LAA-950: share "
        "of the pixels of a hole's disc below -950 HU, ± its standard error over the places: it "
        "depends on the kernel's noise and on the lung around.",
        NEAREST,
    ]
    title = "Holes put into the lungs of both groups"
    return Table("holes", title, rows, columns, remarks)


def contrast(seen: Seen) -> float:
    """Return the contrast of a lesion in per cent of the true one."""
    return 100 * seen.contrast


def area(seen: Seen) -> float:
    """Return the area of a lesion, mm2."""
    return seen.area


def laa_950(seen: Seen) -> float:
    """Return LAA-950 of a lesion, per cent."""
    return seen.laa_950


def of_kind(kind: str, diameter: float | None = None, hu: float | None = None) -> Wanted:
    """Return a function that tells whether a lesion is of a kind, size and density."""
    return lambda lesion: (
        lesion.kind == kind and diameter in (None, lesion.diameter) and hu in (None, lesion.hu)
    )


def _lesion_column(
    lesions: LesionComparison,
    rows: Sequence[str],
    over: str,
    label: str,
    measure: Measure,
    wanted: Wanted,
) -> Column:
    values = [lesions.mean(row, measure, wanted) for row in rows]
    digits = 1 if measure is area else 0
    texts = [format_number(value, digits) for value in values]
    if measure is laa_950:
        errors = [lesions.error(row, measure, wanted) for row in rows]
        texts = [
            f"{text} ± {format_number(error)}" for text, error in zip(texts, errors, strict=True)
        ]
    goal = values[rows.index(TARGET)]
    badness = [
        math.nan if row == TARGET else round(abs(value - goal), digits)
        for row, value in zip(rows, values, strict=True)
    ]
    return Column(over, label, texts, values, badness)


def _plain_column(over: str, label: str, texts: list[str], values: list[float]) -> Column:
    """Return a column in which nothing is best."""
    return Column(over, label, texts, values, [math.nan] * len(values))


def _has_values(column: Column) -> bool:
    return any(not math.isnan(value) for value in column.values)


def _list(values: Sequence[float]) -> str:
    return ", ".join(format_number(value, plus="+") for value in values)
