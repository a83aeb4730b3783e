"""What the spectra of one or two groups of slices say of their kernels: model and fit.

In a linear reconstruction, what a kernel does to anatomy it does to noise. Of slices of group g,
a block with structure (c = 1) or an even one (c = 2) has the power

    P(f) = T_g(f)^2 * (A f^-b_c * exp(D(f)) + N f) + pixel area / 12.

- ``T_g`` is the transfer of the kernel, 1 at f = 0. Its logarithm is a cubic spline without slope
  at 0, so that it can rise above 1 as edge-enhancing kernels do, and fall at any pace.
- ``A f^-b_c`` is anatomy. The power of a straight edge falls as f^-2 along its normal, and averaged
  over all directions as f^-3. The exponents are fitted.
- ``N f`` is the noise of filtered back projection, a ramp before the kernel (Riederer, Pelc and
  Chesler, Phys Med Biol 23:446, 1978; ICRU 87).
- ``D`` is what both groups share: how anatomy differs from a power law, and the blur of focal spot,
  detector and slice thickness, which noise does not have. It is a spline as ``log T`` is.
- Rounding to whole HU adds 1/12 HU^2.

A and N are free for each kind of block and pixel spacing, so cases and doses may differ. Where the
structure is an insert of a phantom, A and b are known. Splines
are held smooth by priors. What no data decide, such as how ``T`` of both groups and ``D`` share a
factor, priors do; the ratio of both ``T`` is what data decide. The prior is symmetric: exchanged
groups give the inverse ratio.

The idea of a joint fit of power laws and a ramp is common; splines, shared factor and priors are
ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels.least_squares import least_squares
from rgan_sdk.kernels.spectra import (
    BIN,
    EVEN_BLOCK,
    FREQUENCY,
    HIGHEST,
    STRUCTURE_BLOCK,
    KernelSpectra,
)

KNOT: Final = 1.0
"""Distance of the knots of splines, lp/cm."""
KNOTS: Final = int(HIGHEST / KNOT)

SIMILAR: Final = 0.05
"""Pixel spacings whose logarithms differ by less share levels of anatomy and noise."""


Name = Literal["structure", "even"]


class _Kind(NamedTuple):
    """A kind of blocks: their size, and from how many periods in a block on they count."""

    side: int
    periods: float


KINDS: Final[dict[Name, _Kind]] = {
    "structure": _Kind(STRUCTURE_BLOCK, 1.2),
    "even": _Kind(EVEN_BLOCK, 1.8),
}
FEWEST_BANDS: Final = 4
"""Of fewer bands, a spectrum tells nothing."""

ERROR: Final = 0.1
"""Standard deviation of log P from the model, with any number of blocks."""

EXPONENT: Final = (3.0, 0.5)
"""Prior of the exponents of anatomy, mean and deviation."""
EDGE_EXPONENT: Final = (3.0, 0.001)
EDGE_LEVEL: Final = 0.001
EDGE_ERROR: Final = 0.03
"""Of the inserts of a phantom, b and A are known: prior of b, deviations of log A and of log P."""

CURVATURE: Final = (-0.03, 0.15, 0.1)
"""Prior of the mean of log T: of the second derivative at each knot, mean and deviation, and
deviation of the difference between knots; per (lp/cm)^2."""
DIFFERENCE: Final = (0.0, 0.2, 0.2)
"""The same for the difference of log T between groups."""
SHARED: Final = (0.0, 0.3, 0.3)
"""The same for D."""
NOISE_OF_KINDS: Final = 1.0
NOISE_OF_STACKS: Final = 1.5
"""Deviation of log N between kinds of blocks, and between stacks."""

INDEPENDENT: Final = 0.3
"""A block that overlaps with others counts as this many."""
Floats = NDArray[np.float64]


def spline_basis(frequency: Floats) -> Floats:
    """Return the splines ``[F, K]`` by which curvatures at the knots become a curve.

    Each is the double integral, from 0, of a hat function. So it has neither value nor slope at 0.
    """
    knots = KNOT * np.arange(KNOTS)
    x = frequency[:, np.newaxis]

    def cubic(shift: float) -> Floats:
        part: Floats = np.maximum(x - knots - shift, 0) ** 3 / (6 * KNOT)
        return part

    basis = cubic(-KNOT) - 2 * cubic(0) + cubic(KNOT)
    basis[:, 0] = frequency**2 / 2 - frequency**3 / (6 * KNOT) + cubic(KNOT)[:, 0]
    return basis


@dataclass(frozen=True)
class Stack:
    """Slices of one group and of similar pixel spacing."""

    group: int
    spectra: KernelSpectra

    @property
    def log_edge(self) -> float:
        """The logarithm of A of a phantom's inserts; NaN for anatomy."""
        return float(np.log(self.spectra.edge.mean()))


