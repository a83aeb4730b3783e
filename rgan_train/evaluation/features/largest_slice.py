"""Features of structures on a single slice each, as an evaluation computes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import MeasurementError
from rgan_train.evaluation.features.extractor import FeatureExtractor, region_problem


class LargestSliceExtractor:
    """Computes one set of features of the slice where a structure is largest.

    Parameters
    ----------
    parameters
        As ``FeatureExtractor`` takes them. Hash and values are those of an evaluation.

    Raises
    ------
    ConfigurationError
        If pyradiomics is not installed, or the file is not one of its parameter files.
    """

    def __init__(self, parameters: Path | None = None) -> None:
        self._extractor = FeatureExtractor(parameters)

    @property
    def description(self) -> dict[str, Any]:
        """Everything that the values depend on, except image and mask; JSON data."""
        return self._extractor.description

    @property
    def sha256(self) -> str:
        """SHA-256 of ``description``, hexadecimal."""
        return self._extractor.sha256

    def extract(
        self,
        hu: NDArray[np.float32],
        spacing: tuple[float, float, float],
        masks: Sequence[NDArray[np.bool_]],
    ) -> list[dict[str, float] | MeasurementError]:
        """Compute the features of structures; parameters as those of ``VolumeExtractor.extract``.

        Of several slices where a structure is equally large, the first is taken.
        """
        found: list[dict[str, float] | MeasurementError] = []
        for mask in masks:
            number = int(np.argmax(mask.sum(axis=(1, 2))))
            if problem := region_problem(mask[number]):
                found.append(MeasurementError(f"its largest part on a slice is {problem}"))
                continue
            values = self._extractor.extract(hu[number], spacing[1:], [mask[number]])[0]
            found.append(dict(zip(self._extractor.names, values.tolist(), strict=True)))
        return found
