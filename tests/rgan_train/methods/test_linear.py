"""The filter against a kernel that is known."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve, gaussian_filter
from torch.nn import functional

from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_sdk.errors import TrainingError
from rgan_sdk.hu import HUWindow
from rgan_train.config import DomainConfig, LinearConfig
from rgan_train.methods.linear import LinearFilter
from rgan_train.pairs.samples import PairedSample

WINDOW = HUWindow(-1032.0, 1008.0)
SPACING = 0.7


def scene(seed):
    """A slice with structure at all scales, far from both ends of the window."""
    rng = np.random.default_rng(seed)
    coarse = gaussian_filter(rng.normal(0, 1, (256, 256)), 6)
    return 200 * coarse / coarse.std() + rng.normal(0, 40, (256, 256))


def pairs(make_target, count=3):
    sources = [scene(seed) for seed in range(count)]
    return [
        PairedSample(hu.astype(np.float32), make_target(hu).astype(np.float32)) for hu in sources
    ]


def fitted(samples, domain=DomainConfig(), **settings):  # noqa: B008 - it cannot change
    network = LinearFilter(LinearConfig(**settings), domain)
    network.prepare(samples, WINDOW, SPACING)
    return network


def kernel_of(network, spacing=SPACING):
    return network.kernel_at(torch.tensor([spacing]))


def harmonized(network, hu, spacing=SPACING):
    normalized = (torch.from_numpy(hu)[None, None] - WINDOW.lower) / WINDOW.width
    return network(normalized, torch.tensor([spacing]))[0, 0].numpy() * WINDOW.width + WINDOW.lower


def sharpen(hu):
    return hu + 1.5 * (hu - gaussian_filter(hu, 1.0, mode="nearest"))


ONE_SIDED = np.array([[0, 0, 0], [0, 0.5, 0.3], [0, 0.2, 0]])


def shift(hu):
    return convolve(hu, ONE_SIDED, mode="nearest")


@pytest.mark.parametrize("kind", ["2d", "radial"])
def test_an_isotropic_kernel_is_found(kind):
    network = fitted(pairs(sharpen), kind=kind, taps=31)
    (unseen,) = pairs(sharpen, 4)[3:]
    error = harmonized(network, unseen.source_hu) - unseen.target_hu
    before = unseen.source_hu - unseen.target_hu
    assert error.std() < 0.03 * before.std()


def test_a_kernel_with_a_direction_needs_two_dimensions():
    (unseen,) = pairs(shift, 4)[3:]
    errors = {
        kind: (
            harmonized(fitted(pairs(shift), kind=kind, taps=31), unseen.source_hu)
            - unseen.target_hu
        ).std()
        for kind in ("2d", "radial")
    }
    assert errors["2d"] < 0.03 * (unseen.source_hu - unseen.target_hu).std() < errors["radial"]


@pytest.mark.parametrize("taps", [15, 31, 129])
def test_a_constant_image_stays(taps):
    network = fitted(pairs(sharpen), taps=taps)
    constant = np.full((256, 256), 321.0, np.float32)
    assert np.abs(harmonized(network, constant) - 321).max() < 0.05
    assert kernel_of(network).shape == (1, 1, taps, taps)


def test_a_kernel_longer_than_a_block_is_filled_with_zeros():
    kernel = kernel_of(fitted(pairs(sharpen), taps=131))[0, 0]
    assert not kernel[:2].any()
    assert kernel[2:-2].any()


def test_trained_through_the_spectra_and_exported_as_a_convolution():
    network = fitted(pairs(shift), kind="2d", taps=15)
    slices = torch.rand(2, 1, 40, 56)
    padded = functional.pad(slices, (7,) * 4, mode="replicate")
    expected = functional.conv2d(padded, kernel_of(network))
    assert torch.allclose(network.predict_at(slices, torch.tensor([SPACING])), expected, atol=1e-5)
    graph = str(torch.export.export(network, (slices, torch.tensor([SPACING]))).graph)
    assert "conv2d" in graph
    assert "fft" not in graph


def test_slices_smaller_than_a_block():
    small = [PairedSample(*np.zeros((2, 64, 64), np.float32))]
    with pytest.raises(TrainingError, match="slices of at least 128x128 pixels"):
        fitted(small)


def test_equal_series_give_no_change():
    network = fitted(pairs(lambda hu: hu))
    assert not kernel_of(network).any()


def test_padding_teaches_nothing():
    plain = pairs(sharpen)
    padded = []
    for sample in plain:
        images = [hu.copy() for hu in sample]
        for hu in images:
            hu[:40] = PADDING_HU
        padded.append(PairedSample(*images))
    lower = [PairedSample(*(hu[64:] for hu in s)) for s in plain]
    assert torch.equal(kernel_of(fitted(padded, taps=31)), kernel_of(fitted(lower, taps=31)))


def test_padding_everywhere_is_refused():
    (sample,) = pairs(sharpen, 1)
    for hu in sample:
        hu[::100] = PADDING_HU
    with pytest.raises(TrainingError, match="a part of that size that has no padding"):
        fitted([sample])


AWARE = DomainConfig(spacing_aware=True)


FREQUENCY = np.linspace(0, 0.5, 101)


def response(kernel):
    """Return the transfer function along one axis, by ``FREQUENCY`` in cycles per pixel."""
    line = kernel[0, 0].sum(0).numpy()
    places = np.arange(len(line)) - len(line) // 2
    return np.cos(2 * np.pi * FREQUENCY[:, None] * places) @ line


def test_the_taps_at_the_reference_are_those_of_a_filter_for_one_spacing():
    samples = pairs(sharpen)
    assert torch.equal(kernel_of(fitted(samples, AWARE)), kernel_of(fitted(samples)))


@pytest.mark.parametrize("factor", [1.2, 1.4])
@pytest.mark.parametrize("kind", ["radial", "2d"])
def test_the_filter_acts_alike_in_line_pairs_per_millimetre(factor, kind):
    network = fitted(pairs(sharpen), AWARE, kind=kind)
    known = response(kernel_of(network))
    wanted = np.interp(FREQUENCY / factor, FREQUENCY, known)
    assert np.abs(known - wanted).max() > 0.15
    found = response(kernel_of(network, SPACING * factor))
    np.testing.assert_allclose(found, wanted, atol=0.08)


def test_beyond_the_table_the_taps_stay_the_same():
    network = fitted(pairs(sharpen), AWARE)
    ends = [SPACING * factor for factor in (0.7, 1.4)]
    for end, beyond in zip(ends, (0.3, 2.0), strict=True):
        torch.testing.assert_close(kernel_of(network, beyond), kernel_of(network, end))
    assert not torch.equal(*(kernel_of(network, end) for end in ends))


def test_on_coarse_pixels_it_is_as_good_as_one_made_for_them():
    """A soft source there holds little but rounding at the highest frequencies."""

    def blurred(hu):
        return np.round(gaussian_filter(hu, 1.6, mode="nearest"))

    sharp = [scene(seed) for seed in range(4)]
    samples = [PairedSample(*(np.float32(hu) for hu in (blurred(one), one))) for one in sharp]
    coarse = [PairedSample(*(np.round(hu) for hu in sample.resample(1.4))) for sample in samples]
    spacing = 1.4 * SPACING
    aware = fitted(samples[:3], DomainConfig(spacing_aware=True))
    alone = fitted(coarse[:3])
    source, target = coarse[3]
    errors = [
        np.sqrt(np.mean((harmonized(network, source, spacing) - target) ** 2))
        for network in (aware, alone)
    ]
    assert errors[0] < 1.02 * errors[1]
