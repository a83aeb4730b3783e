import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import norm
from support.requirements import require_data

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels.edge_response import edge_points, edge_profile, edge_rise

SPACING = (0.7, 0.7)
SHAPE = (240, 240)
RISE = 2 * norm.ppf(0.9)
"""Edge rise after a Gaussian blur, in standard deviations: 2.563."""


def depth(spacing=SPACING, shape=SHAPE, radius=60.0):
    """Distance in mm from the border of a disc to its inside."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    off_center = (y - shape[0] / 2) * spacing[0] + 0.1, (x - shape[1] / 2) * spacing[1] + 0.23
    return radius - np.hypot(*off_center)


def half_plane(degrees, spacing=SPACING, shape=SHAPE):
    """Distance in mm from a straight border that runs through the image."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    angle = math.radians(degrees)
    down, right = (y - shape[0] / 2) * spacing[0], (x - shape[1] / 2) * spacing[1]
    return 0.3 + down * math.sin(angle) + right * math.cos(angle)


def edges(distance, sigma, slices=2, dark=-1000.0, bright=0.0):
    hu = dark + (bright - dark) * ndtr(distance / sigma)
    return np.repeat(hu[np.newaxis].astype(np.float32), slices, axis=0)


def add_noise(slices, sd, seed):
    noise = np.random.default_rng(seed).normal(0, sd, slices.shape)
    return (slices + noise).astype(np.float32)


@pytest.mark.parametrize(
    ("spacing", "shape"),
    [
        (SPACING, SHAPE),
        ((0.4, 0.4), (420, 420)),
        ((0.5, 0.9), (340, 190)),
        ((0.9, 0.5), (190, 340)),
    ],
)
@pytest.mark.parametrize("sigma", [0.6, 0.9, 1.3])
def test_a_gaussian_edge_rises_in_its_known_distance(sigma, spacing, shape):
    distance = depth(spacing, shape)
    image, target = edges(distance, 1.1), edges(distance, sigma)
    rises = edge_rise(image, target, spacing)
    assert rises == pytest.approx((RISE * 1.1, RISE * sigma), rel=0.03)


@pytest.mark.parametrize("degrees", [0, 10, 45, 70, 90, 180, 225, 300])
def test_edges_of_all_directions(degrees):
    target = edges(half_plane(degrees), 0.8)
    assert edge_rise(target, target, SPACING) == pytest.approx((RISE * 0.8,) * 2, rel=0.02)
    normal = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    np.testing.assert_allclose(edge_points(target, SPACING).normal @ normal, 1, atol=1e-3)


def test_the_profile_is_the_edge_spread_function():
    target = edges(depth(), 0.8)
    profile = edge_profile(edges(depth(), 1.2), target, SPACING)
    assert profile.points == len(edge_points(target, SPACING).slices)
    np.testing.assert_allclose(profile.distance_mm, np.linspace(-6, 6, 121))
    # It is centred within half a step of 0.1 mm, and a plateau begins 3 mm away.
    np.testing.assert_allclose(profile.target, ndtr(profile.distance_mm / 0.8), atol=0.04)
    np.testing.assert_allclose(profile.image, ndtr(profile.distance_mm / 1.2), atol=0.04)


def test_the_first_crossings_count_whatever_overshoots():
    # A Gaussian edge minus a part of its second derivative, like that of a sharp kernel.
    def sharp_edge(z):
        return ndtr(z) + 0.6 * z * norm.pdf(z)

    sigma = 0.9
    hu = (-1000 + 1000 * sharp_edge(depth() / sigma)).astype(np.float32)
    image = np.stack([hu, hu]) + 100  # clear of the padding, below -1024
    profile = edge_profile(image, edges(depth(), sigma) + 100, SPACING)
    assert profile.image.max() > 1.05
    assert profile.image.min() < -0.05
    expected = sigma * (
        brentq(lambda z: sharp_edge(z) - 0.9, 0, 1) - brentq(lambda z: sharp_edge(z) - 0.1, -1, 0)
    )
    rise, _ = edge_rise(image, edges(depth(), sigma) + 100, SPACING)
    assert rise == pytest.approx(expected, rel=0.03)


