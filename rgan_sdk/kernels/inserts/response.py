"""The MTF from the pixels around one insert of a phantom: a rod's round edge, or a wire.

The textbook way is to sort pixels by their distance from a round edge, which gives an edge spread
function on finer steps than pixels; to differentiate it; and to take the Fourier transform (Judy,
Med Phys 3:233, 1976; Richard et al., Med Phys 39:4115, 2012; AAPM TG-233). Of a wire, the point
spread function is transformed (Bischof and Ehrhardt, Med Phys 4:163, 1977). Here both are one
least-squares fit. The MTF is a cubic spline of frequency; what a pixel at some distance shows is
linear in its coefficients. That needs no bins and no differences, which would blur or amplify
noise, and is not limited by the Nyquist frequency of the pixels, because distances are finer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.kernels.spectra import FREQUENCY

KNOT: Final = 0.1
"""Distance of the spline's knots, 1/mm. Responses then end within some 8 mm."""
BEYOND: Final = 1.6
"""The spline ends at so many times the Nyquist frequency."""
STEP_MM: Final = 0.02
"""Of the tables that responses are looked up in."""
STEPS: Final = 3
"""How often the place of an insert is corrected."""
DOUBTFUL: Final = 0.3
"""Prior deviation of coefficients beyond the Nyquist frequency: pixels may hardly tell them."""
MOST_MM: Final = 0.5
"""By which a place is corrected at once."""
WIDEST_MM: Final = 15.0
"""Of the table for wires."""
DIRECTIONS: Final = np.pi * (np.arange(64) + 0.5) / 64
ROUNDING: Final = 1 / 12
"""Variance of rounding to whole HU."""
TOLERANCE: Final = 0.01
NEAR_MM: Final = 3.0
"""Within this distance of an edge, or of a wire, its response shows."""

Floats = NDArray[np.float64]


class _Table(NamedTuple):
    """Responses of all splines ``[K, splines]`` by distance from the centre of an insert."""

    first: float
    values: Floats

    def lookup(self, distance: Floats) -> tuple[Floats, Floats]:
        """Return responses ``[P, splines]`` at distances, and their slopes."""
        index, part = np.divmod(np.maximum(distance - self.first, 0) / STEP_MM, 1)
        low, high = (self.values[index.astype(np.intp) + step] for step in (0, 1))
        return low + part[:, np.newaxis] * (high - low), (high - low) / STEP_MM


class Response(NamedTuple):
    """What one insert shows.

    Attributes
    ----------
    mtf
        ``[64]`` by ``FREQUENCY``, 1 at frequency 0. It may exceed 1.
    error
        ``[64]`` standard error of it, from pixels whose noise is taken to be white.
    strength
        Contrast of a rod, HU; contrast times cross section of a wire, HU mm^2.
    misfit
        Root mean square of what the fit leaves near the edge, over that elsewhere and a hundredth
        of the response: about 1 for an insert that is what it is taken for.
    """

    mtf: Floats
    error: Floats
    strength: float
    misfit: float


def fit_rod(offset: Floats, values: Floats, radius: float, nyquist: float) -> Response:
    """Return the response of a rod.

    Parameters
    ----------
    offset
        ``[P, 2]`` where pixels lie, down and right of the rod's centre, mm: a ring along its edge.
    values
        ``[P]`` HU.
    radius
        In mm; some millimetres or more.
    nyquist
        Of the pixels, lp/cm.
    """
    return _fit(offset, values, radius, nyquist, _tabulate_rod)


def fit_wire(offset: Floats, values: Floats, nyquist: float) -> Response:
    """Return the response of a wire, from the pixels around it, as ``fit_rod`` does."""
    return _fit(offset, values, 0.0, nyquist, lambda distance, _, knots: _tabulate_wire(knots))


def spline(frequency: Floats, knots: int) -> Floats:
    """Return cubic B-splines that are even functions of frequency in 1/mm, ``[F, knots]``."""
    x = frequency[:, np.newaxis] / KNOT
    centres = np.arange(knots)
    mirrored = _cubic(x + centres) * (centres > 0)
    return np.asarray(_cubic(x - centres) + mirrored)


def _cubic(x: Floats) -> Floats:
    distance = np.abs(x)
    inner = 2 / 3 - distance**2 + distance**3 / 2
    return np.where(distance < 1, inner, np.maximum(2 - distance, 0) ** 3 / 6)


