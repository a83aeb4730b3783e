"""Blocks of slices, and differences between methods with limits from them."""

import itertools
import math

import numpy as np
import pytest
from support.evaluations import NAMES, RANGE, make_evaluation, make_regions

from rgan_train.evaluation.metrics.blocks import Place, SliceSamples, block_length, draw_slices
from rgan_train.evaluation.metrics.differences import compare_methods
from rgan_train.evaluation.metrics.reproducibility import compare_all
from rgan_train.evaluation.results import FeatureTable, ImageQuality, Spread

pytestmark = pytest.mark.filterwarnings("error")


def one_scan(count):
    return [Place("a", "1", float(number)) for number in range(count)]


def make_quality(psnr_db):
    psnr_db = np.asarray(psnr_db, float)
    spread = Spread(0.0, 0.0, len(psnr_db))
    values = {"psnr_db": psnr_db, "ssim": psnr_db / 100}
    return ImageQuality(spread, spread, spread, None, None, {}, by_slice=values)


def compare_slices(places, **methods):
    """Compare methods by PSNR and SSIM; there are no features."""
    quality = {name: make_quality(values) for name, values in methods.items()}
    return compare_methods(FeatureTable([], (), {}), quality, places, list(methods))


@pytest.mark.parametrize(
    ("slices", "length"), [(1, 1), (2, 2), (8, 2), (9, 3), (27, 3), (28, 4), (64, 4), (70, 5)]
)
def test_block_length(slices, length):
    assert block_length(slices) == length


def test_blocks_are_neighbours_whatever_the_order_of_the_slices():
    order = np.random.default_rng(5).permutation(9)
    samples = draw_slices([Place("a", "1", float(number)) for number in order], replicates=200)
    assert samples.block == 3
    by_position = samples.counts[:, np.argsort(order)]
    rings = np.array([[(k - start) % 9 < 3 for k in range(9)] for start in range(9)], int)
    possible = {tuple(rings[list(s)].sum(0)) for s in itertools.product(range(9), repeat=3)}
    assert {tuple(row) for row in by_position.tolist()} <= possible
    assert not {tuple(row) for row in samples.counts.tolist()} <= possible
    assert np.array_equal(by_position, draw_slices(one_scan(9), replicates=200).counts)


def test_all_slices_are_drawn_equally_often():
    counts = draw_slices(one_scan(10), replicates=4000).counts
    assert (counts.sum(axis=1) == 10).all()
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.06)
    assert np.array_equal(counts, draw_slices(one_scan(10), replicates=4000).counts)
    assert not np.array_equal(counts, draw_slices(one_scan(10), replicates=4000, seed=1).counts)


def test_ten_patients_are_drawn_whole():
    places = [Place(f"p{number // 3}", "1", float(number)) for number in range(30)]
    samples = draw_slices(places)
    assert (samples.block, samples.units) == (0, 10)
    by_patient = samples.counts.reshape(-1, 10, 3)
    assert (by_patient == by_patient[..., :1]).all()
    assert draw_slices(places[:27]).block == 3


def correlated(rng, count, neighbours):
    """Return noise of variance 1 with this correlation between neighbours."""
    values = rng.normal(size=count)
    for number in range(1, count):
        fresh = math.sqrt(1 - neighbours**2) * values[number]
        values[number] = neighbours * values[number - 1] + fresh
    return values


@pytest.mark.parametrize(
    ("slices", "neighbours", "least", "most"),
    [(8, 0, 0.92, 0.99), (30, 0, 0.92, 0.99), (30, 0.5, 0.84, 0.95)],
)
def test_how_often_the_limits_hold_the_truth(slices, neighbours, least, most):
    rng = np.random.default_rng(0)
    samples = draw_slices(one_scan(slices), replicates=400)
    hits = 0
    for _ in range(500):
        values = correlated(rng, slices, neighbours)
        low, high = samples.interval(values.mean(), samples.counts @ values / slices)
        hits += low <= 0 <= high
    assert least < hits / 500 < most


def test_single_slices_would_give_limits_that_are_too_narrow():
    values = correlated(np.random.default_rng(1), 60, 0.8)
    blocks = draw_slices(one_scan(60))
    alone = np.random.default_rng(0).multinomial(60, [1 / 60] * 60, 1000)
    low, high = blocks.interval(values.mean(), blocks.counts @ values / 60)
    narrow = SliceSamples(alone, 1, 60).interval(values.mean(), alone @ values / 60)
    assert high - low > 1.3 * (narrow[1] - narrow[0])


def test_a_constant_gain_has_no_spread_though_slices_differ():
    slices = np.linspace(30, 45, 8)
    psnr, ssim = compare_slices(one_scan(8), input=slices, good=slices + 2)
    assert (psnr.measure, psnr.method, psnr.other) == ("psnr_db", "good", "input")
    assert psnr.value == pytest.approx(2)
    assert psnr.interval == pytest.approx((2, 2))
    assert ssim.value == pytest.approx(0.02)
    assert (psnr.slices, psnr.patients, psnr.block) == (8, 1, 2)


def test_equal_methods_differ_by_0():
    values = [40, math.inf, 38, 37, 41, math.nan]
    psnr, ssim = compare_slices(one_scan(6), input=values, same=values)
    for one in (psnr, ssim):
        assert (one.value, one.interval, one.slices) == (0, (0, 0), 5)


def test_too_few_slices_and_infinite_gains_have_no_limits():
    few, _ = compare_slices(one_scan(3), input=[1, 2, 3], good=[2, 2, 5])
    assert few.value == 1
    assert np.isnan(few.interval).all()
    perfect, _ = compare_slices(one_scan(6), input=[40] * 6, good=[math.inf] * 6)
    assert perfect.value == math.inf
    assert np.isnan(perfect.interval).all()


def test_counts_of_features_are_compared_pair_by_pair():
    evaluation = make_evaluation(("good", "fair"))
    found = [one for one in evaluation.differences if one.measure == "features"]
    assert [(one.method, one.other) for one in found[::2]] == [
        ("good", "input"),
        ("fair", "input"),
        ("fair", "good"),
    ]
    assert {one.group for one in found} == {"whole slice", RANGE}  # the tumour has 2 regions
    for one in found:
        counts = [evaluation.agreement(one.group, m).counts[0.85] for m in (one.method, one.other)]
        assert one.value == counts[0].features - counts[1].features
        assert one.interval[0] <= one.value <= one.interval[1]


def test_equal_features_differ_by_0_and_undefined_ones_do_not_count():
    rng = np.random.default_rng(2)
    rois = make_regions()
    target = rng.normal(size=(len(rois), len(NAMES)))
    target[7, 5] = np.nan
    near = target + 0.4 * rng.normal(size=target.shape)
    table = FeatureTable(rois, NAMES, {"target": target, "input": near, "same": near})
    assert compare_all(table)[2].counts[0.85].features > 0
    quality = {name: make_quality([40.0] * 4) for name in ("input", "same")}
    found = compare_methods(table, quality, one_scan(4), ["input", "same"])
    assert len(found) == 4
    assert all((one.value, one.interval) == (0, (0, 0)) for one in found)
