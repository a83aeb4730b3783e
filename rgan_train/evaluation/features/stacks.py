"""Radiomic features of many regions at once, by the formulas of pyradiomics.

pyradiomics can compute a feature for each voxel of an image. For that, its formulas accept stacks
of texture matrices. Here a stack holds the matrices of several regions instead. So matrices and
formulas are those of pyradiomics. What it does once for each region and class, which is most of its
time, is done once for all regions. Four formulas are rewritten, as they took half of the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

STACK_CELLS: Final = 40_000
"""Most cells in a stack, regions times grey levels squared: it should fit the processor's cache."""

SIZE_RATIO: Final = 16
"""The largest region in a stack has at most this many times the pixels of the smallest."""

FIRST_LEVEL: Final = 1


@dataclass(frozen=True)
class Region:
    """A region that is cut out of one filtered image.

    Attributes
    ----------
    image
        ``[H, W]`` intensities of the bounding box.
    mask
        ``[H, W]`` bool.
    """

    image: NDArray[Any]
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class _Matrices:
    """The intensities and texture matrices that the features of one region are computed from."""

    values: NDArray[np.float64]  # [P]
    levels: int
    counts: NDArray[np.int64]  # [levels]
    glcm: NDArray[np.float64]  # [levels, levels, angles]
    glrlm: NDArray[np.float64]  # [levels, run lengths, angles]
    glszm: NDArray[np.float64]  # [levels, zone sizes]
    gldm: NDArray[np.float64]  # [levels, dependences]
    ngtdm: NDArray[np.float64]  # [levels, 3]

    @property
    def is_usual(self) -> bool:
        """Whether the formulas need no special case, which pyradiomics has for one region only."""
        has_pairs = self.glcm.sum(axis=(0, 1)) > 0
        is_flat = np.count_nonzero(self.counts) < 2
        return len(has_pairs) > 1 and bool(has_pairs.all()) and not is_flat


def compute_features(
    regions: Sequence[Region],
    wanted: Mapping[str, Sequence[str]],
    pixel_spacing: tuple[float, float],
    settings: Mapping[str, Any],
) -> dict[int, dict[str, float]]:
    """Compute features of the regions of one filtered image.

    Parameters
    ----------
    wanted
        Names of features by the class names of pyradiomics; shape is not supported.
    pixel_spacing
        Mm between columns, mm between rows: x and y as in pyradiomics.
    settings
        Settings of pyradiomics: ``binWidth`` or ``binCount``, ``distances``, ``symmetricalGLCM``,
        ``gldm_a``, ``voxelArrayShift``.

    Returns
    -------
    dict
        By index of the region, its features by ``CLASS_NAME``. Regions that need a special case
        are left out: flat ones, and those that have no neighbours in some direction.
    """
    made = {number: _matrices(region, settings) for number, region in enumerate(regions)}
    usual = {number: matrices for number, matrices in made.items() if matrices.is_usual}
    result: dict[int, dict[str, float]] = {number: {} for number in usual}
    with np.errstate(all="ignore"):
        for numbers in _stacks(usual):
            stack = [usual[number] for number in numbers]
            for name, features in wanted.items():
                formulas = _FORMULAS[name](stack, pixel_spacing, settings)
                for feature in features:
                    with suppress(DeprecationWarning):  # pyradiomics has no value for this name
                        values = _evaluate(formulas, feature)
                        for number, value in zip(numbers, values, strict=True):
                            result[number][f"{name}_{feature}"] = float(value)
    return result


def _evaluate(formulas: Any, feature: str) -> NDArray[np.float64]:
    value: NDArray[np.float64] = getattr(formulas, f"get{feature}FeatureValue")()
    return value


def _stacks(matrices: Mapping[int, _Matrices]) -> Iterator[list[int]]:
    """Group regions with similar numbers of grey levels; unused levels become rows of zeros.

    A zone can be as large as its region, so a whole slice does not share a stack with a small
    region. Narrow regions can have fewer directions if ``distances`` go beyond 1; they have stacks
    of their own.
    """
    stack: list[int] = []
    directions = {number: one.glcm.shape[2] for number, one in matrices.items()}
    for number in sorted(matrices, key=lambda key: (directions[key], matrices[key].levels)):
        pixels = [len(matrices[each].values) for each in (*stack, number)]
        is_full = len(pixels) * matrices[number].levels ** 2 > STACK_CELLS
        is_unequal = max(pixels) > SIZE_RATIO * min(pixels)
        if stack and (is_full or is_unequal or directions[number] != directions[stack[0]]):
            yield stack
            stack = []
        stack.append(number)
    if stack:
        yield stack


