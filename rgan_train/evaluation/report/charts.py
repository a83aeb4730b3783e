"""The data that ``report.js`` draws the charts and the viewer from."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.kernels.noise_power import BANDS
from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE
from rgan_train.evaluation.results import (
    COMBAT,
    TARGET,
    THRESHOLDS,
    Agreement,
    Evaluation,
    filter_and_class,
    most_reproducible,
)

THRESHOLD: Final = THRESHOLDS[0]
FENCES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles that a box and its whiskers show."""

KNOWN_FEATURES: Final = (
    "original_firstorder_Mean",
    "original_firstorder_Entropy",
    "original_firstorder_Skewness",
    "original_glcm_Contrast",
    "original_glcm_JointEntropy",
    "original_glrlm_RunEntropy",
    "original_glszm_ZoneEntropy",
    "original_gldm_DependenceEntropy",
    "original_ngtdm_Coarseness",
)
"""Features that many radiomics papers report."""

IMAGE_BYTES: Final = 11_000_000
"""Most encoded bytes of slices in a report, which holds at least one slice."""


def chart_data(evaluation: Evaluation) -> dict[str, Any]:
    """Return what the charts show, as JSON data without NaN."""
    groups = evaluation.compared_groups
    return {
        "patients": evaluation.patients,
        "thresholds": THRESHOLDS,
        "qualityRange": [int(QUALITY_RANGE.lower), int(QUALITY_RANGE.upper)],
        "methods": list(evaluation.methods),
        "combat": COMBAT,
        "variants": variants_of(evaluation),
        "best": best_method(evaluation),
        "groups": groups,
        "counts": [_by_method(evaluation, group, _count) for group in groups],
        "distributions": [_by_method(evaluation, group, _distribution) for group in groups],
        "heat": _heat_maps(evaluation, groups),
        "blandAltman": _bland_altman(evaluation, groups),
        "noise": _noise(evaluation),
        "edges": {
            method: list(quality.edge_rise_mm)
            for method, quality in evaluation.quality.items()
            if quality.edge_rise_mm and np.isfinite(quality.edge_rise_mm).all()
        },
        "viewer": _viewer(evaluation),
    }


def variants_of(evaluation: Evaluation) -> list[str]:
    """Return the methods, followed by each with ComBat if it was applied."""
    combined = [method + COMBAT for method in evaluation.methods]
    there = {agreement.method for agreement in evaluation.agreements}
    return [*evaluation.methods, *(name for name in combined if name in there)]


def best_method(evaluation: Evaluation, groups: Sequence[str] | None = None) -> str:
    """Return the model with the most reproducible features over the given groups, or over all."""
    groups = evaluation.compared_groups if groups is None else groups
    found = [agreement for agreement in evaluation.agreements if agreement.group in groups]
    return most_reproducible(found, evaluation.methods)


def feature_columns(names: Sequence[str]) -> dict[tuple[str, str], list[int]]:
    """Return the column numbers of each filter and feature class."""
    columns: dict[tuple[str, str], list[int]] = {}
    for column, name in enumerate(names):
        columns.setdefault(filter_and_class(name), []).append(column)
    return columns


def _by_method(evaluation: Evaluation, group: str, measure: Any) -> dict[str, Any]:
    return {name: measure(evaluation.agreement(group, name)) for name in evaluation.methods}


def _count(agreement: Agreement) -> dict[str, Any]:
    count = agreement.counts[THRESHOLD]
    interval = _finite(count.interval)
    return {"features": count.features, "total": count.total, "interval": interval}


def _counted_ccc(agreement: Agreement) -> NDArray[np.float64]:
    """Return the CCC ``[F]``: NaN for features that do not count, 0 where a model undid one."""
    return np.where(agreement.defined, np.nan_to_num(agreement.ccc), np.nan)


def _distribution(agreement: Agreement) -> list[float]:
    """Return quantiles of the features' CCC; empty where none is defined."""
    ccc = _counted_ccc(agreement)
    ccc = ccc[np.isfinite(ccc)]
    return np.quantile(ccc, FENCES).round(4).tolist() if len(ccc) else []


def _heat_maps(evaluation: Evaluation, groups: Sequence[str]) -> dict[str, Any]:
    """Return, by filter (row) and class (column), the median CCC and how many are above."""
    columns = feature_columns(evaluation.table.names)
    filters = list(dict.fromkeys(image for image, _ in columns))
    classes = list(dict.fromkeys(name for _, name in columns))

    def rows(agreement: Agreement) -> list[list[list[float] | None]]:
        ccc = _counted_ccc(agreement)
        return [
            [_cell(ccc[columns.get((image, name), [])]) for name in classes] for image in filters
        ]

    maps = [
        {name: rows(evaluation.agreement(group, name)) for name in variants_of(evaluation)}
        for group in groups
    ]
    return {"filters": filters, "classes": classes, "maps": maps}


