from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from skimage.draw import polygon2mask

from rgan_train.evaluation.regions.masks.polygons import fill_polygons, overlap_partly, sorted_edges

SHAPE = (20, 30)


def rectangle(left, top, right, bottom):
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)


def block(left, top, right, bottom):
    mask = np.zeros(SHAPE, bool)
    mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("turn", range(4))
def test_any_corner_first_and_either_way_round(step, turn):
    polygon = np.roll(rectangle(2.5, 3.5, 8.5, 5.5)[::step], turn, axis=0)
    np.testing.assert_array_equal(fill_polygons([polygon], SHAPE), block(3, 4, 9, 6))


@given(seed=st.integers(0, 2**32), corners=st.integers(3, 12), size=st.integers(1, 60))
def test_pixel_centres_inside_a_polygon_as_others_find_them(seed, corners, size):
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radii = rng.uniform(0.2, 1, corners) * size
    # Stars do not cross themselves, so all rules agree. Some lie partly outside the image.
    polygon = rng.uniform(0, 20, 2) + np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]
    polygon = np.round(polygon, 4)  # what corners are rounded to: an edge may touch a centre then
    inside = fill_polygons([polygon], SHAPE)
    np.testing.assert_array_equal(inside, polygon2mask(SHAPE, polygon[:, ::-1]))


def test_a_contour_within_a_contour_is_a_hole():
    outer, inner = rectangle(1.5, 1.5, 25.5, 15.5), rectangle(4.5, 4.5, 9.5, 9.5)
    island = rectangle(5.5, 5.5, 7.5, 7.5)
    ring = block(2, 2, 26, 16) & ~block(5, 5, 10, 10)
    np.testing.assert_array_equal(fill_polygons([outer, inner], SHAPE), ring)
    np.testing.assert_array_equal(
        fill_polygons([inner, island, outer], SHAPE), ring | block(6, 6, 8, 8)
    )


def test_a_keyhole_is_a_hole():
    outer, inner = rectangle(1, 1, 25, 15), rectangle(4.5, 4.5, 9.5, 9.5)
    # The line runs in from corner to corner, around the hole, and back the same way.
    keyhole = np.concatenate([outer, outer[:1], inner[::-1], inner[-1:], outer[:1]])
    np.testing.assert_array_equal(
        fill_polygons([keyhole], SHAPE), fill_polygons([outer, inner], SHAPE)
    )


def test_edges_are_the_same_whichever_corner_is_first_and_whichever_way_round():
    polygon = np.array([(2.5, 3), (9, 4), (7, 8), (3, 6)])
    edges = sorted_edges(polygon)
    for turn in range(4):
        turned = np.roll(polygon, turn, axis=0)
        assert sorted_edges(turned) == sorted_edges(turned[::-1] + 1e-6) == edges
    assert sorted_edges(np.append(polygon, polygon[:1], axis=0)) == edges
    assert sorted_edges(polygon[[0, 2, 1, 3]]) != edges
    assert sorted_edges(polygon + 0.001) != edges


@pytest.mark.parametrize(
    ("boxes", "overlap"),
    [
        ([], False),
        ([(1, 1, 9, 9)], False),
        ([(1, 1, 9, 9), (9, 1, 15, 9)], False),  # side by side
        ([(5, 5, 7, 7), (1, 1, 20, 15), (3, 3, 9, 9), (10, 3, 15, 9)], False),  # nested
        ([(1, 1, 9, 9), (8, 1, 15, 9)], True),
        ([(2, 1, 4, 15), (1, 2, 15, 4)], True),
        ([(1, 1, 20, 15), (3, 3, 9, 9), (8, 8, 12, 12)], True),
        ([(-9, -9, 3, 3), (-5, 2, 3, 8)], True),  # both reach out of the image
        ([(-9, -9, -1, -1), (-5, -5, -1, 8), (40, 3, 50, 9)], False),  # outside, nothing is marked
    ],
)
def test_polygons_that_overlap_in_part(boxes, overlap):
    polygons = [rectangle(*np.subtract(box, 0.5)) for box in boxes]
    assert overlap_partly(polygons, SHAPE) == overlap
    assert overlap_partly(polygons[::-1], SHAPE) == overlap


@given(seed=st.integers(0, 2**32), count=st.integers(2, 5))
def test_overlaps_in_part_as_all_pairs_tell(seed, count):
    rng = np.random.default_rng(seed)
    polygons = [rng.uniform(-5, 15) + rng.uniform(0, 25, (5, 2)) for _ in range(count)]
    masks = [fill_polygons([polygon], SHAPE) for polygon in polygons]
    pairs = combinations(masks, 2)
    expected = any((a & b).any() and (a & ~b).any() and (b & ~a).any() for a, b in pairs)
    assert overlap_partly(polygons, SHAPE) == expected


def test_two_contours_apart():
    a, b = (1, 1, 5, 5), (8, 3, 12, 9)
    both = fill_polygons([rectangle(*np.subtract(box, 0.5)) for box in (a, b)], SHAPE)
    np.testing.assert_array_equal(both, block(*a) | block(*b))


@given(st.integers(0, 2**32))
def test_neighbours_share_no_pixel_and_leave_none_out(seed):
    rng = np.random.default_rng(seed)
    # Whole numbers, so that borders go through the centres of pixels.
    border = np.stack([rng.integers(8, 20, 10), np.linspace(0, 18, 10)], axis=1)
    left = np.concatenate([border, [(2, 18), (2, 0)]])
    right = np.concatenate([border, [(28, 18), (28, 0)]])
    a, b = fill_polygons([left], SHAPE), fill_polygons([right], SHAPE)
    assert not (a & b).any()
    np.testing.assert_array_equal(a | b, block(2, 0, 28, 18))


@given(st.integers(0, 2**32))
def test_errors_of_floating_point_do_not_fray_a_border_through_centres(seed):
    polygon = rectangle(3, 4, 9, 11)
    noisy = polygon + np.random.default_rng(seed).uniform(-1e-6, 1e-6, polygon.shape)
    np.testing.assert_array_equal(fill_polygons([noisy], SHAPE), block(3, 4, 9, 11))


@pytest.mark.parametrize(
    "polygon",
    [
        [(4, 4)],
        [(4, 4), (9, 9)],
        [(4, 4), (9, 4), (6, 4)],
        rectangle(-9, -9, -1, -1),
        rectangle(30, 20, 40, 50),
        rectangle(5.1, 5.1, 5.9, 5.9),
    ],
)
def test_no_pixel_centre_inside(polygon):
    assert not fill_polygons([np.array(polygon, np.float64)], SHAPE).any()


def test_beyond_the_image():
    assert fill_polygons([rectangle(-100, -100, 100, 100)], SHAPE).all()
    assert not fill_polygons([], SHAPE).any()


def test_a_polygon_of_many_corners_has_the_area_of_its_circle():
    angles = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    circle = 256 + 200.3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    inside = fill_polygons([circle], (512, 512))
    assert inside.sum() == pytest.approx(np.pi * 200.3**2, rel=1e-3)
    grid = np.stack(np.meshgrid(range(512), range(512)), axis=-1).reshape(-1, 2)
    np.testing.assert_array_equal(inside.ravel(), Outline(circle).contains_points(grid))
