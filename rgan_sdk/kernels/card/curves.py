"""Mean spectra of two groups of slices: what a model's card keeps of its source and its target.

They hold the noise power of even tissue as measured, and together with the spectra of structure
all that a fit of the MTF needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ModelFormatError
from rgan_sdk.kernels.noise import TISSUES_HU
from rgan_sdk.kernels.spectra import FREQUENCY, KernelSpectra
from rgan_sdk.kernels.transfer_model import FEWEST_BANDS, KINDS, make_stacks

MOST_SPACINGS: Final = 3
"""Of slices of more pixel spacings, those with the most blocks stay."""
DIGITS: Final = 4


@dataclass(frozen=True)
class MeanSpectra:
    """The mean spectra of slices of about one pixel spacing.

    Attributes
    ----------
    pixel_spacing
        mm, the mean.
    structure, even
        Mean power of blocks with structure and of even ones, HU^2 mm^2, in bands of 0.25 lp/cm from
        0 to the Nyquist frequency; 0 in bands in which a block has no term.
    structure_blocks, even_blocks
        How many blocks.
    """

    pixel_spacing: float
    structure: tuple[float, ...]
    structure_blocks: int
    even: tuple[float, ...]
    even_blocks: int


@dataclass(frozen=True)
class CardCurves:
    """The spectra of the slices that a model was made from, by pixel spacing.

    Attributes
    ----------
    source, target
        One to three pixel spacings each.
    """

    source: tuple[MeanSpectra, ...]
    target: tuple[MeanSpectra, ...]

    @classmethod
    def of(cls, source: KernelSpectra, target: KernelSpectra) -> CardCurves | None:
        """Return the curves of two groups' patients, without slices of phantoms.

        None if one group has no patients, or these no structure or no even tissue.
        """
        groups = [group.take(np.isnan(group.edge)) for group in (source, target)]
        if not all(getattr(group, f"{kind}_blocks").any() for group in groups for kind in KINDS):
            return None
        averages = [_average(group) for group in groups]
        fields = [[asdict(one) for one in group] for group in averages]
        if not all(_shows(items, kind) for items in fields for kind in KINDS):
            return None
        return cls(*averages)

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> CardCurves:
        """Return the curves from the fields of a card, as ``dataclasses.asdict`` gives them.

        Raises
        ------
        ModelFormatError
            If a group shows no kernel: no structure, or no even tissue.
        """
        for name, items in fields.items():
            for kind in KINDS:
                if not _shows(items, kind):
                    raise ModelFormatError(
                        f"model card: curves.{name}: {kind}: expected blocks, and power in "
                        f"{FEWEST_BANDS} bands or more"
                    )
        return cls(
            **{
                name: tuple(
                    MeanSpectra(**item | {kind: tuple(item[kind]) for kind in KINDS})
                    for item in items
                )
                for name, items in fields.items()
            }
        )


def as_spectra(means: Sequence[MeanSpectra]) -> KernelSpectra:
    """Return mean spectra as if each were a slice. Noise by tissue is not known."""

    def powers(values: tuple[float, ...]) -> NDArray[np.float64]:
        padded = np.zeros(len(FREQUENCY))
        padded[: len(values)] = values
        padded[padded == 0] = np.nan
        return padded

    return KernelSpectra(
        np.array([[one.pixel_spacing] * 2 for one in means]),
        np.array([powers(one.structure) for one in means]),
        np.array([one.structure_blocks for one in means]),
        np.array([powers(one.even) for one in means]),
        np.array([one.even_blocks for one in means]),
        {name: np.full(len(means), np.nan) for name in TISSUES_HU},
        np.full(len(means), np.nan),
    )


def _shows(items: Sequence[dict[str, Any]], kind: str) -> bool:
    return any(_is_measured(item, kind) for item in items)


def _is_measured(item: dict[str, Any], kind: str) -> bool:
    bands = sum(power > 0 for power in item[kind])
    return bool(item[f"{kind}_blocks"]) and bands >= FEWEST_BANDS


def _average(spectra: KernelSpectra) -> tuple[MeanSpectra, ...]:
    found = []
    for stack in make_stacks([spectra]):
        part = stack.spectra
        spacing = float(part.pixel_spacing.mean())
        bands = np.count_nonzero(5 / spacing > FREQUENCY)
        power = {kind: np.nan_to_num(part.mean_power(kind)[:bands]) for kind in KINDS}
        found.append(
            MeanSpectra(
                round(spacing, 6),
                _rounded(power["structure"]),
                int(part.structure_blocks.sum()),
                _rounded(power["even"]),
                int(part.even_blocks.sum()),
            )
        )
    found.sort(key=lambda one: -(one.structure_blocks + one.even_blocks))
    return tuple(sorted(found[:MOST_SPACINGS], key=lambda one: one.pixel_spacing))


def _rounded(power: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{value:.{DIGITS}g}") for value in power)
