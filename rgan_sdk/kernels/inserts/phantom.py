"""Measure a kernel on a QA phantom: the MTF on its rods and wires, noise where it is even.

Rods are cylinders of another density, as in ACR and Catphan phantoms. Each is an edge whose shape
is known, so that, unlike on patients, nothing needs to be assumed of anatomy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError, MeasurementError
from rgan_sdk.kernels.inserts.slices import ALONE, FAINT, TRUSTED, Insert, measure_inserts
from rgan_sdk.kernels.limits import KernelCurves, find_crossing, limit_curve, median_interval
from rgan_sdk.kernels.spectra import (
    FREQUENCY,
    STRUCTURE_BLOCK,
    KernelSpectra,
    join_spectra,
    measure_kernel,
)

STEP_HU: Final = 1000.0
"""Height of the edge whose spectrum stands for an insert's."""
MOST_BLOCKS: Final = 16
"""The best slice counts as so many blocks with structure."""
LEAST_WEIGHT: Final = 1 / 0.03**2
"""Together, inserts must tell the MTF to 0.03."""
SAME_MM: Final = 1.5
"""So near in another slice, an insert is the same."""
APART: Final = 1.5
"""An insert is left out whose MTF differs from most by so many times 3 errors and 0.05."""

LOW: Final = 0.1
SHARPER: Final = 3.0
"""Where the MTF has fallen to 0.1, noise may be so many times as sharp as inserts. Focal spot and
detector blur inserts, and not noise, but not as much."""

RESAMPLES: Final = 200
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PhantomSpectra(KernelSpectra):
    """Spectra of the slices of a phantom, as ``measure_kernel`` gives them, and what inserts show.

    The power of structure is that of a straight edge of S = 1000 HU across a block with the side L,
    all directions averaged: ``S^2 / (4 pi^3 f^3 L)``. It is seen through the MTF of a slice's
    inserts, with the noise of even blocks.

    Attributes
    ----------
    mtf
        ``[S, 64]`` MTF that the inserts of a slice show, by ``FREQUENCY``; NaN in slices without
        inserts, and beyond the Nyquist frequency.
    weight
        ``[S]`` inverse of the mean square error of it; 0 in slices without inserts.
    inserts
        By kind, how many were measured.
    left_out
        By reason, how many were not.
    """

    mtf: Floats
    weight: Floats
    inserts: dict[str, int]
    left_out: dict[str, int]


class PhantomSlice(NamedTuple):
    """What one slice of a phantom shows."""

    spectra: KernelSpectra
    inserts: list[Insert]


def measure_phantom(
    slices: NDArray[np.float32], pixel_spacing: tuple[float, float]
) -> PhantomSpectra:
    """Measure a kernel on a phantom with rods or wires along z, and an even region near 0 HU.

    Inserts are found; several are averaged. Where the phantom lies makes no difference.

    Parameters
    ----------
    slices
        ``[N, H, W]`` HU of one series; below -1500 for padding.
    pixel_spacing
        Distance between rows and between columns, mm.

    Returns
    -------
    PhantomSpectra
        ``fit_transfer`` takes it, and ``fit_phantom``.

    Raises
    ------
    ConfigurationError
        If slices are not ``[N, H, W]``.
    MeasurementError
        If no insert tells the MTF, or most that looks like inserts is in one slice only, as in
        patients. The message says what was found, and what is wrong with it.
    """
    if slices.ndim != 3:
        raise ConfigurationError(f"slices of shape {slices.shape}; they must be [N, H, W]")
    return join_phantom([measure_phantom_slice(hu, pixel_spacing) for hu in slices])


def measure_phantom_slice(
    hu: NDArray[np.float32], pixel_spacing: tuple[float, float]
) -> PhantomSlice:
    """Measure one slice, ``[H, W]`` HU."""
    return PhantomSlice(
        measure_kernel(hu[np.newaxis], pixel_spacing), measure_inserts(hu, pixel_spacing)
    )


