"""Nonlinear least squares with NumPy alone, by the method of Levenberg and Marquardt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_STEPS: Final = 60
TOLERANCE: Final = 1e-6
"""The search ends where a step makes the sum of squares smaller by less than this part."""
MOST_DAMPING: Final = 1e10

Floats = NDArray[np.float64]
Problem = Callable[[Floats], tuple[Floats, Floats]]
"""Takes parameters ``[P]``; returns residuals ``[M]`` and their derivatives ``[M, P]``."""


def least_squares(problem: Problem, start: Floats) -> Floats:
    """Return the parameters for which the sum of squared residuals is least.

    Marquardt (J. SIAM 11:431, 1963): steps are those of Gauss and Newton, damped by the diagonal
    of the normal matrix where they do not help.

    Parameters
    ----------
    problem
        Residuals and derivatives. They must be finite.
    start
        ``[P]``, near enough to the minimum that is meant.
    """
    parameters, damping = start, 1e-3
    residuals, jacobian = problem(parameters)
    for _ in range(MOST_STEPS):
        normal, gradient = jacobian.T @ jacobian, jacobian.T @ residuals
        before = residuals @ residuals
        while True:
            damped = normal + damping * np.diag(normal.diagonal())
            candidate = parameters - np.linalg.solve(damped, gradient)
            residuals, derivatives = problem(candidate)
            if (after := residuals @ residuals) < before:
                break
            damping *= 4
            if damping > MOST_DAMPING:
                return parameters
        parameters, jacobian = candidate, derivatives
        damping = max(damping / 8, 1e-12)
        if before - after < TOLERANCE * before:
            break
    return parameters
