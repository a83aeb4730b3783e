"""Both sides of the main pair: its slices, and what is known of its kernels without pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from paper_cells import FEATURES
from stacks import Stack
from unpaired_pairs import PAIRS, Scan, splits

from many_kernels.conditions import Curve
from rgan_train.evaluation.cohorts.lesions.plant import measure_mtfs
from rgan_train.pairs.samples import PairedSample

PAIR: Final = PAIRS["siemens"]


@dataclass(frozen=True)
class Ends:
    """Both sides of the pair, in one direction.

    Attributes
    ----------
    source, target
        Transfer functions of the kernels, measured without pairs: each on another half of the scan.
    known, test
        The paired slices that may be learned from, and those that are tested on.
    spacing
        Of their pixels, mm.
    """

    source: Curve
    target: Curve
    known: Sequence[PairedSample]
    test: Sequence[PairedSample]
    spacing: float

    @classmethod
    def measure(cls, way: tuple[str, str]) -> Ends:
        """Read the slices, and measure the kernels as `match` does."""
        scan, sides = Scan.read(PAIR), [PAIR.kernels.index(kernel) for kernel in way]
        halves = next(splits(PAIR.known))
        spectra = (scan.spectra[side].take(half) for side, half in zip(sides, halves, strict=True))
        mtfs = measure_mtfs(*spectra)
        source, target = (Curve.on_pixels(m.frequency, m.value, scan.spacing) for m in mtfs)
        samples = scan.samples((sides[0], sides[1]))
        test = [samples[number] for number in PAIR.test]
        return cls(source, target, samples[: PAIR.trained], test, scan.spacing)

    def stack(self) -> Stack:
        """Return what measures models: the slices that are tested on."""
        return Stack(self.test, self.spacing, FEATURES)
