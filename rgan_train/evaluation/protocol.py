"""The rules of an evaluation that are not options, for whoever describes it in a paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE
from rgan_train.evaluation.metrics.reproducibility import LEVEL, REPLICATES
from rgan_train.evaluation.regions.choice import REPEATS
from rgan_train.evaluation.regions.rois import FEWEST_PIXELS, HU_RANGES, SQUARE, Roi
from rgan_train.evaluation.results import THRESHOLDS


def describe_regions(
    least: int, rois: Sequence[Roi] = (), given: Sequence[Roi] = ()
) -> dict[str, Any]:
    """Return how regions were made, as JSON data.

    Parameters
    ----------
    least
        Smallest number of random regions in each HU range that was asked for.
    rois
        All regions.
    given
        Those of them that come from masks or boxes.
    """
    return {
        "hu_ranges": [[one.lower, one.upper] for one in HU_RANGES],
        "square_pixels": SQUARE,
        "fewest_pixels": FEWEST_PIXELS,
        "draws": REPEATS,
        "asked_for": least,
        "groups": dict(Counter(roi.group for roi in rois)),
        "given": list(dict.fromkeys(roi.group for roi in given)),
    }


def describe_statistics() -> dict[str, Any]:
    """Return how features and images of pairs are compared, as JSON data."""
    return {
        "reproducible_above": list(THRESHOLDS),
        "bootstrap_samples": REPLICATES,
        "confidence_level": LEVEL,
        "quality_range_hu": [QUALITY_RANGE.lower, QUALITY_RANGE.upper],
    }