def join_phantom(slices: Sequence[PhantomSlice]) -> PhantomSpectra:
    """Put the slices of one series of a phantom together.

    Raises
    ------
    MeasurementError
        As ``measure_phantom`` does.
    """
    spectra = join_spectra([one.spectra for one in slices])
    found = _leave_lone([part.inserts for part in slices])
    left_out = Counter(one.reason for part in found for one in part if one.reason)
    measured = [[one for one in part if one.response] for part in found]
    kept = _choose_alike(measured)
    differing = sum(map(len, measured)) - sum(map(len, kept))
    if differing:
        left_out["different from most"] = differing
    mtf, weight = _average(_correct_errors(kept))
    if weight.sum() < LEAST_WEIGHT or left_out[ALONE] > sum(map(len, kept)):
        raise MeasurementError(_explain(len(slices), kept, left_out))
    _require_sharp(np.average(mtf[weight > 0], axis=0, weights=weight[weight > 0]), spectra)
    side = STRUCTURE_BLOCK * spectra.pixel_spacing.mean(axis=1)
    edge = STEP_HU**2 / (4 * (np.pi / 10) ** 3 * side)
    structure, blocks = _as_structure(mtf, weight, edge, spectra.mean_power("even"))
    parts = {field.name: getattr(spectra, field.name) for field in fields(spectra)}
    return PhantomSpectra(
        **{**parts, "structure": structure, "structure_blocks": blocks, "edge": edge},
        mtf=mtf,
        weight=weight,
        inserts=dict(Counter(one.kind for part in kept for one in part)),
        left_out=dict(left_out),
    )


def fit_phantom(spectra: PhantomSpectra, *, seed: int = 0) -> KernelCurves:
    """Return the curves of a kernel that was measured on a phantom.

    The MTF is that of the inserts as it is, focal spot and detector included. Limits come from
    slices drawn with replacement.
    """
    nyquist = spectra.nyquist
    frequency = np.linspace(0, nyquist, 65)
    random = np.random.default_rng(seed)
    with_inserts = np.flatnonzero(spectra.weight)
    everything = np.arange(len(spectra))

    def mtf(chosen: NDArray[np.int64]) -> Floats:
        mean = np.average(spectra.mtf[chosen], axis=0, weights=spectra.weight[chosen])
        known = np.isfinite(mean)
        at = np.concatenate([[0.0], FREQUENCY[known]])
        return np.asarray(np.interp(frequency, at, np.concatenate([[1.0], mean[known]])))

    def draw(index: NDArray[np.int64]) -> NDArray[np.int64]:
        return random.choice(index, len(index))

    curves = np.array([mtf(draw(with_inserts)) for _ in range(RESAMPLES)])
    curve = limit_curve(frequency, mtf(with_inserts), curves)
    even = spectra.mean_power("even")
    measured = np.isfinite(even) & (nyquist > FREQUENCY)
    powers = np.array(
        [spectra.take(draw(everything)).mean_power("even")[measured] for _ in range(RESAMPLES)]
    )
    return KernelCurves(
        mtf=curve,
        noise_power=limit_curve(FREQUENCY[measured], even[measured], powers),
        f50=find_crossing(curve, curves, 0.5, nyquist),
        f10=find_crossing(curve, curves, 0.1, nyquist),
        noise={name: median_interval(values, seed) for name, values in spectra.noise.items()},
        nyquist=nyquist,
        doubts=tuple(
            f"left out: {count} insert(s) {reason}" for reason, count in spectra.left_out.items()
        ),
    )


def _leave_lone(slices: list[list[Insert]]) -> list[list[Insert]]:
    """Leave out what no other slice has in the same place: in patients, vessels and bones."""
    places = {
        kind: [
            np.array([one.place for one in part if one.kind == kind]).reshape(-1, 2)
            for part in slices
        ]
        for kind in ("rod", "wire")
    }

    def is_alone(insert: Insert, number: int) -> bool:
        own = places[insert.kind]
        others = np.concatenate([np.empty((0, 2)), *own[:number], *own[number + 1 :]])
        return not (np.hypot(*(others - insert.place).T) < SAME_MM).any()

    return [
        [
            one._replace(response=None, reason=ALONE)
            if one.response and is_alone(one, number)
            else one
            for one in part
        ]
        for number, part in enumerate(slices)
    ]


def _choose_alike(slices: list[list[Insert]]) -> list[list[Insert]]:
    """Leave out the inserts whose MTF differs from that of most, by weight."""
    responses = [one.response for part in slices for one in part if one.response]
    if not responses:
        return slices
    weights = np.array([one.weight for part in slices for one in part])
    curves = np.array([response.mtf for response in responses])
    middle = _weighted_median(curves, weights)

    def is_alike(insert: Insert) -> bool:
        if insert.response is None:
            return False
        off = (insert.response.mtf - middle) / (3 * insert.response.error + 0.05)
        return bool(np.sqrt(np.nanmean(off**2)) < APART)

    return [[one for one in part if is_alike(one)] for part in slices]


