"""Lesions in lungs: where they are put, and what methods leave of them."""

import numpy as np
import pytest
from support.cohorts import SHARP, SOFT, SPACING, THICKNESS, make_cohort
from support.kernels import exponential

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels import frequencies, measure_kernel
from rgan_train.evaluation.cohorts.controls import blur, randomize
from rgan_train.evaluation.cohorts.lesions.places import find_places
from rgan_train.evaluation.cohorts.lesions.plant import FEWEST_PLACES, look, measure_mtfs, plant
from rgan_train.evaluation.cohorts.lesions.render import LESIONS, MTF

FREQUENCY = np.linspace(0, 7, 100)


def curve(mtf):
    return MTF(FREQUENCY, mtf(FREQUENCY))


@pytest.fixture(scope="module")
def soft():
    return make_cohort("source", SOFT, "SOFT", 1, slices=6)


@pytest.fixture(scope="module")
def sharp():
    return make_cohort("target", SHARP, "SHARP", 2, slices=6)


@pytest.fixture(scope="module")
def rounds(soft):
    return plant(soft, curve(SOFT), THICKNESS)


def convert(scan, images):
    """Turn the soft kernel into the sharp one, as a perfect model does."""
    gain = SHARP(frequencies(images.shape[1:], scan.pixel_spacing))
    gain = gain / np.maximum(SOFT(frequencies(images.shape[1:], scan.pixel_spacing)), 0.02)
    return np.fft.irfft2(np.fft.rfft2(images) * gain, images.shape[1:]).astype(np.float32)


def see(cohort, rounds, method):
    (scan,) = cohort.scans
    plain = [method(scan, scan.hu)]
    return [
        seen
        for one in rounds
        for seen in look(one.planted, cohort.scans, plain, [method(scan, one.images[0])])
    ]


def means(seen, kind, diameter):
    chosen = [one for one in seen if (one.lesion.kind, one.lesion.diameter) == (kind, diameter)]
    return [np.mean([getattr(one, name) for one in chosen]) for name in ("contrast", "area")]


def test_lesions_lie_in_lung_and_apart(soft, rounds):
    (scan,) = soft.scans
    assert {one.lesion for each in rounds for one in each.planted} == set(LESIONS)
    for number in range(len(scan.hu)):
        places = np.array(find_places(scan, number)) * SPACING
        for row, column in find_places(scan, number):
            around = scan.hu[number, row - 5 : row + 6, column - 5 : column + 6]
            assert -950 < around.mean() < -700
        gaps = np.hypot(*(places[:, np.newaxis] - places).T)
        assert (gaps + 99 * np.eye(len(places)) >= 30).all()


def test_no_lesion_is_put_to_one_place_twice():
    few = make_cohort("source", SOFT, "SOFT", 1, slices=6)
    rounds = plant(few, curve(SOFT), THICKNESS)
    planted = [(one.lesion, one.number, one.centre) for each in rounds for one in each.planted]
    assert FEWEST_PLACES <= len(rounds[0].planted) < 24
    assert len(set(planted)) == len(planted)


def test_slices_hold_whole_hu_none_below_the_lowest_and_their_padding(soft, rounds):
    (scan,) = soft.scans
    for one in rounds:
        hu = one.images[0]
        assert np.array_equal(hu, np.rint(hu))
        assert hu[~scan.padding].min() >= scan.lowest
        assert np.array_equal(hu[scan.padding], scan.hu[scan.padding])


def test_a_perfect_model_makes_lesions_those_of_the_target(soft, sharp, rounds):
    theirs = see(sharp, plant(sharp, curve(SHARP), THICKNESS), lambda scan, hu: hu)
    ours = see(soft, rounds, convert)
    before = see(soft, rounds, lambda scan, hu: hu)
    for diameter in (4.0, 6.0, 10.0):
        wanted = means(theirs, "nodule", diameter)
        assert means(ours, "nodule", diameter) == pytest.approx(wanted, rel=0.08)
    wanted, found, input_ = (means(seen, "nodule", 4.0)[0] for seen in (theirs, ours, before))
    assert abs(found - wanted) < 0.3 * abs(input_ - wanted)


def test_a_blur_and_random_pixels_lose_lesions(soft, rounds):
    before = see(soft, rounds, lambda scan, hu: hu)
    blurred = see(soft, rounds, blur)
    for diameter in (4.0, 6.0):
        contrast, area = means(blurred, "nodule", diameter)
        expected_contrast, expected_area = means(before, "nodule", diameter)
        assert contrast < 0.5 * expected_contrast
        assert area > 1.5 * expected_area
    random = see(soft, rounds, randomize)
    assert means(random, "nodule", 10.0) == [0, 0]


def test_the_ratio_of_both_mtfs_is_kept(soft, sharp):
    spectra = [measure_kernel(one.scans[0].hu[:, 4:], (SPACING, SPACING)) for one in (soft, sharp)]
    first, second = measure_mtfs(*spectra)
    frequency = np.linspace(0, 5, 30)
    wanted = SHARP(frequency) / SOFT(frequency)
    assert np.abs(second(frequency) / first(frequency) - wanted).max() < 0.15 * wanted.max()
    assert (first(frequency) > 0).all()
    assert first(np.array([99.0])) == 0


def test_without_lung_there_is_no_place(soft):
    body = make_cohort("source", exponential(3.5, 2.0), "SOFT", 1, slices=1)
    body.scans[0].hu[:] = 40
    with pytest.raises(MeasurementError, match="the source group has 0 place"):
        plant(body, curve(SOFT), THICKNESS)
