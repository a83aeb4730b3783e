"""Lung density of all variants of a pair, in one mask."""

from statistics import NormalDist

import numpy as np
import pytest
from support.lungs import SHARES, make_chest, write_chest
from support.training import list_pairs

from rgan_train.config import DataConfig
from rgan_train.evaluation.lungs.compare import compare_lungs
from rgan_train.evaluation.results import INPUT, TARGET
from rgan_train.evaluation.stacks import read_test_stack
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset

CONFIG = DataConfig(
    source_kernel="B40f",
    target_kernel="B70f",
    train_slices="0-1",
    validation_slices="2",
    test_slices="3-19",
)


@pytest.fixture(scope="module")
def chest():
    return make_chest()


def read_pair(root, source, target, **attributes):
    write_chest(root / "soft", source, **attributes)
    write_chest(root / "sharp", target, "B70f", series=2)
    dataset = load_dataset(read_pairs(list_pairs(root)), CONFIG, needed=("test",))
    return read_test_stack(dataset)


@pytest.fixture(scope="module")
def stack(chest, tmp_path_factory):
    hu, _ = chest
    sharp = hu + np.random.default_rng(2).normal(0, 30, hu.shape).round().astype(np.float32)
    return read_pair(tmp_path_factory.mktemp("pair"), hu, sharp)


def compare(stack, **models):
    return compare_lungs(stack, {TARGET: stack.target_hu, INPUT: stack.source_hu, **models})


def test_all_variants_in_one_mask(stack, chest):
    (case,), notes = compare(stack)
    assert not notes
    assert not case.off_protocol
    assert case.slices == tuple(range(17))
    lungs = chest[1][3:]
    assert np.count_nonzero(case.mask.voxels & lungs) > 0.995 * np.count_nonzero(lungs)
    assert case.volume_ml == pytest.approx(np.count_nonzero(lungs) * 1.25**2 * 5 / 1000, rel=0.01)
    soft, sharp = case.densities[INPUT], case.densities[TARGET]
    assert soft.laa_950 == pytest.approx(20, abs=0.5)
    assert soft.laa_910 == pytest.approx(30, abs=0.5)
    assert soft.perc15_hu == -970
    assert soft.mean_hu == pytest.approx(-882, abs=0.5)
    normal = NormalDist(0, 30)  # the noise, rounded: whole HU below -950 end at -950.5
    expected = sum(share * normal.cdf(-950.5 - hu) for hu, share in SHARES.items())
    assert sharp.laa_950 == pytest.approx(100 * expected, abs=0.5)
    assert sharp.clamped == pytest.approx(100 * SHARES[-970] * normal.cdf(-53.5), abs=0.1)
    assert sharp.mean_hu == pytest.approx(soft.mean_hu, abs=0.5)


def test_a_pair_off_protocol(chest, tmp_path):
    hu, _ = chest
    stack = read_pair(tmp_path, hu, hu, ContrastBolusAgent="CANARY 350")
    (case,), (note,) = compare(stack)
    assert case.off_protocol == ("ContrastBolusAgent (0018,0010) states contrast",)
    assert "off protocol" in note
    assert "CANARY" not in note


def test_no_lungs_is_a_note(chest, tmp_path):
    hu, lungs = chest
    solid = np.where(lungs, np.float32(40), hu)
    cases, (note,) = compare(read_pair(tmp_path, solid, solid))
    assert not cases
    assert "no lung was found" in note
