"""Padding, and a few slices from all over."""

import numpy as np
import pytest

from rgan_sdk.slices import pad_to_multiple, spread_indices


@pytest.mark.parametrize("shape", [(5, 7), (3, 5, 7), (2, 1, 5, 7)])
def test_edges_are_repeated_at_the_ends(shape):
    hu = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    padded = pad_to_multiple(hu, 4)
    assert padded.shape == (*shape[:-2], 8, 8)
    assert padded.dtype == np.float32
    assert (padded[..., :5, :7] == hu).all()
    assert (padded[..., 5:, :7] == hu[..., 4:, :]).all()
    assert (padded[..., 7:] == padded[..., 6:7]).all()


def test_what_fits_is_not_copied():
    hu = np.zeros((3, 8, 16), np.float32)
    assert pad_to_multiple(hu, 8) is hu


@pytest.mark.parametrize(
    ("total", "count", "expected"),
    [
        (10, 3, [0, 4, 9]),
        (10, 1, [0]),
        (3, 10, [0, 1, 2]),
        (5, 5, [0, 1, 2, 3, 4]),
        (1, 4, [0]),
        (0, 4, []),
    ],
)
def test_indices_are_spread_over_all(total, count, expected):
    assert spread_indices(total, count) == expected