def _matrices(region: Region, settings: Mapping[str, Any]) -> _Matrices:
    from radiomics import cMatrices

    values = region.image[region.mask]
    binned = _bin(values, settings)
    levels = int(binned.max())
    image = np.zeros(region.mask.shape, np.int64)
    image[region.mask] = binned
    distances = np.array(settings.get("distances", [1]))
    plane = (False, 0)  # the image has two axes, and none is left out
    common = image, region.mask
    return _Matrices(
        values=values.astype(np.float64),
        levels=levels,
        counts=np.bincount(binned, minlength=levels + 1)[FIRST_LEVEL:],
        glcm=cMatrices.calculate_glcm(*common, distances, levels, *plane)[0][0],
        glrlm=cMatrices.calculate_glrlm(*common, levels, max(image.shape), *plane)[0][0],
        glszm=cMatrices.calculate_glszm(*common, levels, len(values), *plane)[0],
        gldm=cMatrices.calculate_gldm(
            *common, distances, levels, settings.get("gldm_a", 0), *plane
        )[0],
        ngtdm=cMatrices.calculate_ngtdm(*common, distances, levels, *plane)[0],
    )


def _bin(values: NDArray[Any], settings: Mapping[str, Any]) -> NDArray[np.int64]:
    from radiomics.imageoperations import getBinEdges

    # The edges depend only on the smallest and the largest value.
    edges = getBinEdges(np.array([values.min(), values.max()]), **settings)
    binned: NDArray[np.int64] = np.digitize(values, edges)
    return binned


def _stack_padded(arrays: Sequence[NDArray[Any]], fill: float = 0) -> NDArray[np.float64]:
    """Stack arrays of different sizes, padded at their ends."""
    shape = np.max([array.shape for array in arrays], axis=0)
    stack = np.full((len(arrays), *shape), fill, np.float64)
    for place, array in zip(stack, arrays, strict=True):
        place[tuple(slice(size) for size in array.shape)] = array
    return stack


def _formulas(cls: Any, stack: Sequence[_Matrices]) -> Any:
    """Return an object of a feature class, made without the image that it usually needs."""
    formulas = cls.__new__(cls)
    formulas.logger = logging.getLogger("radiomics")
    levels = max(matrices.levels for matrices in stack)
    formulas.coefficients = {
        "Ng": levels,
        "grayLevels": np.arange(FIRST_LEVEL, FIRST_LEVEL + levels),
    }
    return formulas


def _first_order(
    stack: Sequence[_Matrices], pixel_spacing: tuple[float, float], settings: Mapping[str, Any]
) -> Any:
    from radiomics.firstorder import RadiomicsFirstOrder

    formulas = _formulas(RadiomicsFirstOrder, stack)
    formulas.pixelSpacing = pixel_spacing
    formulas.voxelArrayShift = settings.get("voxelArrayShift", 0)
    formulas.targetVoxelArray = _stack_padded([matrices.values for matrices in stack], np.nan)
    counts = _stack_padded([matrices.counts for matrices in stack])
    formulas.coefficients["p_i"] = counts / counts.sum(axis=1, keepdims=True)
    formulas._moment = _moment
    # NumPy is slow at percentiles among NaN.
    percentiles = np.stack([np.percentile(m.values, (10, 25, 50, 75, 90)) for m in stack], axis=1)
    formulas.get10PercentileFeatureValue = lambda: percentiles[0]
    formulas.get90PercentileFeatureValue = lambda: percentiles[4]
    formulas.getMedianFeatureValue = lambda: percentiles[2]
    formulas.getInterquartileRangeFeatureValue = lambda: percentiles[3] - percentiles[1]
    return formulas


