"""Lesions in the test slices: how much of their contrast and size a model leaves."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.cohorts.cohort import Cohort, Scan
from rgan_train.evaluation.cohorts.lesions.plant import Seen, look, plant
from rgan_train.evaluation.cohorts.lesions.render import MTF

Images = NDArray[np.float32]

KINDS: Final = ("nodule", "hole")
THICKNESS_MM: Final = 8.0
"""Of the main pair's slices."""


@dataclass(frozen=True)
class Slices:
    """Test slices with one kernel, to put lesions into.

    Attributes
    ----------
    hu
        ``[N, H, W]``.
    mtf
        Of the kernel.
    """

    hu: Images
    mtf: MTF
    kernel: str
    spacing: float

    def see(self, harmonize: Callable[[Images], Images]) -> list[Seen]:
        """Return what is seen of each lesion in what a method makes of the slices.

        It shall return them as files would hold them: lesions are added so, too.
        """
        padding = np.zeros(self.hu.shape, bool)
        scan = Scan("", self.kernel, (self.spacing,) * 2, THICKNESS_MM, self.hu, padding)
        plain = [harmonize(self.hu)]
        found = []
        for one in plant(Cohort("tested", (scan,), 1), self.mtf, THICKNESS_MM):
            found += look(one.planted, [scan], plain, [harmonize(one.images[0])])
        return found


def summarize(lesions: list[Seen]) -> dict[str, float]:
    """Return the mean share of the contrast that is seen, and the mean area, by title."""
    found = {}
    for kind in KINDS:
        some = [seen for seen in lesions if seen.lesion.kind == kind]
        found[f"contrast of {kind}s"] = statistics.mean(seen.contrast for seen in some)
        found[f"area of {kind}s, mm2"] = statistics.mean(seen.area for seen in some)
    return found
