import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from support.requirements import require_data

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.errors import ConfigurationError
from rgan_sdk.hu import HUWindow
from rgan_train.evaluation.regions.boxes import Box
from rgan_train.evaluation.regions.rois import HU_RANGES, Roi, box_rois, random_rois, whole_slices

SOFT = HUWindow(-100, 250)


def flat(slices=1, size=64, hu=40):
    return np.full((slices, size, size), hu, np.float32)


def places(rois):
    """Return slice, repeat, and the first row and column of each region."""
    return [
        (roi.slice_number, roi.repeat, *(int(axis.min()) for axis in np.nonzero(roi.mask)))
        for roi in rois
    ]


def test_the_papers_ranges():
    assert [(r.lower, r.upper) for r in HU_RANGES] == [(-800, -300), (-100, 250), (300, 800)]


def test_whole_slices():
    padding = np.zeros((3, 4, 5), np.bool_)
    padding[0, 0, 0] = True
    rois = whole_slices(padding)
    assert [(roi.group, roi.slice_number, roi.repeat, roi.pixels) for roi in rois] == [
        ("whole slice", number, 0, pixels) for number, pixels in enumerate((19, 20, 20))
    ]
    assert rois[0].mask.shape == (4, 5)


def test_a_region_is_what_a_square_has_of_the_range():
    target = np.random.default_rng(0).uniform(-1000, 1000, (2, 160, 144)).astype(np.float32)
    rois = random_rois(target, SOFT, seeds=(5, 6, 7), per_slice=3)
    assert len(rois) == 2 * 3 * 3
    for roi in rois:
        hu = target[roi.slice_number]
        rows, columns = (slice(axis.min(), axis.max() + 1) for axis in np.nonzero(roi.mask))
        assert max(roi.mask[rows, columns].shape) <= 32
        in_range = (hu >= -100) & (hu <= 250)
        np.testing.assert_array_equal(roi.mask[rows, columns], in_range[rows, columns])
        assert roi.pixels == roi.mask.sum() >= 100
        assert roi.group == "[-100, 250] HU"
    assert [(roi.slice_number, roi.repeat) for roi in rois] == [
        (number, repeat) for number in range(2) for repeat in range(3) for _ in range(3)
    ]


def test_both_ends_belong_to_the_range():
    target = flat(size=4, hu=np.nan)
    target[0, 0] = np.nextafter(np.float32(-100), -np.inf), -100, 250, 250.0001
    (roi,) = random_rois(target, SOFT, seeds=[0], per_slice=1, size=4, minimum=1)
    assert np.argwhere(roi.mask).tolist() == [[0, 1], [0, 2]]


def test_squares_of_one_seed_do_not_overlap():
    rois = random_rois(flat(size=128), SOFT, seeds=range(20), per_slice=5)
    assert {roi.pixels for roi in rois} == {1024}
    for repeat in range(20):
        own = [roi.mask for roi in rois if roi.repeat == repeat]
        assert len(own) >= 3  # a square takes 63x63 of 97x97 places, so the third has room
        assert np.sum(own, axis=0).max() == 1
    assert np.sum([roi.mask for roi in rois], axis=0).max() > 1  # other seeds draw anew


@given(
    seed=st.integers(0, 2**32),
    density=st.floats(0, 1),
    minimum=st.integers(1, 16),
    shape=st.tuples(st.integers(1, 10), st.integers(1, 10)),
)
def test_a_place_is_found_wherever_there_is_one(seed, density, minimum, shape):
    in_range = np.random.default_rng(seed).random(shape) < density
    target = np.where(in_range, 0, -1000).astype(np.float32)[np.newaxis]
    rois = random_rois(target, SOFT, seeds=[seed], per_slice=100, size=4, minimum=minimum)
    if min(shape) < 4:
        assert not rois
        return
    counts = sliding_window_view(in_range, (4, 4)).sum(axis=(2, 3))
    assert bool(rois) == (counts >= minimum).any()
    assert all(roi.pixels >= minimum for roi in rois)
    # And none was left out: no square full of the range remains.
    free = in_range & ~np.any([roi.mask for roi in rois], axis=0) if rois else in_range
    assert sliding_window_view(free, (4, 4)).sum(axis=(2, 3)).max() < 16


def test_all_places_are_equally_likely():
    target = flat(size=40, hu=-1000)
    target[0, :32, :32] = 0
    # At the block, or one pixel below or to the right of it, which loses 32 pixels.
    rois = random_rois(target, SOFT, seeds=range(900), per_slice=1, minimum=992)
    drawn = [1024 - roi.pixels for roi in rois]
    assert sorted(set(drawn)) == [0, 32]
    assert 250 < drawn.count(0) < 350


def test_the_draw_is_the_same_everywhere():
    rois = random_rois(flat(2), SOFT, seeds=[0, 1], per_slice=1)
    assert places(rois) == [(0, 0, 28, 2), (0, 1, 15, 20), (1, 0, 17, 7), (1, 1, 17, 3)]


def test_a_slice_is_drawn_for_itself():
    target = np.random.default_rng(1).uniform(-300, 300, (4, 64, 64)).astype(np.float32)
    everything = random_rois(target, SOFT, seeds=[3], per_slice=2)
    target[[0, 2, 3]] = -1000
    alone = random_rois(target, SOFT, seeds=[3], per_slice=2)
    assert places(alone) == [place for place in places(everything) if place[0] == 1]
    assert places(random_rois(target[:2], SOFT, seeds=[3], per_slice=2)) == places(alone)


def test_there_may_be_fewer_than_asked_for():
    assert len(random_rois(flat(3, size=40), SOFT, seeds=[0], per_slice=5)) == 3
    assert random_rois(flat(size=31), SOFT, seeds=[0], per_slice=5) == []
    assert random_rois(flat(), HU_RANGES[0], seeds=[0], per_slice=5) == []


@pytest.mark.parametrize("minimum", [0, 1025])
def test_a_square_cannot_have_more_pixels_than_it_has(minimum):
    with pytest.raises(ConfigurationError, match="give a minimum from 1 to 1024"):
        random_rois(flat(), SOFT, seeds=[0], per_slice=1, minimum=minimum)


def test_boxes():
    rois = box_rois({2: Box(1, 2, 4, 4), 0: Box(0, 0, 1, 1)}, (3, 5, 6), "tumour")
    assert [(roi.group, roi.slice_number, roi.pixels) for roi in rois] == [
        ("tumour", 2, 6),
        ("tumour", 0, 1),
    ]
    assert np.argwhere(rois[0].mask).tolist() == [[y, x] for y in (2, 3) for x in (1, 2, 3)]


@pytest.mark.parametrize(
    ("number", "box", "reason"),
    [
        (0, Box(0, 0, 7, 5), "does not lie inside the slice of 6x5"),
        (3, Box(0, 0, 1, 1), "there is no slice 3, only 0 to 2"),
        (-1, Box(0, 0, 1, 1), "there is no slice -1"),
    ],
)
def test_boxes_outside_the_stack(number, box, reason):
    with pytest.raises(ConfigurationError, match=reason):
        box_rois({number: box}, (3, 5, 6), "tumour")


def test_a_real_chest_has_all_three_ranges():
    folder = require_data("pair_lungdx_A0002_siemens")
    (series,) = [s for s in find_series(folder).series if s.convolution_kernel == "B70f"]
    target = np.stack([read_slice(series.slices[number].path).hu for number in (12, 15)])
    for hu_range in HU_RANGES:
        rois = random_rois(target, hu_range, seeds=[0, 1], per_slice=2)
        assert len(rois) == 8
        assert isinstance(rois[0], Roi)
