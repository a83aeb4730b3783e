import numpy as np
import pytest
import torch

from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_sdk.hu import HUWindow
from rgan_train.methods.histogram import LookUpCurve, match_histograms
from rgan_train.pairs.samples import PairedSample

WINDOW = HUWindow(-1032.0, 1008.0)


def samples(target_of, seed=0):
    rng = np.random.default_rng(seed)
    source = rng.uniform(-1000, 900, (2, 64, 64)).astype(np.float32)
    # Pixels trade places, so that only the distributions tell of the curve.
    targets = [rng.permutation(target_of(hu).ravel()).reshape(hu.shape) for hu in source]
    return [PairedSample(*pair) for pair in zip(source, targets, strict=True)]


def curve(hu):
    return (0.8 * hu + 50).astype(np.float32)


def fitted(target_of, segments=64):
    network = LookUpCurve(segments)
    network.prepare(samples(target_of), WINDOW, 0.7)
    return network


def apply(network, hu):
    normalized = (torch.from_numpy(hu)[:, None] - WINDOW.lower) / WINDOW.width
    return network(normalized, torch.tensor([0.7]))[:, 0].numpy() * WINDOW.width + WINDOW.lower


def test_the_curve_is_found():
    hu = samples(curve, seed=1)[0].source_hu[None]
    assert np.abs(apply(fitted(curve), hu) - curve(hu)).max() < 5


def test_equal_distributions_change_nothing():
    hu = samples(curve)[0].source_hu[None]
    assert np.abs(apply(fitted(lambda hu: hu), hu) - hu).max() < 5


def test_the_curve_never_falls_and_stays_in_the_window():
    knots = np.linspace(WINDOW.lower, WINDOW.upper, 65)
    spiked = samples(lambda hu: np.where(hu < 0, -1024, hu).astype(np.float32))
    matched = match_histograms(spiked, WINDOW, knots)
    assert (np.diff(matched) >= 0).all()
    assert matched.min() >= WINDOW.lower
    assert matched.max() <= WINDOW.upper


@pytest.mark.parametrize("segments", [1, 5, 64])
def test_the_network_is_the_piecewise_linear_curve(segments):
    network = fitted(curve, segments)
    knots = np.linspace(WINDOW.lower, WINDOW.upper, segments + 1)
    matched = match_histograms(samples(curve), WINDOW, knots)
    hu = np.linspace(WINDOW.lower, WINDOW.upper, 1000, dtype=np.float32).reshape(1, 20, 50)
    assert np.allclose(apply(network, hu), np.interp(hu, knots, matched), atol=0.05)


def test_padding_teaches_nothing():
    knots = np.linspace(WINDOW.lower, WINDOW.upper, 65)
    (sample, *_) = samples(curve)
    wide = [np.pad(hu, 9, constant_values=PADDING_HU) for hu in sample]
    np.testing.assert_array_equal(
        match_histograms([PairedSample(*wide)], WINDOW, knots),
        match_histograms([sample], WINDOW, knots),
    )
