"""Bootstrap samples of slices in blocks, because neighbouring slices resemble each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from rgan_train.evaluation.metrics.bootstrap import bootstrap_interval
from rgan_train.evaluation.metrics.moments import Floats, tail_probability

MANY_PATIENTS: Final = 10
"""From so many patients on, patients are drawn, and results hold for other patients too.

Patients that were also trained or validated on do not count.
"""

MIN_SLICES: Final = 4
"""Slices of fewer patients that limits need."""


class Place(NamedTuple):
    """Where a slice comes from: the patient, the scan, and the position along its normal in mm.

    ``known`` says that other slices of the patient are for training or validation.
    """

    patient: str
    scan: str
    position: float
    known: bool = False


@dataclass(frozen=True)
class SliceSamples:
    """Bootstrap samples of slices, the same for all methods that are compared.

    Attributes
    ----------
    counts
        ``[B, N]`` how often each slice is in each sample.
    block
        Slices in a block; 0 where whole patients were drawn.
    units
        Number of patients, or of slices divided by those of a block.
    """

    counts: NDArray[np.int64]
    block: int
    units: float

    def interval(self, value: float, samples: Floats, level: float = 0.95) -> tuple[float, float]:
        """Return confidence limits of a single value; see ``limits``."""
        low, high = self.limits(np.array([value]), samples[:, np.newaxis], level)[0]
        return float(low), float(high)

    def limits(self, values: Floats, samples: Floats, level: float = 0.95) -> Floats:
        """Return confidence limits of values from what the samples give.

        The distances of the percentiles from the value are stretched by the ratio of the quantiles
        of Student's t and of the normal distribution for so many units, and by ``sqrt(units /
        (units - 1))``: percentiles of few units are too narrow (Hesterberg, Am. Stat. 69:371,
        2015, section 4).

        Parameters
        ----------
        values
            ``[F]``.
        samples
            ``[B, F]``.

        Returns
        -------
        ndarray
            ``[F, 2]``; NaN where there are fewer than two units, or a sample is not finite.
        """
        finite = np.isfinite(samples).all(axis=0)
        if self.units < 2 or not finite.any():
            return np.full((len(values), 2), math.nan)
        tail = tail_probability(level)
        stretch = math.sqrt(self.units / (self.units - 1))
        stretch *= float(stdtrit(self.units - 1, tail) / ndtri(tail))
        center = values[:, np.newaxis]
        percentiles = bootstrap_interval(np.where(finite, samples, 0), level)
        found: Floats = center + stretch * (percentiles - center)
        found[~finite] = math.nan
        return found


def block_length(slices: int) -> int:
    """Return how many neighbouring slices are drawn together: the cube root, rounded up.

    This grows as it should for the variance of a mean (Kuensch, Ann. Stat. 17:1217, 1989; Hall,
    Horowitz and Jing, Biometrika 82:561, 1995). Too few slices are tested to choose it by how alike
    they are.
    """
    return next(length for length in range(1, slices + 1) if length**3 >= slices)


def draw_slices(places: Sequence[Place], *, replicates: int = 1000, seed: int = 0) -> SliceSamples:
    """Draw whole patients with replacement if there are many, else blocks of neighbouring slices.

    Blocks are also drawn where a patient is known from training: what is found on known patients
    says nothing about others.

    For blocks, the slices are put in order by patient, scan and position. A block may begin at each
    of them, and goes on from the last slice to the first, so that all are drawn equally often
    (circular block bootstrap, Politis and Romano, in Exploring the Limits of Bootstrap, 1992). A
    sample has as many slices as there are.

    Parameters
    ----------
    places
        Of the N slices, in any order.
    replicates
        Number of samples.
    seed
        Seed of ``numpy.random.default_rng``.
    """
    rng = np.random.default_rng(seed)
    names, owner = np.unique([place.patient for place in places], return_inverse=True)
    if len(names) >= MANY_PATIENTS and not any(place.known for place in places):
        shares = [1 / len(names)] * len(names)
        drawn = rng.multinomial(len(names), shares, replicates)
        return SliceSamples(drawn[:, owner].astype(np.int64), 0, len(names))
    count = len(places)
    length = block_length(count)
    starts = rng.integers(count, size=(replicates, math.ceil(count / length)))
    ordered = (starts[:, :, np.newaxis] + np.arange(length)) % count
    chosen = ordered.reshape(replicates, -1)[:, :count]
    order = np.array(sorted(range(count), key=lambda number: places[number]))
    counts = np.zeros((replicates, count), np.int64)
    np.add.at(counts, (np.arange(replicates)[:, np.newaxis], order[chosen]), 1)
    units = count / length if count >= MIN_SLICES else 1
    return SliceSamples(counts, length, units)
