"""The tables of a report: which columns each one has, and what its caption says."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.controls import CONTROL_REPEATS
from rgan_train.evaluation.lungs.density import END_POINTS
from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE
from rgan_train.evaluation.metrics.tissue_bias import TISSUES
from rgan_train.evaluation.regions.smooth import SMOOTHING_MM
from rgan_train.evaluation.report.differences import difference_table
from rgan_train.evaluation.report.table import Column, Table
from rgan_train.evaluation.report.texts import (
    describe_sample,
    describe_slices,
    format_count,
    format_number,
    format_spread,
    pluralize,
)
from rgan_train.evaluation.results import (
    COMBAT,
    COMBAT_SHRUNK,
    INPUT,
    TARGET,
    THRESHOLDS,
    Evaluation,
    FeatureCount,
    Spread,
)

COUNTED: Final = (
    "Counted are features that are defined on the target; in brackets the 95 % interval from "
    "resampled slices."
)
BEST: Final = "Best of each column in bold."
CONTROLS: Final = (
    f"Controls are no methods, and their random regions are those of {CONTROL_REPEATS} repeats. "
    "Random pixels in the same masks, one draw for each kernel: so many features are reproducible "
    "by size and shape of the mask alone. Masks on neither kernel: regions chosen on the mean of "
    f"both after a Gaussian of {SMOOTHING_MM:g} mm, not on the target."
)


def make_tables(evaluation: Evaluation) -> list[Table]:
    """Return the tables of an evaluation.

    Returns
    -------
    list of Table
        Reproducible features, one table for each threshold; the comparison with ComBat, if it was
        applied; differences, if there is a model; image quality; bias; lung density, if there are
        lungs.
    """
    features = [_feature_table(evaluation, threshold) for threshold in THRESHOLDS]
    if any(COMBAT in agreement.method for agreement in evaluation.agreements):
        features.append(_combat_table(evaluation))
    lungs = [_lung_table(evaluation)] if evaluation.lungs else []
    differences = [difference_table(evaluation)] if evaluation.differences else []
    quality = [_quality_table(evaluation), _bias_table(evaluation)]
    return [*features, *differences, *quality, *lungs]


def _feature_table(evaluation: Evaluation, threshold: float) -> Table:
    columns, samples, repeats = [], [], 0
    controls = evaluation.controls.rows
    for group in evaluation.compared_groups:
        agreements = [evaluation.agreement(group, method) for method in evaluation.methods]
        counts = [agreement.counts[threshold] for agreement in agreements]
        others = [
            row[group].counts[threshold] if group in row else None for row in controls.values()
        ]
        over = f"{group}, of {counts[0].total:,}"
        samples.append(f"{group}: {describe_sample(evaluation, group)}.")
        if counts[0].repeats:
            repeats = len(counts[0].repeats)
            spreads = [_spread_over(count.repeats) for count in counts]
            column = _spread_column(over, "repeats", spreads, 0, _largest)
            columns.append(column.with_controls(*_control_spreads(others)))
        texts = [format_count(count) for count in counts]
        features = [float(count.features) for count in counts]
        column = _column(over, "all regions", texts, features, 0, _largest)
        columns.append(column.with_controls(*_control_counts(others)))
    title = f"Reproducible features: concordance (CCC) with the target above {threshold:.2f}"
    remarks = [
        COUNTED,
        f"Random regions were drawn {repeats} times: first the mean ± SD over the repeats, then "
        "all regions together."
        if repeats
        else "",
        *samples,
        CONTROLS if controls else "",
        BEST,
    ]
    name = f"features-{threshold * 100:.0f}"
    methods = [*evaluation.methods, *controls]
    return Table(name, title, methods, columns, list(filter(None, remarks)))


def _control_counts(counts: Sequence[FeatureCount | None]) -> tuple[list[str], list[float]]:
    """Return texts and values of control rows; a dash where a control has no such regions."""
    return (
        [format_count(count) if count else "–" for count in counts],
        [float(count.features) if count else math.nan for count in counts],
    )


def _control_spreads(counts: Sequence[FeatureCount | None]) -> tuple[list[str], list[float]]:
    """Return texts and values of control rows over the repeats."""
    spreads = [_spread_over(count.repeats) if count and count.repeats else None for count in counts]
    return (
        [format_spread(spread, 0) if spread else "–" for spread in spreads],
        [spread.mean if spread else math.nan for spread in spreads],
    )


def _combat_table(evaluation: Evaluation) -> Table:
    threshold, methods = THRESHOLDS[0], evaluation.methods
    columns, shrunk = [], []
    for group in evaluation.compared_groups:
        counts = {
            agreement.method: agreement.counts[threshold]
            for agreement in evaluation.agreements
            if agreement.group == group
        }
        total = next(iter(counts.values())).total
        for label, ending in (("alone", ""), ("with ComBat", COMBAT)):
            found = [counts[method + ending] for method in methods]
            texts = [format_count(count) for count in found]
            features = [float(count.features) for count in found]
            columns.append(_column(f"{group}, of {total:,}", label, texts, features, 0, _largest))
        shrunk.append(f"{group}: {counts[INPUT + COMBAT_SHRUNK].features}")
    remarks = [
        COUNTED,
        "ComBat gives each feature the mean and the spread that it has on the target. It sees the "
        "target's features of the same regions that it is judged by, which no model does, and it "
        "changes tables, not images. In its usual form, with empirical Bayes, the input has "
        f"{'; '.join(shrunk)}.",
        BEST,
    ]
    title = f"Comparison with ComBat: features with a CCC above {threshold:.2f}"
    return Table("combat", title, methods, columns, remarks)


def _quality_table(evaluation: Evaluation) -> Table:
    quality = [evaluation.quality[method] for method in evaluation.methods]
    columns = [
        _spread_column("", "PSNR, dB", [q.psnr_db for q in quality], 2, _largest),
        _spread_column("", "SSIM", [q.ssim for q in quality], 4, _largest),
        _spread_column("", "mean error, HU", [q.mae_hu for q in quality], 2, _smallest),
    ]
    distances = [_noise_distance(q.noise_power) for q in quality]
    texts = [format_number(distance, 2) for distance in distances]
    columns.append(_column("", "noise power distance, dB", texts, distances, 2, _smallest))
    rises = [q.edge_rise_mm for q in quality if q.edge_rise_mm]
    if rises:
        label = f"edge rise, mm (target {format_number(rises[0][1], 2)})"
        widths = [q.edge_rise_mm[0] if q.edge_rise_mm else math.nan for q in quality]
        texts = [format_number(width, 2) for width in widths]
        goal = round(rises[0][1], 2)
        columns.append(_column("", label, texts, widths, 2, lambda mm: round(abs(mm - goal), 2)))
    peak = QUALITY_RANGE
    remarks = [
        _measured_on(evaluation),
        f"PSNR, SSIM and mean absolute error: values clipped to [{format_number(peak.lower)}, "
        f"{peak.upper:.0f}] HU, data range {peak.width:.0f} HU; SSIM with Gaussian weights of "
        "11×11 pixels, σ = 1.5, K1 = 0.01, K2 = 0.03. Noise power distance: root mean square, "
        "over ten radial bands, of 10 log10 of the noise power divided by the target's. Edge rise: "
        "10 to 90 % of an edge's height.",
        BEST,
    ]
    title = "Image quality against the target, mean ± SD over slices"
    return Table("quality", title, evaluation.methods, _drop_unmeasured(columns), remarks)


def _bias_table(evaluation: Evaluation) -> Table:
    quality = [evaluation.quality[method] for method in evaluation.methods]
    columns = []
    for name in quality[0].bias_hu:
        biases = [q.bias_hu[name] for q in quality]
        texts = [format_number(bias, 2, plus="+") for bias in biases]
        columns.append(_column("", name, texts, biases, 2, abs))
    ranges = ", ".join(
        f"{name} {format_number(window.lower)} to {format_number(window.upper)}"
        for name, window in TISSUES.items()
    )
    remarks = [
        _measured_on(evaluation),
        f"HU bias is taken where the target's local mean is in the tissue's range ({ranges}).",
        BEST,
    ]
    title = "HU bias: mean of method minus target by tissue, HU"
    return Table("bias", title, evaluation.methods, _drop_unmeasured(columns), remarks)


def _measured_on(evaluation: Evaluation) -> str:
    return f"Measured on {describe_slices(evaluation)}."


def _lung_table(evaluation: Evaluation) -> Table:
    columns = []
    for name, point in END_POINTS.items():
        goal = _mean_over_lungs(evaluation, TARGET, name)
        over = f"{point.title}, {point.unit} (target {format_number(goal, point.digits)})"
        values = [_mean_over_lungs(evaluation, method, name) for method in evaluation.methods]
        biases = [value - goal for value in values]
        texts = [format_number(value, point.digits) for value in values]
        columns.append(Column(over, "value", texts, values, [math.nan] * len(values)))
        texts = [format_number(bias, point.digits, plus="+") for bias in biases]
        columns.append(_column(over, "bias", texts, biases, point.digits, abs))
    clamped = [_mean_over_lungs(evaluation, name, "clamped") for name in evaluation.methods]
    texts = [format_number(share, 2) for share in clamped]
    goal = _mean_over_lungs(evaluation, TARGET, "clamped")
    over = f"clamped, % (target {format_number(goal, 2)})"
    columns.append(Column(over, "value", texts, clamped, [math.nan] * len(clamped)))
    volumes = [case.volume_ml for case in evaluation.lungs]
    off = sum(bool(case.off_protocol) for case in evaluation.lungs)
    scans = pluralize(len(volumes), "scan")
    remarks = [
        "One mask for all variants, made on the target, without trachea and main bronchi: in the "
        f"mean {format_number(statistics.mean(volumes))} mL.",
        "LAA-950 and LAA-910: share of the lung's voxels below -950 and -910 HU. Perc15: 15th "
        "percentile of HU. Bias: method minus target. Clamped: voxels at the lowest HU of the "
        "image, which stand for all lower ones.",
        f"Off protocol (slices above 1.5 mm, contrast, or expiration): {off} of {scans}.",
        BEST,
    ]
    title = f"Lung density, mean over {scans}"
    return Table("lung", title, evaluation.methods, columns, remarks)


def _mean_over_lungs(evaluation: Evaluation, variant: str, name: str) -> float:
    values = [getattr(case.densities[variant], name) for case in evaluation.lungs]
    return float(np.mean(values))


def _noise_distance(ratio: NDArray[np.float64] | None) -> float:
    if ratio is None:
        return math.nan
    with np.errstate(divide="ignore"):
        return math.sqrt(float(np.mean((10 * np.log10(ratio)) ** 2)))


def _drop_unmeasured(columns: Sequence[Column]) -> list[Column]:
    """Leave out columns without a value: slices may have no edges, or none of a tissue."""
    return [column for column in columns if column.best]


def _spread_over(repeats: Sequence[int]) -> Spread:
    return Spread(statistics.mean(repeats), statistics.stdev(repeats), len(repeats))


def _spread_column(
    over: str,
    label: str,
    spreads: Sequence[Spread],
    digits: int,
    badness: Callable[[float], float],
) -> Column:
    texts = [format_spread(spread, digits) for spread in spreads]
    return _column(over, label, texts, [spread.mean for spread in spreads], digits, badness)


def _column(
    over: str,
    label: str,
    texts: Sequence[str],
    values: Sequence[float],
    digits: int,
    badness: Callable[[float], float],
) -> Column:
    return Column(over, label, texts, values, [badness(round(value, digits)) for value in values])


def _largest(value: float) -> float:
    return -value


def _smallest(value: float) -> float:
    return value
