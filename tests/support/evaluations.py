"""A small evaluation, made without a model, a scan or pyradiomics."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rgan_train.evaluation.evaluate import with_combat
from rgan_train.evaluation.metrics.blocks import Place
from rgan_train.evaluation.metrics.differences import compare_methods
from rgan_train.evaluation.metrics.reproducibility import compare_all
from rgan_train.evaluation.metrics.stability import measure_stability
from rgan_train.evaluation.random_pixels import RANDOM
from rgan_train.evaluation.regions.rois import Roi, whole_slices
from rgan_train.evaluation.results import (
    INPUT,
    TARGET,
    Controls,
    Evaluation,
    FeatureCount,
    FeatureTable,
    ImageQuality,
    Spread,
)

SHAPE = (4, 48, 64)
RANGE = "[-100, 250] HU"
RANGES = ("[-800, -300] HU", RANGE, "[300, 800] HU")
LONG_NAMES = tuple(f"radiomicgan-b40f-to-b70f-fold-{number}-of-8" for number in range(1, 9))
NAMES = tuple(
    f"{image}_{feature}"
    for image in ("original", "wavelet-LL")
    for feature in ("firstorder_Mean", "firstorder_Entropy", "glcm_Contrast", "glszm_ZoneEntropy")
)


def make_evaluation(
    models: Sequence[str] = ("good", "fair"), patients: int = 1, ranges: Sequence[str] = (RANGE,)
) -> Evaluation:
    """Return an evaluation with a group for whole slices and each range, and one that is too small.

    Models come from the best to the worst, all better than the input. ``NAMES[5]`` is undefined
    in one region.
    """
    rng = np.random.default_rng(0)
    noise = {INPUT: 2.0, **{name: 0.1 + 0.5 * rank for rank, name in enumerate(models)}}
    target = rng.normal(0, 200, SHAPE).astype(np.float32)
    images = {TARGET: list(target)}
    for name, sigma in noise.items():
        images[name] = list(target + rng.normal(0, 30 * sigma, SHAPE).astype(np.float32))
    table = _make_table(noise, rng, ranges)
    quality = {name: _make_quality(sigma) for name, sigma in noise.items()}
    places = [Place(f"patient {number % patients}", "1", number) for number in range(SHAPE[0])]
    return Evaluation(
        source_kernel="B40f",
        target_kernel="B70f",
        patients=patients,
        manufacturers=("SIEMENS",),
        methods=tuple(noise),
        images=images,
        pixel_spacings=[(0.7, 0.7)] * SHAPE[0],
        table=table,
        agreements=compare_all(table),
        quality=quality,
        differences=compare_methods(table, quality, places, list(noise)),
        controls=_make_controls(table, [INPUT, *models[:1]]),
        stability=measure_stability(table, places, list(noise)),
        notes=("one note",),
        provenance={
            "command": "rgan-train evaluate",
            "models": {"good": {"sha256": "ab" * 32}},
            "features": {"sha256": "cd" * 32},
        },
    )


def with_narrow_limits(evaluation: Evaluation) -> Evaluation:
    """Give limits as of many slices: with four, nothing is stable and no gain is clear."""
    distances = np.array([-0.05, 0.02])
    return replace(
        evaluation,
        stability=[
            replace(one, limits=np.minimum(one.ccc[:, np.newaxis] + distances, 1))
            for one in evaluation.stability
        ],
        differences=[
            replace(one, interval=(one.value - 1, one.value + 1)) for one in evaluation.differences
        ],
    )


def make_wide_evaluation() -> Evaluation:
    """Return an evaluation whose tables are as wide as they get: long names and numbers, ComBat."""
    small = make_evaluation(LONG_NAMES, ranges=RANGES)
    table = with_combat(small.table)
    count = FeatureCount(1234, 1395, (1180.0, 1290.0), (1229, 1239))
    agreements = [
        replace(one, counts=dict.fromkeys(one.counts, count)) for one in compare_all(table)
    ]
    differences = [
        replace(one, value=-1111.0, interval=(-1234.0, -1003.0)) if one.group else one
        for one in small.differences
    ]
    return replace(small, table=table, agreements=agreements, differences=differences)


def make_regions(ranges: Sequence[str] = (RANGE,)) -> list[Roi]:
    """Return 4 whole slices, for each range 24 regions in 2 repeats, and 2 of a tumour."""
    rois = whole_slices(np.zeros(SHAPE, np.bool_))
    for number in range(SHAPE[0]):
        for place in range(6):
            mask = np.zeros(SHAPE[1:], np.bool_)
            mask[4 : 20 + number, 9 * place : 9 * place + 8] = True
            mask[8, 9 * place + 3] = False
            rois += [Roi(name, number, mask, repeat=place % 2) for name in ranges]
    return [*rois, *(Roi("tumour", number, rois[4].mask) for number in (0, 1))]


def _make_table(
    noise: dict[str, float], rng: np.random.Generator, ranges: Sequence[str]
) -> FeatureTable:
    rois = make_regions(ranges)
    shape = len(rois), len(NAMES)
    hardness = np.linspace(0.1, 1, len(NAMES))
    values = {TARGET: rng.normal(size=shape)}
    for name, sigma in noise.items():
        values[name] = values[TARGET] + sigma * hardness * rng.normal(size=shape)
    values[TARGET][7, 5] = np.nan
    return FeatureTable(rois, NAMES, values)


def _make_controls(table: FeatureTable, methods: Sequence[str]) -> Controls:
    """Return controls in the random regions; ``NAMES[1]`` alone is the same on random pixels."""
    rows = table.rows(RANGE)
    rois = [table.rois[row] for row in rows]
    drawn = np.random.default_rng(1).normal(size=(2, len(rows), len(NAMES)))
    drawn[1, :, 1] = drawn[0, :, 1]
    random = FeatureTable(rois, NAMES, dict(zip((TARGET, RANDOM), drawn, strict=True)))
    values = {name: table.values[name][rows] for name in (TARGET, *methods)}
    return Controls(compare_all(random), compare_all(FeatureTable(rois, NAMES, values)))


def _make_quality(sigma: float) -> ImageQuality:
    slices = SHAPE[0]
    return ImageQuality(
        psnr_db=Spread(45 - 5 * sigma, 0.25, slices),
        ssim=Spread(1 - sigma / 50, 0.001, slices),
        mae_hu=Spread(5 + 9 * sigma, 0.5, slices),
        noise_power=np.linspace(1, 1 / (1 + sigma), 10),
        edge_rise_mm=(1.1 + sigma / 4, 1.1),
        bias_hu={"lung": -sigma, "bone": sigma / 3, "fat": float("nan")},
        by_slice={
            "psnr_db": 45 - 5 * sigma + np.linspace(-0.3, 0.3, slices) * (1 + sigma),
            "ssim": np.full(slices, 1 - sigma / 50),
        },
    )
