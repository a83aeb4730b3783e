"""Radiomic features of regions in CT slices, by pyradiomics (van Griethuysen et al. 2017).

A slice is filtered once as a whole, and the filtered images serve all its regions and feature
classes. Cutting a region out first would change what the filters see at its border. Everything is
two-dimensional, as in the paper (section 3.1). The values are those that pyradiomics itself gives
for the same slice and mask; ``docs/results/features.md`` says how much faster this is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.features.filters import as_image, can_share_filters, filter_image
from rgan_train.evaluation.features.pyradiomics import make_extractor
from rgan_train.evaluation.features.stacks import CLASSES, Region, compute_features

ABSENT_BANDS: Final = ("wavelet-LLH", "wavelet-LHH", "wavelet-HLH", "wavelet-HHH")
"""Bands of the three-dimensional wavelet (along x, y, z) that are zero on a single slice."""

IBSI_DEVIATIONS: Final = (
    "bins of fixed width begin at multiples of the width, not at the smallest value of the region",
    "kurtosis is not excess kurtosis: 3 is not subtracted",
    "LoG: scaled by sigma squared, and a recursive approximation of the Gaussian",
    "resampling, where it is asked for: the grid begins at the corner of the image, values are not "
    "rounded, and masks take the nearest neighbour",
    "filters: not compared with the second part of IBSI, which has no square, square root, "
    "logarithm and gradient",
)
"""Where pyradiomics is known to differ from the Image Biomarker Standardisation Initiative."""


class FeatureExtractor:
    """Computes one set of features.

    Parameters
    ----------
    parameters
        Parameter file of pyradiomics, YAML or JSON. None for first order, GLCM, GLRLM, GLSZM, GLDM
        and NGTDM on ``DEFAULT_FILTERS``, with bins of 25 HU.

    Raises
    ------
    ConfigurationError
        If pyradiomics is not installed or not ``TESTED_VERSION``, or the file is not one of its
        parameter files.
    """

    def __init__(self, parameters: Path | None = None) -> None:
        self._extractor = make_extractor(parameters)
        settings = self._extractor.settings
        # A slice has only two axes; with force2D pyradiomics would leave out one of them.
        settings |= {"force2D": False, "additionalInfo": False, "label": 1}
        self._wanted = {
            name: _feature_names(name, self._extractor.enabledFeatures[name])
            for name in CLASSES
            if name in self._extractor.enabledFeatures
        }
        self._extractor.enabledFeatures = {k: list(v) for k, v in self._wanted.items()}
        if not self._wanted:
            raise ConfigurationError(f"{parameters}: names no feature class other than shape")

    @property
    def description(self) -> dict[str, Any]:
        """Everything that the values depend on, except image and mask; JSON data."""
        import radiomics

        return {
            "pyradiomics": radiomics.__version__.lstrip("v"),
            "filters": dict(self._extractor.enabledImagetypes),
            "features": {name: list(features) for name, features in self._wanted.items()},
            "settings": dict(self._extractor.settings),
        }

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of ``description``, hexadecimal."""
        return hashlib.sha256(json.dumps(self.description, sort_keys=True).encode()).hexdigest()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the features, ``FILTER_CLASS_FEATURE``, in the order of the columns."""
        noise = np.random.default_rng(0).normal(0, 100, (64, 64)).astype(np.float32)
        filters = [name for _, name, _ in self._filter(as_image(noise, (1.0, 1.0)))]
        classes = [f"{name}_{one}" for name, features in self._wanted.items() for one in features]
        return tuple(f"{image}_{feature}" for image in filters for feature in classes)

    @property
    def shape_names(self) -> tuple[str, ...]:
        """Names of the shape features, which no image changes and which are never counted."""
        return tuple(f"original_shape2D_{name}" for name in _feature_names("shape2D", None))

    def extract(
        self,
        hu: NDArray[np.float32],
        pixel_spacing: tuple[float, float],
        masks: Sequence[NDArray[np.bool_]],
    ) -> NDArray[np.float64]:
        """Compute the features of the regions of one slice.

        Parameters
        ----------
        hu
            ``[H, W]`` HU.
        pixel_spacing
            Mm between rows, mm between columns.
        masks
            ``[H, W]`` bool, one for each region, without a ``region_problem``.

        Returns
        -------
        ndarray
            ``[regions, names]`` float64; NaN where a feature is undefined or a filter does not
            apply.

        Raises
        ------
        ConfigurationError
            If a HU value is not finite, or a mask has another shape or a ``region_problem``.
        """
        _check(hu, masks)
        image = as_image(hu, pixel_spacing)
        columns = {name: column for column, name in enumerate(self.names)}
        values = np.full((len(masks), len(columns)), np.nan)
        shares = can_share_filters(self._extractor)
        compute = self._compute_together if shares else self._compute_one_by_one
        with np.errstate(divide="ignore", invalid="ignore"):
            for number, name, value in compute(image, masks):
                if name in columns:
                    values[number, columns[name]] = value
        return values

    def _compute_together(
        self, image: Any, masks: Sequence[NDArray[np.bool_]]
    ) -> Iterator[tuple[int, str, float]]:
        import SimpleITK as sitk  # noqa: N813 - as its documentation does

        boxes = [_bounding_box(mask) for mask in masks]
        for filtered, filter_name, settings in self._filter(image):
            hu = sitk.GetArrayViewFromImage(filtered)
            if not np.isfinite(hu).all():
                continue  # some filters divide by the largest |HU|, which may be 0
            regions = [
                Region(np.ascontiguousarray(hu[box]), np.ascontiguousarray(mask[box]))
                for mask, box in zip(masks, boxes, strict=True)
            ]
            found: Mapping[int, Mapping[str, Any]] = compute_features(
                regions, self._wanted, image.GetSpacing(), settings
            )
            for number, region in enumerate(regions):
                values = found.get(number)
                if values is None:
                    values = self._compute_alone(region, image.GetSpacing(), settings)
                for name, value in values.items():
                    yield number, f"{filter_name}_{name}", float(value)

    def _filter(self, image: Any) -> Iterator[tuple[Any, str, dict[str, Any]]]:
        from radiomics import imageoperations

        return filter_image(imageoperations, self._extractor, image)

    def _compute_alone(
        self, region: Region, spacing: tuple[float, float], settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        image = as_image(region.image, spacing[::-1])
        mask = as_image(region.mask.astype(np.uint8), spacing[::-1])
        with np.errstate(all="ignore"):
            values = self._extractor.computeFeatures(image, mask, "alone", **settings)
        return {name.removeprefix("alone_"): value for name, value in values.items()}

    def _compute_one_by_one(
        self, image: Any, masks: Sequence[NDArray[np.bool_]]
    ) -> Iterator[tuple[int, str, float]]:
        for number, mask in enumerate(masks):
            label = as_image(_with_background(mask), image.GetSpacing()[::-1])
            try:
                with np.errstate(all="ignore"):
                    values = self._extractor.execute(image, label)
            except (AssertionError, ValueError) as error:
                raise ConfigurationError(
                    f"pyradiomics refuses a region of {int(mask.sum())} pixels ({error}); "
                    "check the settings in the parameter file"
                ) from error
            for name, value in values.items():
                yield number, name, float(value)


def _with_background(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a label map with background, which pyradiomics requires.

    A region that is the whole slice loses the pixel in the corner.
    """
    labels = mask.astype(np.uint8)
    if mask.all():
        labels[0, 0] = 0
    return labels