def _tabulate_rod(distance: Floats, radius: float, knots: int) -> _Table:
    """Tabulate the profile of a round edge.

    Its slope is that of a straight one times ``sqrt(radius / distance)``. That is the leading term
    of the Bessel functions that a disc and its profile consist of. The slope of a straight edge,
    the line spread function, is the Fourier transform of the splines.
    """
    grid = np.arange(max(distance.min() - STEP_MM, STEP_MM), distance.max() + 3 * STEP_MM, STEP_MM)
    depth = (grid - radius)[:, np.newaxis]
    waves = np.cos(2 * np.pi * KNOT * np.arange(knots) * depth)
    waves[:, 1:] *= 2
    line_spread = KNOT * np.sinc(KNOT * depth) ** 4 * waves
    slope = -np.sqrt(radius / grid)[:, np.newaxis] * line_spread
    return _Table(float(grid[0]), STEP_MM * (np.cumsum(slope, axis=0) - slope / 2))


@functools.cache
def _tabulate_wire(knots: int) -> _Table:
    """Tabulate the point spread function, the Hankel transform of the splines."""
    distance = np.arange(0, WIDEST_MM, STEP_MM)
    frequency = np.arange(0, KNOT * (knots + 1), KNOT / 20)
    phases = 2 * np.pi * np.outer(distance, frequency)
    # The Bessel function J0 is the mean of waves in all directions.
    waves = np.mean([np.cos(phases * np.sin(angle)) for angle in DIRECTIONS], axis=0)
    measure = 2 * np.pi * frequency * KNOT / 20
    return _Table(0.0, (waves * measure) @ spline(frequency, knots))


def _fit(
    offset: Floats,
    values: Floats,
    radius: float,
    nyquist: float,
    tabulate: Callable[[Floats, float, int], _Table],
) -> Response:
    """Fit the MTF, and in turn where the insert lies."""
    knots = int(np.ceil(BEYOND * nyquist / 10 / KNOT)) + 1
    weak = KNOT * 10 * np.arange(knots) > nyquist
    rod = radius > 0
    weight = 0.0
    for step in range(STEPS + 1):
        distance = np.maximum(np.hypot(*offset.T), STEP_MM)
        response, slope = tabulate(distance, radius, knots).lookup(distance)
        design = np.hstack([response, np.ones((len(values), 1)), offset / distance.max()])
        penalty = np.concatenate([weight * weak, np.zeros(3)])
        normal = design.T @ design
        normal += np.diag(penalty + 1e-9 * normal.diagonal())
        coefficients = np.linalg.solve(normal, design.T @ values)
        residues = values - design @ coefficients
        variance = float(np.mean(residues**2))
        strength = spline(np.zeros(1), knots)[0] @ coefficients[:knots]
        if step == STEPS:
            break
        weight = variance / (DOUBTFUL * strength) ** 2
        moved = _find_shift(offset, distance, slope @ coefficients[:knots], residues, rod=rod)
        offset = offset - moved[:2]
        radius += moved[2]
    mtf, error = _evaluate(coefficients[:knots], variance * np.linalg.inv(normal)[:knots, :knots])
    near = np.abs(distance - radius) < NEAR_MM
    elsewhere = np.sqrt(max(np.mean(residues[~near] ** 2), ROUNDING))
    elsewhere += TOLERANCE * np.ptp(response @ coefficients[:knots])
    misfit = np.sqrt(np.mean(residues[near] ** 2)) / elsewhere
    return Response(mtf, error, float(strength), float(misfit))


def _find_shift(
    offset: Floats, distance: Floats, slope: Floats, residues: Floats, *, rod: bool
) -> Floats:
    """Return by how much the insert lies further down and right, and is wider."""
    direction = offset / distance[:, np.newaxis]
    design = -slope[:, np.newaxis] * np.column_stack([direction, np.ones(len(distance)) * rod])
    normal = design.T @ design
    normal[np.diag_indices(3)] *= 1 + 1e-9
    normal[2, 2] += 0.0 if rod else 1.0
    moved = np.linalg.solve(normal, design.T @ residues)
    return np.asarray(np.clip(moved, -MOST_MM, MOST_MM))


def _evaluate(coefficients: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """Return the MTF by ``FREQUENCY`` and its standard error, to first order."""
    basis = spline(np.concatenate([[0.0], FREQUENCY / 10]), len(coefficients))
    curve = basis @ coefficients
    mtf = curve[1:] / curve[0]
    jacobian = (basis[1:] - mtf[:, np.newaxis] * basis[0]) / curve[0]
    error = np.sqrt(np.einsum("fi,ij,fj->f", jacobian, covariance, jacobian))
    return mtf, error
