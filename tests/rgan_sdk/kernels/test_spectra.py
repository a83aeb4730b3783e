"""Power spectra of slices: their scale, and which blocks count."""

import numpy as np
import pytest
from support.kernels import chests, exponential

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.kernels import join_spectra, measure_kernel
from rgan_sdk.kernels.spectra import FREQUENCY


def white(shape=(2, 256, 256), level=40.0, deviation=10.0):
    return np.random.default_rng(0).normal(level, deviation, shape).astype(np.float32)


def test_white_noise_has_its_variance_per_pixel_at_all_frequencies():
    spectra = measure_kernel(white(), (0.5, 0.8))
    power = spectra.mean_power("even")
    inside = (FREQUENCY > 2.5) & (FREQUENCY < 6)
    assert power[inside] == pytest.approx(100 * 0.5 * 0.8, rel=0.15)
    assert np.isnan(power[FREQUENCY > 6.5]).all()  # Nyquist of the coarser direction: 6.25 lp/cm
    assert spectra.noise["soft tissue"] == pytest.approx(10, rel=0.05)
    assert np.isnan(spectra.noise["lung"]).all()


def test_even_blocks_lie_in_soft_tissue_and_structure_has_steps():
    hu = white()
    hu[1] -= 1040  # air
    spectra = measure_kernel(hu, (0.7, 0.7))
    assert spectra.even_blocks.tolist() == [64, 0]
    assert spectra.structure_blocks.tolist() == [0, 0]
    hu[1, :, 128:] += 1040
    assert measure_kernel(hu, (0.7, 0.7)).structure_blocks.tolist() == [0, 7]


def test_blocks_with_padding_do_not_count():
    hu = white((1, 256, 256))
    hu[0, :, 130:] -= 1040
    before = measure_kernel(hu, (0.7, 0.7))
    hu[0, :, 150:] = -2048
    after = measure_kernel(hu, (0.7, 0.7))
    assert before.structure_blocks[0] > 0
    assert after.structure_blocks[0] == 0
    assert (after.even == before.even)[np.isfinite(before.even)].all()


def test_blocks_with_padding_tell_no_noise():
    hu = white((1, 256, 256))
    assert measure_kernel(hu, (0.7, 0.7)).noise["soft tissue"] == pytest.approx(10, rel=0.05)
    drawn = np.random.default_rng(1).random(hu.shape) < 0.045
    scattered = np.where(drawn, np.float32(-3024), hu)  # blocks have the mean of fat
    assert np.isnan(measure_kernel(scattered, (0.7, 0.7)).noise["fat"]).all()
    scattered[0, :, 128:] = hu[0, :, 128:]
    noise = measure_kernel(scattered, (0.7, 0.7)).noise
    assert np.isnan(noise["fat"]).all()
    assert noise["soft tissue"] == pytest.approx(10, rel=0.05)


def test_slices_smaller_than_a_block_have_none():
    spectra = measure_kernel(white((1, 24, 40)), (0.7, 0.7))
    assert spectra.even_blocks[0] == spectra.structure_blocks[0] == 0


def test_only_a_stack_of_slices_is_taken():
    with pytest.raises(ConfigurationError, match=r"\[N, H, W\]"):
        measure_kernel(white((64, 64)), (0.7, 0.7))
    with pytest.raises(ConfigurationError, match="at least one series"):
        join_spectra([])


def test_series_are_joined_and_slices_chosen():
    parts = [
        measure_kernel(white((n, 64, 64)), (spacing,) * 2) for n, spacing in ((1, 0.7), (2, 0.5))
    ]
    joined = join_spectra(parts)
    assert len(joined) == 3
    assert joined.nyquist == pytest.approx(10)
    chosen = joined.take(np.array([2, 0, 0]))
    assert chosen.pixel_spacing[:, 0].tolist() == [0.5, 0.7, 0.7]
    assert chosen.noise["soft tissue"].shape == (3,)


def test_texture_of_the_lung_is_not_called_noise():
    rough = white((1, 128, 256), level=-850, deviation=60)
    hu = np.concatenate([rough, white((1, 128, 256))], axis=1)
    assert np.isnan(measure_kernel(hu, (0.7, 0.7)).noise["lung"]).all()


def test_a_phantom_has_both_kinds_of_blocks():
    spectra = measure_kernel(chests(exponential(4, 2), 0.7, 1, seed=0), (0.7, 0.7))
    assert spectra.structure_blocks[0] > 20
    assert spectra.even_blocks[0] >= 4