def _cell(ccc: NDArray[np.float64]) -> list[float] | None:
    ccc = ccc[np.isfinite(ccc)]
    if not len(ccc):
        return None
    above = int(np.count_nonzero(ccc > THRESHOLD))
    return [round(float(np.median(ccc)), 4), above, len(ccc)]


def _bland_altman(evaluation: Evaluation, groups: Sequence[str]) -> dict[str, Any]:
    """Return the values of a few features, and the rows of each group."""
    table = evaluation.table
    features = _chosen_features(evaluation, groups)
    columns = [table.names.index(name) for name in features]
    return {
        "features": [{"name": name, "note": note} for name, note in features.items()],
        "rows": [table.rows(group).tolist() for group in groups],
        "values": {
            variant: [_finite(values[:, column], digits=7) for column in columns]
            for variant, values in table.values.items()
        },
    }


def _chosen_features(evaluation: Evaluation, groups: Sequence[str]) -> dict[str, str]:
    """Return features to show in detail, with a note: known ones, the best and the worst."""
    names = evaluation.table.names
    chosen = {name: "" for name in KNOWN_FEATURES if name in names}
    if not groups:
        return chosen
    best = best_method(evaluation)
    ccc = np.mean([_counted_ccc(evaluation.agreement(group, best)) for group in groups], axis=0)
    if np.isfinite(ccc).any():
        chosen[names[int(np.nanargmax(ccc))]] = f"highest CCC of {best}"
        chosen[names[int(np.nanargmin(ccc))]] = f"lowest CCC of {best}"
    return chosen


def _noise(evaluation: Evaluation) -> dict[str, Any]:
    width = 0.5 / BANDS
    return {
        "frequencies": [round((band + 0.5) * width, 4) for band in range(BANDS)],
        "ratios": {
            method: _finite(quality.noise_power, digits=5)
            for method, quality in evaluation.quality.items()
            if quality.noise_power is not None
        },
    }


def _viewer(evaluation: Evaluation) -> dict[str, Any]:
    """Return the middle, first and last slice, as many as the size of the file allows."""
    total = len(evaluation.images[TARGET])
    slices: list[dict[str, Any]] = []
    used = 0
    for number in dict.fromkeys((total // 2, 0, total - 1)):
        encoded = _slice(evaluation, number)
        used += sum(map(len, [encoded["target"], *encoded["differences"].values()]))
        if slices and used > IMAGE_BYTES:
            break
        slices.append(encoded)
    slices.sort(key=lambda encoded: int(encoded["number"]))
    return {"total": total, "slices": slices}


def _slice(evaluation: Evaluation, number: int) -> dict[str, Any]:
    """Encode a slice: the target in HU, and the difference of each method from it."""
    target = _round_hu(evaluation.images[TARGET][number])
    return {
        "number": number,
        "rows": target.shape[0],
        "columns": target.shape[1],
        "target": _encode(target),
        "differences": {
            method: _encode(_round_hu(evaluation.images[method][number]) - target)
            for method in evaluation.methods
        },
        "outlines": _outlines(evaluation, number),
    }


def _round_hu(hu: NDArray[np.float32]) -> NDArray[np.int16]:
    # Half the range of int16, so that differences fit too.
    return np.rint(np.clip(hu, -16384, 16383)).astype(np.int16)


def _encode(hu: NDArray[np.int16]) -> str:
    return base64.b64encode(zlib.compress(hu.astype("<i2").tobytes(), 9)).decode("ascii")


def _outlines(evaluation: Evaluation, number: int) -> dict[str, str]:
    """Return the outlines of a slice's regions by group, without whole slices."""
    masks: dict[str, list[NDArray[np.bool_]]] = {}
    for roi in evaluation.table.rois:
        if roi.slice_number == number and not roi.mask.all():
            masks.setdefault(roi.group, []).append(roi.mask)
    return {group: "".join(map(outline, found)) for group, found in masks.items()}


def outline(mask: NDArray[np.bool_]) -> str:
    """Return the outline of a mask ``[H, W]`` as an SVG path in units of pixels."""
    padded = np.pad(mask, 1)
    across = (padded[1:] != padded[:-1])[:, 1:-1]  # [H + 1, W]: edges above pixels
    down = (padded[:, 1:] != padded[:, :-1])[1:-1]  # [H, W + 1]: edges left of pixels
    rows = [f"M{x} {y}h{length}" for y, x, length in _runs(across)]
    columns = [f"M{x} {y}v{length}" for x, y, length in _runs(down.T)]
    return "".join(rows + columns)


def _runs(edges: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return row, first column and length of each run of True, ``[runs, 3]``."""
    steps = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.argwhere(steps == 1), np.argwhere(steps == -1)
    return np.column_stack([starts, ends[:, 1] - starts[:, 1]])


def _finite(values: Any, digits: int | None = None) -> list[float | None]:
    """Return numbers that JSON can hold: None for those that are not finite."""
    array = np.asarray(values, np.float64).tolist()
    short = (lambda value: float(f"{value:.{digits}g}")) if digits else float
    return [short(value) if np.isfinite(value) else None for value in array]