def region_problem(mask: NDArray[np.bool_]) -> str | None:
    """Return why a region has no features, or None: texture needs neighbours in two directions."""
    if not mask.any():
        return "empty"
    box = _bounding_box(mask)
    sizes = [part.stop - part.start for part in box]
    if min(sizes) < 2:
        return (
            f"{int(mask.sum())} pixel(s) in one row or column: texture needs at least two of each"
        )
    return None


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _check(hu: NDArray[np.float32], masks: Sequence[NDArray[np.bool_]]) -> None:
    if not np.isfinite(hu).all():
        raise ConfigurationError("the slice holds NaN or infinite values, so it has no features")
    for mask in masks:
        if mask.shape != hu.shape:
            raise ConfigurationError(
                f"a mask of {mask.shape} for a slice of {hu.shape}; resample it to the CT's grid"
            )
        if problem := region_problem(mask):
            raise ConfigurationError(f"a region is {problem}")


def _feature_names(class_name: str, enabled: Sequence[str] | None) -> tuple[str, ...]:
    """Return the enabled features of a class, without those that pyradiomics has deprecated."""
    from radiomics import getFeatureClasses

    if enabled:
        return tuple(enabled)
    known = getFeatureClasses()[class_name].getFeatureNames()
    return tuple(name for name, is_deprecated in known.items() if not is_deprecated)