def test_a_second_crossing_further_out_does_not_count():
    clean = edges(depth(), 0.6)
    ripple = np.exp(-(((depth() - 3) / 0.6) ** 2)) - np.exp(-(((depth() + 3) / 0.6) ** 2))
    image = (clean - 200 * ripple).astype(np.float32) + 100
    profile = edge_profile(image, clean + 100, SPACING)
    assert profile.image[profile.distance_mm > 2].min() == pytest.approx(0.8, abs=0.05)
    assert profile.image[profile.distance_mm < -2].max() == pytest.approx(0.2, abs=0.05)
    rises = edge_rise(image, clean + 100, SPACING)
    assert rises[0] == pytest.approx(rises[1], rel=0.03)


def test_equal_images_have_equal_rises():
    target = add_noise(edges(depth(), 0.8), 30, 0)
    image, own = edge_rise(target.copy(), target, SPACING)
    assert image == own


@pytest.mark.parametrize("sigma", [0.7, 1.1])
def test_noise_changes_little(sigma):
    clean = edges(depth(), sigma, slices=6)
    rises = edge_rise(add_noise(clean, 20, 1), add_noise(clean, 20, 2), SPACING)
    assert rises == pytest.approx((RISE * sigma,) * 2, rel=0.03)


def test_the_choice_of_steep_points_does_not_favour_the_target():
    clean = edges(depth(), 0.9, slices=6)
    rises = [
        edge_rise(add_noise(clean, 40, n), add_noise(clean, 40, 9 + n), SPACING) for n in range(3)
    ]
    image, target = np.mean(rises, axis=0)
    assert target == pytest.approx(image, rel=0.04)


def test_points_lie_on_the_edge_and_apart():
    target = edges(depth(), 0.8, slices=3)
    points = edge_points(target, SPACING)
    center = 0.7 * 120 - np.array([0.1, 0.23])
    outward = points.position_mm - center
    np.testing.assert_allclose(np.hypot(*outward.T), 60, atol=0.15)
    np.testing.assert_allclose(np.sum(outward * points.normal, axis=1), -60, atol=0.3)
    assert (np.diff(points.steepness) <= 0).all()
    for number in range(3):
        here = points.position_mm[points.slices == number]
        distances = np.hypot(*(here[:, np.newaxis] - here).transpose(2, 0, 1))
        assert distances[distances > 0].min() >= 5


def test_the_steepest_quarter_is_taken():
    target = np.concatenate(
        [edges(depth(), 1.3, 3), edges(depth(), 0.7, 2), edges(depth(), 1.2, 2)]
    )
    assert set(edge_points(target, SPACING).slices) == {3, 4}


def test_points_are_chosen_on_the_target_only():
    target = edges(depth(), 0.8)
    expected = edge_profile(target, target, SPACING)
    image = edges(depth(), 1.2)
    image[:, 100:140, 100:140] = 1000  # sharp edges that the target does not have
    profile = edge_profile(image, target, SPACING)
    assert profile.points == expected.points
    np.testing.assert_array_equal(profile.target, expected.target)
    np.testing.assert_array_equal(
        profile.image, edge_profile(edges(depth(), 1.2), target, SPACING).image
    )


def test_corners_are_left_out():
    y, x = np.mgrid[:240, :240]
    square = np.where((abs(y - 120) < 80) & (abs(x - 120) < 80), 0.0, -1000.0)
    target = gaussian_filter(square, 1).astype(np.float32)[np.newaxis]
    from_center = np.sort(abs(edge_points(target, SPACING).position_mm - 0.7 * 120), axis=1)
    np.testing.assert_allclose(from_center[:, 1], 0.7 * 79.5, atol=0.2)  # on a side
    assert (from_center[:, 0] < 0.7 * 79.5 - 3).all()  # and not near its ends


def ring(width):
    """Bright, between two dark regions."""
    return np.minimum(depth(), width - depth())