def make_stacks(groups: Sequence[KernelSpectra]) -> list[Stack]:
    """Divide each group by pixel spacing, and patients from phantoms."""
    stacks = []
    for number, spectra in enumerate(groups):
        size = np.round(np.log(spectra.pixel_spacing.max(axis=1)) / SIMILAR)
        kind = np.column_stack([np.isfinite(spectra.edge), size])
        stacks += [
            Stack(number, spectra.take((kind == one).all(axis=1)))
            for one in np.unique(kind, axis=0)
        ]
    return stacks


@dataclass(frozen=True)
class Fit:
    """The fitted parameters.

    Attributes
    ----------
    curvature
        ``[G, K]`` of log T of each group.
    shared
        ``[K]`` of D.
    exponents
        Of anatomy in structure and in even blocks.
    misfit
        Root mean square of log P minus the model.
    parameters
        All, as ``GroupModel.fit`` takes them for a start.
    """

    curvature: Floats
    shared: Floats
    exponents: tuple[float, float]
    misfit: float
    parameters: Floats

    def log_transfer(self, frequency: Floats, group: int = 0) -> Floats:
        """Return log T of a group."""
        return np.asarray(spline_basis(frequency) @ self.curvature[group])


class _Rows(NamedTuple):
    """Data of one kind of one stack, and where their parameters are."""

    log_power: Floats
    weight: Floats
    log_frequency: Floats
    basis: Floats
    log_floor: float
    sign: float
    level: int
    exponent: int


