"""Stored values to HU and back: the native core against NumPy, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgan_sdk import _core
from rgan_sdk.errors import ConfigurationError
from rgan_sdk.hu import HUWindow, hu_to_stored, stored_to_hu

DTYPES = [np.uint8, np.int8, np.uint16, np.int16]
SLOPES = [1.0, 0.5, -1.0, 2.44140625, 0.1, 1e-3]
INTERCEPTS = [-1024.0, 0.0, -1000.25, 0.3]


def oracle_hu(stored, slope, intercept):
    return (stored.astype(np.float64) * slope + intercept).astype(np.float32)


def oracle_stored(hu, slope, intercept, minimum, maximum, dtype):
    rounded = np.rint((hu.astype(np.float64) - intercept) / slope)
    clamped = np.clip(rounded, minimum, maximum)
    return clamped.astype(dtype), int((rounded != clamped).sum())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("intercept", INTERCEPTS)
def test_every_stored_value_gives_numpys_bits(dtype, slope, intercept):
    limits = np.iinfo(dtype)
    stored = np.arange(limits.min, limits.max + 1, dtype=np.int64).astype(dtype).reshape(16, -1)
    expected = oracle_hu(stored, slope, intercept)
    assert stored_to_hu(stored, slope, intercept).tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("slope", SLOPES)
def test_hu_to_stored_rounds_half_to_even_and_clamps_like_numpy(dtype, slope):
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(1)
    span = abs(slope) * (limits.max - limits.min)
    hu = rng.uniform(-span, 2 * span, (64, 64)).astype(np.float32)
    hu[:8] = np.round(hu[:8]) + 0.5
    out = np.empty(hu.shape, dtype)
    clips = hu_to_stored(hu, slope, -1024.0, int(limits.min), int(limits.max), out)
    expected, expected_clips = oracle_stored(hu, slope, -1024.0, limits.min, limits.max, dtype)
    assert out.tobytes() == expected.tobytes()
    assert clips == expected_clips > 0


@settings(max_examples=50, deadline=None)
@given(
    stored=st.lists(st.integers(-32768, 32767), min_size=1, max_size=40),
    slope=st.floats(0.01, 100),
    intercept=st.floats(-5000, 5000),
)
def test_round_trip_is_exact(stored, slope, intercept):
    array = np.array([stored], np.int16)
    back = np.empty_like(array)
    clips = hu_to_stored(
        stored_to_hu(array, slope, intercept), slope, intercept, -32768, 32767, back
    )
    hu = stored_to_hu(array, slope, intercept).astype(np.float64)
    exact = np.abs((hu - intercept) / slope - array) < 0.5
    assert (back[exact] == array[exact]).all()
    assert clips == 0 or not exact.all()


def test_limits_narrower_than_the_type_are_kept():
    hu = np.array([[-2000.0, 0.0, 5000.0]], np.float32)
    out = np.empty(hu.shape, np.uint16)
    assert hu_to_stored(hu, 1.0, -1024.0, 0, 4095, out) == 2
    assert out.tolist() == [[0, 1024, 4095]]


def test_not_a_number_counts_as_clamped():
    hu = np.array([[np.nan, np.inf, -np.inf]], np.float32)
    out = np.empty(hu.shape, np.int16)
    assert hu_to_stored(hu, 1.0, 0.0, -10, 10, out) == 3
    assert out.tolist() == [[-10, 10, -10]]


def test_a_callers_buffer_is_filled():
    out = np.zeros((1, 2), np.float32)
    returned = stored_to_hu(np.array([[1, 2]], np.uint16), 2.0, -1.0, out)
    assert returned is out
    assert out.tolist() == [[1.0, 3.0]]


@pytest.mark.parametrize("slope", [0.0, float("nan"), float("inf")])
def test_useless_slopes_are_refused(slope):
    with pytest.raises(ValueError, match="slope"):
        stored_to_hu(np.zeros((1, 1), np.int16), slope, 0.0)


def test_shapes_and_types_are_checked():
    stored = np.zeros((2, 3), np.int16)
    with pytest.raises(ValueError, match="same shape"):
        _core.stored_to_hu(stored, 1.0, 0.0, np.zeros((3, 2), np.float32))
    with pytest.raises(TypeError):
        _core.stored_to_hu(stored.astype(np.int32), 1.0, 0.0, np.zeros((2, 3), np.float32))
    with pytest.raises(TypeError):
        _core.stored_to_hu(stored, 1.0, 0.0, np.zeros((2, 3), np.float64))
    with pytest.raises(ValueError, match="minimum and maximum"):
        _core.hu_to_stored(np.zeros((2, 3), np.float32), 1.0, 0.0, 0, 70000, stored)


def test_window():
    assert HUWindow(-1024, 1000).width == 2024
    with pytest.raises(ConfigurationError, match="empty"):
        HUWindow(100, 100)