def _moment(values: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    mean = np.nanmean(values, axis=1, keepdims=True)
    moment: NDArray[np.float64] = np.nanmean(_power(values - mean, order), axis=1)
    return moment


def _power(base: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Return the second, third or fourth power; ``**`` is twenty times slower."""
    square = base * base
    return {2: square, 3: square * base, 4: square * square}[order]


def _glcm(
    stack: Sequence[_Matrices], pixel_spacing: tuple[float, float], settings: Mapping[str, Any]
) -> Any:
    from radiomics.glcm import RadiomicsGLCM

    formulas = _formulas(RadiomicsGLCM, stack)
    formulas.symmetricalGLCM = settings.get("symmetricalGLCM", True)
    pairs = _stack_padded([matrices.glcm for matrices in stack])
    if formulas.symmetricalGLCM:
        pairs = pairs + pairs.transpose(0, 2, 1, 3)
    formulas.P_glcm = pairs / pairs.sum(axis=(1, 2), keepdims=True)
    formulas._calculateCoefficients()
    # Two features are normalised by the number of grey levels of each region.
    formulas.coefficients["Ng"] = np.array([m.levels for m in stack])[:, np.newaxis, np.newaxis]
    formulas.getMCCFeatureValue = lambda: _maximal_correlation(formulas)
    formulas.getClusterShadeFeatureValue = lambda: _cluster(formulas, 3)
    formulas.getClusterProminenceFeatureValue = lambda: _cluster(formulas, 4)
    return formulas


def _cluster(formulas: Any, order: int) -> NDArray[np.float64]:
    """Return ClusterShade (order 3) or ClusterProminence (4)."""
    known = formulas.coefficients
    sums = (known["i"] + known["j"])[np.newaxis, :, :, np.newaxis]
    deviation = sums - known["ux"] - known["uy"]
    powers = _power(deviation, order)
    mean: NDArray[np.float64] = np.sum(formulas.P_glcm * powers, axis=(1, 2)).mean(axis=1)
    return mean


def _maximal_correlation(formulas: Any) -> NDArray[np.float64]:
    """Return MCC: the root of the second largest eigenvalue of Q, averaged over the directions.

    Here Q is replaced by a symmetric matrix with the same eigenvalues, which takes a third of the
    time.
    """
    known = formulas.coefficients
    pairs, px, py = (
        matrix.transpose(0, 3, 1, 2) for matrix in (formulas.P_glcm, known["px"], known["py"])
    )
    root = np.sqrt(px)
    inverse = np.divide(1, root, out=np.zeros_like(root), where=root > 0)
    q = (pairs * root / (px * py + known["eps"])) @ (pairs * inverse).transpose(0, 1, 3, 2)
    eigenvalues = np.linalg.eigvalsh((q + q.transpose(0, 1, 3, 2)) / 2)
    # Eigenvalues are not negative, but rounding can make a zero negative.
    mean: NDArray[np.float64] = np.sqrt(np.maximum(eigenvalues[:, :, -2], 0)).mean(axis=1)
    return mean


def _glrlm(
    stack: Sequence[_Matrices], pixel_spacing: tuple[float, float], settings: Mapping[str, Any]
) -> Any:
    from radiomics.glrlm import RadiomicsGLRLM

    formulas = _formulas(RadiomicsGLRLM, stack)
    formulas.P_glrlm = _stack_padded([matrices.glrlm for matrices in stack])
    formulas.coefficients["Nr"] = formulas.P_glrlm.sum(axis=(1, 2))
    formulas._calculateCoefficients()
    return formulas


def _glszm(
    stack: Sequence[_Matrices], pixel_spacing: tuple[float, float], settings: Mapping[str, Any]
) -> Any:
    from radiomics.glszm import RadiomicsGLSZM

    formulas = _formulas(RadiomicsGLSZM, stack)
    formulas.P_glszm = _stack_padded([matrices.glszm for matrices in stack])
    formulas._calculateCoefficients()
    return formulas


def _gldm(
    stack: Sequence[_Matrices], pixel_spacing: tuple[float, float], settings: Mapping[str, Any]
) -> Any:
    from radiomics.gldm import RadiomicsGLDM

    formulas = _formulas(RadiomicsGLDM, stack)
    formulas.P_gldm = _stack_padded([matrices.gldm for matrices in stack])
    formulas.coefficients |= {
        "Nz": formulas.P_gldm.sum(axis=(1, 2)),
        "pd": formulas.P_gldm.sum(axis=1),
        "pg": formulas.P_gldm.sum(axis=2),
        "ivector": formulas.coefficients["grayLevels"].astype(np.float64),
        "jvector": np.arange(1.0, formulas.P_gldm.shape[2] + 1),
    }
    return formulas


def _ngtdm(
    stack: Sequence[_Matrices], pixel_spacing: tuple[float, float], settings: Mapping[str, Any]
) -> Any:
    from radiomics.ngtdm import RadiomicsNGTDM

    formulas = _formulas(RadiomicsNGTDM, stack)
    formulas.P_ngtdm = _stack_padded([matrices.ngtdm for matrices in stack])
    formulas._calculateCoefficients()
    return formulas


_FORMULAS: Final[dict[str, Callable[..., Any]]] = {
    "firstorder": _first_order,
    "glcm": _glcm,
    "glrlm": _glrlm,
    "glszm": _glszm,
    "gldm": _gldm,
    "ngtdm": _ngtdm,
}
CLASSES: Final = tuple(_FORMULAS)
"""Feature classes of pyradiomics that can be computed in stacks: all but shape."""