class GroupModel:
    """The model for given groups.

    Parameters are the curvatures of the mean of log T, of the difference between two groups and
    of D; log A and log N of each kind of each stack; and the exponents.

    Raises
    ------
    MeasurementError
        If the pixels hold too few frequencies.
    """

    def __init__(self, groups: Sequence[KernelSpectra]) -> None:
        self.groups = len(groups)
        self.stacks = make_stacks(groups)
        self._splines = (2 + (self.groups - 1)) * KNOTS
        self._exponent = self._splines + 2 * len(KINDS) * len(self.stacks)
        self.size = self._exponent + len(KINDS) + 1
        self.rows = [
            rows for number, stack in enumerate(self.stacks) for rows in self._data(number, stack)
        ]
        if not self.rows:
            spacing = max(spectra.pixel_spacing.max() for spectra in groups)
            raise MeasurementError(
                f"pixels of {spacing:g} mm are too coarse: they hold too few spatial frequencies "
                "to tell a kernel"
            )
        self._prior, self._centre, self.start = self._make_prior()

    def fit(self, start: Floats | None = None, centre: Floats | None = None) -> Fit:
        """Fit, from other parameters or around another centre of the prior, if given."""
        aim = self._centre if centre is None else centre

        def problem(parameters: Floats) -> tuple[Floats, Floats]:
            parts = [self.residuals(rows, parameters) for rows in self.rows]
            residuals = [part for part, _ in parts] + [self._prior @ parameters - aim]
            return np.concatenate(residuals), np.concatenate([*(j for _, j in parts), self._prior])

        return self._result(least_squares(problem, self.start if start is None else start))

    def draw_centre(self, random: np.random.Generator) -> Floats:
        """Return a centre that the prior might as well have had."""
        return self._centre + random.standard_normal(len(self._centre))

    def _data(self, number: int, stack: Stack) -> list[_Rows]:
        spacing = stack.spectra.pixel_spacing
        nyquist = 5 / spacing.max()
        found = []
        for index, (name, kind) in enumerate(KINDS.items()):
            blocks = getattr(stack.spectra, f"{name}_blocks")
            if not blocks.any():
                continue
            power = stack.spectra.mean_power(name)
            lowest = 10 * kind.periods / (kind.side * spacing.min())
            inside = (lowest <= FREQUENCY) & (nyquist - BIN / 2 >= FREQUENCY)
            inside &= np.isfinite(power) & (power > 0)
            if inside.sum() < FEWEST_BANDS:
                continue
            frequency = FREQUENCY[inside]
            insert = name == "structure" and np.isfinite(stack.log_edge)
            terms = np.pi * frequency * BIN * (kind.side * spacing.mean() / 10) ** 2
            scatter = 1 / np.maximum(INDEPENDENT * blocks.sum() * terms, 0.5)
            found.append(
                _Rows(
                    np.log(power[inside]),
                    1 / np.sqrt((EDGE_ERROR if insert else ERROR) ** 2 + scatter),
                    np.log(frequency),
                    spline_basis(frequency),
                    float(np.log(np.prod(spacing, axis=1).mean() / 12)),
                    (stack.group - 0.5) * (self.groups - 1),
                    self._splines + 2 * (len(KINDS) * number + index),
                    self._exponent + (len(KINDS) if insert else index),
                )
            )
        return found

    def residuals(self, rows: _Rows, parameters: Floats) -> tuple[Floats, Floats]:
        """Return how far the model is from data, in deviations, and the derivatives."""
        splines = parameters[: self._splines].reshape(-1, KNOTS)
        log_transfer = rows.basis @ splines[0]
        if self.groups == 2:
            log_transfer += rows.sign * (rows.basis @ splines[2])
        anatomy, noise = parameters[rows.level : rows.level + 2]
        shared = rows.basis @ splines[1]
        log_anatomy = anatomy - parameters[rows.exponent] * rows.log_frequency + shared
        log_noise = noise + rows.log_frequency
        log_source = np.logaddexp(log_anatomy, log_noise)
        log_power = np.logaddexp(2 * log_transfer + log_source, rows.log_floor)
        seen = rows.weight * np.exp(2 * log_transfer + log_source - log_power)
        of_anatomy = seen * np.exp(log_anatomy - log_source)
        jacobian = np.zeros((len(log_power), self.size))
        jacobian[:, :KNOTS] = 2 * seen[:, np.newaxis] * rows.basis
        jacobian[:, KNOTS : 2 * KNOTS] = of_anatomy[:, np.newaxis] * rows.basis
        if self.groups == 2:
            jacobian[:, 2 * KNOTS : 3 * KNOTS] = rows.sign * jacobian[:, :KNOTS]
        jacobian[:, rows.level] = of_anatomy
        jacobian[:, rows.level + 1] = seen - of_anatomy
        jacobian[:, rows.exponent] = -of_anatomy * rows.log_frequency
        return rows.weight * (log_power - rows.log_power), jacobian

    def _make_prior(self) -> tuple[Floats, Floats, Floats]:
        """Return the matrix and the centre of the prior, and parameters to start from."""
        rows: list[Floats] = []
        centre: list[float] = []
        unit = np.eye(self.size)

        def expect(row: Floats, mean: float, deviation: float) -> None:
            rows.append(row / deviation)
            centre.append(mean / deviation)

        priors = (CURVATURE, SHARED, DIFFERENCE)[: self._splines // KNOTS]
        for number, (mean, deviation, step) in enumerate(priors):
            knots = unit[number * KNOTS : (number + 1) * KNOTS]
            for knot in knots:
                expect(knot, mean, deviation)
            for row in np.diff(knots, axis=0):
                expect(row, 0, step)
        for exponent in unit[self._exponent : -1]:
            expect(exponent, *EXPONENT)
        expect(unit[-1], *EDGE_EXPONENT)
        levels = unit[self._splines : self._exponent].reshape(-1, len(KINDS), 2, self.size)
        for stack, level_of in zip(self.stacks, levels, strict=True):
            expect(level_of[1, 1] - level_of[0, 1], 0, NOISE_OF_KINDS)
            if np.isfinite(stack.log_edge):
                expect(level_of[0, 0], stack.log_edge, EDGE_LEVEL)
            for level in level_of.reshape(-1, self.size):
                expect(level, 5, 20)
        for before, after in pairwise(levels):
            for one, other in zip(before[:, 1], after[:, 1], strict=True):
                expect(other - one, 0, NOISE_OF_STACKS)
        return np.array(rows), np.array(centre), self._start()

    def _start(self) -> Floats:
        start = np.zeros(self.size)
        start[:KNOTS] = CURVATURE[0]
        start[self._exponent :] = EXPONENT[0]
        for rows in self.rows:
            middle = len(rows.log_power) // 2
            anatomy = rows.log_power + start[rows.exponent] * rows.log_frequency
            noise = rows.log_power - rows.log_frequency
            start[rows.level] = np.median(anatomy[: middle + 1])
            start[rows.level + 1] = np.median(noise[middle:])
        return start

    def _result(self, parameters: Floats) -> Fit:
        splines = parameters[: self._splines].reshape(-1, KNOTS)
        signs = [(group - 0.5) * (self.groups - 1) for group in range(self.groups)]
        difference = splines[2] if self.groups == 2 else np.zeros(KNOTS)
        residuals = np.concatenate(
            [self.residuals(rows, parameters)[0] / rows.weight for rows in self.rows]
        )
        b, c = parameters[self._exponent : -1]
        return Fit(
            np.array([splines[0] + sign * difference for sign in signs]),
            splines[1],
            (float(b), float(c)),
            float(np.sqrt(np.mean(residuals**2))),
            parameters,
        )
