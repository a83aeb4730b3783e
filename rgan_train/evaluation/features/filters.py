"""Filters of pyradiomics, applied once to an image for all its regions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from numpy.typing import NDArray

# With these settings pyradiomics changes image or mask for each region before it filters.
_ONE_BY_ONE: Final = ("resampledPixelSpacing", "preCrop", "resegmentRange", "weightingNorm")


def can_share_filters(extractor: Any) -> bool:
    """Return whether an extractor of pyradiomics filters an image alike for all its regions."""
    of_all, of_filters = extractor.settings, extractor.enabledImagetypes.values()
    return not any(one.get(name) for one in (of_all, *of_filters) for name in _ONE_BY_ONE)


def filter_image(
    imageoperations: Any, extractor: Any, image: Any
) -> Iterator[tuple[Any, str, dict[str, Any]]]:
    """Yield what each filter of an extractor makes of an image.

    Parameters
    ----------
    imageoperations
        That module of the extractor's package.

    Yields
    ------
    tuple
        The filtered image, the name that its features begin with, and settings for them.
    """
    if extractor.settings.get("normalize"):
        image = imageoperations.normalizeImage(image, **extractor.settings)
    for kind, options in extractor.enabledImagetypes.items():
        make = getattr(imageoperations, f"get{kind}Image")
        yield from make(image, None, **{**extractor.settings, **options})


def as_image(array: NDArray[Any], spacing: tuple[float, ...]) -> Any:
    """Return an image of SimpleITK; ``spacing`` is mm along the axes of the array."""
    import SimpleITK as sitk  # noqa: N813 - as its documentation does

    image: Any = sitk.GetImageFromArray(array)
    image.SetSpacing([float(mm) for mm in reversed(spacing)])
    return image
