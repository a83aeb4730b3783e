"""Least squares on problems whose minimum is known."""

import numpy as np
import pytest

from rgan_sdk.kernels.least_squares import least_squares


def test_rosenbrocks_valley():
    def problem(p):
        x, y = p
        jacobian = np.array([[-20 * x, 10.0], [-1.0, 0.0]])
        return np.array([10 * (y - x * x), 1 - x]), jacobian

    assert least_squares(problem, np.array([-1.2, 1.0])) == pytest.approx([1, 1], abs=1e-4)


def test_the_start_is_kept_where_nothing_is_better():
    def problem(p):
        return np.array([1.0, *p]), np.vstack([np.zeros(2), np.eye(2)])

    assert least_squares(problem, np.zeros(2)).tolist() == [0, 0]
