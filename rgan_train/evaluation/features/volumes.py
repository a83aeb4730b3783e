"""Radiomic features of structures in whole series.

What ``rgan-train features`` computes: a structure over all its slices, in three dimensions or plane
by plane. A filter is applied once to the whole volume, and serves all structures; the values are
those that the engine gives for each of them alone.

Engines are pyradiomics (van Griethuysen et al. 2017) and flash-radiomics, which has its interface
and reads its parameter files. ``docs/results/feature-engines.md`` says which features agree.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import MeasurementError
from rgan_train.evaluation.features.filters import as_image, can_share_filters, filter_image
from rgan_train.evaluation.features.flash import make_flash_extractor
from rgan_train.evaluation.features.pyradiomics import make_extractor

FeatureEngine = Literal["auto", "pyradiomics", "flash"]

ACROSS: Final = 0
"""Axis of arrays ``[N, H, W]`` that planes lie across; what ``force2Ddimension`` counts."""

PADDING: Final = "filled"
"""How ``read_volume`` leaves padding, which filters see and some scale by."""


class VolumeExtractor:
    """Computes one set of features of volumes.

    Parameters
    ----------
    parameters
        Parameter file of pyradiomics, YAML or JSON. None for the classes and filters of
        ``FeatureExtractor``, with bins of 25 HU, and the features of shape.
    dimensions
        3, or 2 to compute plane by plane (``force2D``). None: as the file says, without one 3.
    resample
        Edge length in mm of the voxels to resample to, in two dimensions of the pixels; None: as
        the file says, without one not at all.

    Raises
    ------
    ConfigurationError
        If pyradiomics is not installed, or the file is not one of its parameter files.
    """

    def __init__(
        self,
        parameters: Path | None = None,
        dimensions: int | None = None,
        resample: float | None = None,
        engine: FeatureEngine = "auto",
    ) -> None:
        if engine == "auto":
            engine = "pyradiomics" if find_spec("radiomics") else "flash"
        self.engine = engine
        self._extractor = _MAKERS[engine](parameters)
        settings = self._extractor.settings
        settings |= {"additionalInfo": False, "label": 1}
        if dimensions is not None:
            settings |= {"force2D": dimensions == 2, "force2Ddimension": ACROSS}
        if resample is not None:
            across = 0.0 if settings.get("force2D") else resample  # 0: as it is
            settings["resampledPixelSpacing"] = [resample, resample, across]
        if parameters is None and not settings.get("force2D"):
            self._extractor.enableFeatureClassByName("shape")

    @property
    def description(self) -> dict[str, Any]:
        """Everything that the values depend on, except image and mask; JSON data."""
        return {
            "engine": self.engine,
            "version": self._package.__version__.lstrip("v"),
            "filters": dict(self._extractor.enabledImagetypes),
            "features": {k: list(v or ()) for k, v in self._extractor.enabledFeatures.items()},
            "settings": dict(self._extractor.settings),
            "padding": PADDING,
        }

    @property
    def _package(self) -> Any:
        return import_module("flash_radiomics" if self.engine == "flash" else "radiomics")

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of ``description``, hexadecimal."""
        return hashlib.sha256(json.dumps(self.description, sort_keys=True).encode()).hexdigest()

    def extract(
        self,
        hu: NDArray[np.float32],
        spacing: tuple[float, float, float],
        masks: Sequence[NDArray[np.bool_]],
    ) -> list[dict[str, float] | MeasurementError]:
        """Compute the features of structures in one volume.

        Parameters
        ----------
        hu
            ``[N, H, W]`` HU, padding filled.
        spacing
            Mm between slices, rows, columns.
        masks
            ``[N, H, W]`` bool, one for each structure.

        Returns
        -------
        list
            For each structure its features by ``FILTER_CLASS_FEATURE``, or why it has none.
        """
        image = as_image(hu, spacing)
        labels = [as_image(mask.astype(np.uint8), spacing) for mask in masks]
        with np.errstate(all="ignore"):
            if can_share_filters(self._extractor):
                return self._extract_together(image, labels)
            return [self._extract_alone(image, label) for label in labels]

    def _extract_alone(self, image: Any, label: Any) -> dict[str, float] | MeasurementError:
        try:
            found = self._extractor.execute(image, label)
        except _REFUSALS as exc:
            return self._refusal(exc)
        return {name: float(value) for name, value in found.items()}

    def _extract_together(
        self, image: Any, labels: Sequence[Any]
    ) -> list[dict[str, float] | MeasurementError]:
        imageoperations = self._package.imageoperations
        settings = self._extractor.settings
        found: list[dict[str, float] | MeasurementError] = []
        boxes: dict[int, Any] = {}
        for number, label in enumerate(labels):
            try:
                boxes[number], _ = imageoperations.checkMask(image, label, **settings)
                shape = self._extractor.computeShape(image, label, boxes[number], **settings)
                found.append({name: float(value) for name, value in shape.items()})
            except _REFUSALS as exc:
                boxes.pop(number, None)
                found.append(self._refusal(exc))
        for number, name, value in self._textures(image, labels, boxes):
            values = found[number]
            assert isinstance(values, dict)
            values[name] = value
        return found

    def _textures(
        self, image: Any, labels: Sequence[Any], boxes: dict[int, Any]
    ) -> Iterator[tuple[int, str, float]]:
        """Yield the number of a structure, and name and value of a feature of a filtered image."""
        if not boxes:
            return
        imageoperations = self._package.imageoperations
        for filtered, kind, settings in filter_image(imageoperations, self._extractor, image):
            for number, box in boxes.items():
                parts = imageoperations.cropToTumorMask(filtered, labels[number], box)
                values = self._extractor.computeFeatures(*parts, kind, **settings)
                for name, value in values.items():
                    yield number, name, float(value)

    def _refusal(self, exc: Exception) -> MeasurementError:
        return MeasurementError(f"{self._package.__name__} refuses it ({exc})")


_MAKERS: Final = {"pyradiomics": make_extractor, "flash": make_flash_extractor}
_REFUSALS: Final = (AssertionError, IndexError, RuntimeError, ValueError)