def _correct_errors(slices: list[list[Insert]]) -> list[list[Insert]]:
    """Return inserts with errors as large as those of their kind scatter; noise is not white."""
    factors = {}
    for kind in {one.kind for part in slices for one in part}:
        alike = [one for part in slices for one in part if one.kind == kind and one.response]
        curves = np.array([one.response.mtf for one in alike if one.response])
        errors = np.array([one.response.error for one in alike if one.response])
        mean = np.average(curves, axis=0, weights=[one.weight for one in alike])
        factors[kind] = max(1.0, float(np.sqrt(np.nanmean(((curves - mean) / errors) ** 2))))

    def correct(insert: Insert) -> Insert:
        assert insert.response is not None
        error = insert.response.error * factors[insert.kind]
        return insert._replace(response=insert.response._replace(error=error))

    return [[correct(one) for one in part] for part in slices]


def _weighted_median(curves: Floats, weights: Floats) -> Floats:
    order = np.argsort(curves, axis=0)
    total = np.cumsum(weights[order], axis=0)
    index = np.argmax(total >= total[-1] / 2, axis=0)
    return np.asarray(np.take_along_axis(curves, order, axis=0)[index, np.arange(len(index))])


def _average(slices: list[list[Insert]]) -> tuple[Floats, Floats]:
    """Return the MTF and the weight of each slice."""
    mtf = np.full((len(slices), len(FREQUENCY)), np.nan)
    weight = np.zeros(len(slices))
    for number, inserts in enumerate(slices):
        if inserts:
            weights = [one.weight for one in inserts]
            curves = [one.response.mtf for one in inserts if one.response]
            mtf[number] = np.average(curves, axis=0, weights=weights)
            weight[number] = sum(weights)
    return mtf, weight


def _require_sharp(mtf: Floats, spectra: KernelSpectra) -> None:
    """Refuse inserts that are much softer than noise: vessels, or rods that are no wires."""
    noise = np.sqrt(spectra.mean_power("even") / FREQUENCY)
    known = np.flatnonzero((noise > 0) & (spectra.nyquist * TRUSTED > FREQUENCY))
    if not len(known):
        return
    low = known[mtf[known] < LOW]
    last = low[0] if len(low) else known[-1]
    sharper = noise[last] / max(mtf[last], LOW / 2) / (noise[known[0]] / mtf[known[0]])
    if sharper > SHARPER:
        raise MeasurementError(
            f"inserts are {sharper:.0f} times as soft as noise at {FREQUENCY[last]:.1f} lp/cm: "
            "they are no sharp rods or thin wires. Is it a scan of a QA phantom?"
        )


def _as_structure(
    mtf: Floats, weight: Floats, edge: Floats, noise: Floats
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the power of an edge with these MTFs, and how many blocks each slice counts as.

    Noise makes the square of an MTF larger, by as much as slices scatter, which is taken away. So
    the mean of all slices is that of products of different ones. In one slice it may be negative.
    """
    used = np.flatnonzero(weight)
    own, weights = mtf[used], weight[used, np.newaxis]
    off = own - np.average(own, axis=0, weights=weight[used])
    scatter = (weights * off**2).sum(axis=0) / max(len(used) - 1, 1)
    squares = own**2 - scatter / weights
    structure = np.zeros(mtf.shape)
    structure[used] = edge[used, np.newaxis] / FREQUENCY**3 * squares + np.nan_to_num(noise)
    blocks = np.zeros(len(weight), np.int64)
    blocks[used] = np.maximum(np.round(MOST_BLOCKS * weight[used] / weight.max()), 1)
    return structure, blocks


def _explain(count: int, kept: list[list[Insert]], left_out: Counter[str]) -> str:
    """Return why a phantom doesn't tell its kernel."""
    going_on = sum(map(len, kept))
    if going_on and left_out[ALONE] > going_on:
        return (
            f"{left_out[ALONE]} points and round edges are in one slice only, and {going_on} "
            "in the same place in others. Is it a scan of a QA phantom?"
        )
    reasons = dict(left_out)
    if going_on:
        reasons[FAINT] = reasons.get(FAINT, 0) + going_on
    if not reasons:
        return (
            f"no insert stands out in {count} slice(s): a phantom needs rods of 8 to 80 mm "
            "diameter, or wires or beads, along z in an even region"
        )
    listed = "; ".join(f"{number} {reason}" for reason, number in reasons.items())
    return f"no insert of {count} slice(s) tells the kernel: {listed}"