def add_rim(distance):
    """A bright layer on the bright side, as thin as the skin or the shell of a rib."""
    layer = 700 * np.exp(-(((distance - 1.5) / 0.9) ** 2))
    return (edges(distance, 0.8) + layer).astype(np.float32)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(np.full((2, *SHAPE), -1000, np.float32), id="air"),
        pytest.param(edges(depth(), 0.8, bright=-700), id="a step of 300 HU"),
        pytest.param(edges(depth(), 3.0), id="too blurred"),
        pytest.param(edges(ring(4), 0.8), id="a second edge near"),
        pytest.param(add_rim(depth()), id="a rim"),
        pytest.param(edges(depth(radius=8), 0.8), id="too curved"),
        pytest.param(edges(half_plane(0) - 77, 0.8), id="at the border of the image"),
        pytest.param(edges(depth(), 0.2, dark=-3024, bright=-1000), id="padding"),
        pytest.param(add_noise(np.full((2, *SHAPE), -900, np.float32), 60, 3), id="noise"),
        pytest.param(np.zeros((1, 8, 8), np.float32), id="tiny"),
    ],
)
def test_no_edges(target):
    with pytest.raises(MeasurementError, match="0 place"):
        edge_rise(target, target, SPACING)


def test_a_wide_ring_has_edges_on_both_sides():
    target = edges(ring(20), 0.8)
    position = edge_points(target, SPACING).position_mm - 0.7 * 120
    assert set(np.hypot(*position.T).round(-1)) == {40, 60}
    assert edge_rise(target, target, SPACING)[1] == pytest.approx(RISE * 0.8, rel=0.03)


def test_padding_outside_the_field_of_view_does_not_count():
    target = edges(depth(radius=45), 0.8)
    expected = edge_rise(edges(depth(radius=45), 1.1), target, SPACING)
    padded, image = target.copy(), edges(depth(radius=45), 1.1)
    for slices in (padded, image):
        slices[:, depth(radius=50) < 0] = -3024
    assert edge_rise(image, padded, SPACING) == pytest.approx(expected, rel=0.02)


def test_an_image_without_the_targets_contrast_has_no_rise():
    target = edges(depth(), 0.8)
    assert math.isnan(edge_rise(edges(depth(), 0.8, bright=-500), target, SPACING)[0])
    assert math.isnan(edge_rise(np.full_like(target, -1000), target, SPACING)[0])


def test_other_shapes_are_refused():
    target = edges(depth(), 0.8)
    with pytest.raises(ValueError, match="differ in shape"):
        edge_profile(target[:, :100], target, SPACING)


def test_the_soft_kernel_of_a_patient_has_the_wider_edges():
    folder = require_data("pair_lungdx_A0002_siemens")
    (a,), (b,) = (find_series(folder / kernel).series for kernel in ("B40f", "B70f"))
    soft, sharp = (
        np.stack([read_slice(file.path, file.stamp).hu for file in series.slices[22:26]])
        for series in (a, b)
    )
    spacing = b.pixel_spacing
    soft_rise, sharp_rise = edge_rise(soft, sharp, spacing)
    assert 1.2 * sharp_rise < soft_rise < 2.0 * sharp_rise
    # The other way round, edges are chosen on the soft kernel.
    assert edge_rise(sharp, soft, spacing) == pytest.approx((sharp_rise, soft_rise), rel=0.1)


def test_the_border_of_padding_is_no_edge():
    hu = edges(depth(radius=40.0), 1.2)
    padding = depth(radius=60.0) < 0
    padding[:, :100] = True  # cuts through the disc
    padding = np.broadcast_to(padding, hu.shape)
    padded = np.where(padding, np.float32(-3024), hu)
    points = edge_points(padded, SPACING, padding)
    row, column = (points.position_mm / SPACING).round().astype(int).T
    assert (column > 100 + 6 / 0.7).all()
    assert edge_rise(padded, padded, SPACING, padding)[1] == pytest.approx(RISE * 1.2, rel=0.05)
    assert (np.hypot(row - 120, column - 120) * 0.7 > 38).all()
