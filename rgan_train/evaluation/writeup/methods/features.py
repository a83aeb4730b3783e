"""On which regions features were computed, and which features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rgan_train.evaluation.report.texts import format_number, join_with_and, pluralize
from rgan_train.evaluation.writeup.document import state
from rgan_train.evaluation.writeup.report import Report

CLASSES: Final = {
    "firstorder": "first order",
    "glcm": "GLCM",
    "glrlm": "GLRLM",
    "glszm": "GLSZM",
    "gldm": "GLDM",
    "ngtdm": "NGTDM",
}
"""As papers write them."""

BIN_WIDTH: Final = 25
"""Of pyradiomics, where a parameter file states none."""

FILTERS: Final = {
    "Original": "the original image",
    "LoG": "Laplacian of Gaussian",
    "Square": "square",
    "SquareRoot": "square root",
    "Logarithm": "logarithm",
    "Exponential": "exponential",
    "Gradient": "gradient magnitude",
    "LBP2D": "local binary patterns",
}


def describe_regions(report: Report) -> str:
    """Return how the regions were made."""
    made = report.provenance("regions")
    if not made:
        return state("how the regions were chosen, and how many there are") + "."
    ranges = join_with_and(
        [f"{format_number(low)} to {format_number(high)} HU" for low, high in made["hu_ranges"]]
    )
    chosen = "the target" if report.is_paired else "the smoothed image"
    sentences = [
        "Features were computed on whole slices and on random regions inside the patient. A "
        f"random region is all pixels of a square of {made['square_pixels']} x "
        f"{made['square_pixels']} pixels whose value on {chosen} is in one of the ranges {ranges}, "
        f"and {made['fewest_pixels']} pixels at least. There were {made['draws']} independent "
        f"draws, and {made['asked_for']} regions were asked for in each range.",
        "All methods were compared on the same regions."
        if report.is_paired
        else "All variants of a group have the same regions, chosen after a Gaussian of "
        f"{report.provenance('statistics', 'smoothing_mm')} mm, so that the noise of a kernel "
        "hardly shapes them.",
    ]
    if given := made["given"]:
        sentences.append(
            f"Further regions come from masks or boxes: {join_with_and(given)}. "
            + state("who or what drew them, with which software, and by which rules")
            + "."
        )
    if counts := made["groups"]:
        told = "; ".join(f"{group}: {number:,}" for group, number in counts.items())
        sentences.append(f"Number of regions: {told}.")
    return " ".join(sentences)


def describe_features(report: Report) -> str:
    """Return which features were computed, and how."""
    features = report.provenance("features")
    if not features:
        return state("which features were computed, with which software and settings") + "."
    counted = features["counted"]
    return " ".join(
        [
            f"{pluralize(counted, 'feature')} of each region were computed slice by slice, in two "
            f"dimensions, with pyradiomics {features['pyradiomics']} (van Griethuysen 2017), whose "
            "formulas rgan-sdk calls on slices that are filtered once as a whole.",
            f"Classes: {list_classes(features)}, each on {list_filters(features)}.",
            f"{describe_bins(features['settings'])} {describe_resampling(features['settings'])}",
            "Shape features depend on the mask alone and were not counted. All settings are in the "
            f"table below; their SHA-256, with filters and features, is {features['sha256']}.",
        ]
    )


def list_classes(features: Mapping[str, Any]) -> str:
    """Return the classes with their numbers of features: ``first order (18) and GLCM (24)``."""
    return join_with_and(
        [f"{CLASSES.get(name, name)} ({len(one)})" for name, one in features["features"].items()]
    )


def list_filters(features: Mapping[str, Any]) -> str:
    """Return the images that features were computed on, with what the filters need."""
    settings = features["settings"]
    return join_with_and(
        [_filter(name, {**settings, **own}) for name, own in features["filters"].items()]
    )


def _filter(name: str, settings: Mapping[str, Any]) -> str:
    if name == "LoG" and settings.get("sigma"):
        sigmas = join_with_and([f"{sigma:g}" for sigma in settings["sigma"]])
        return f"Laplacian of Gaussian (sigma {sigmas} mm)"
    if name == "Wavelet":
        return f"wavelet bands ({settings.get('wavelet', 'coif1')})"
    return FILTERS.get(name, name)


def describe_bins(settings: Mapping[str, Any]) -> str:
    """Return how grey levels were discretised."""
    if settings.get("binCount"):
        return f"Grey levels were discretised into {settings['binCount']} bins."
    width = settings.get("binWidth", BIN_WIDTH)
    return (
        f"Grey levels were discretised with a fixed bin width of {width:g} "
        "(HU on the original image); bins begin at multiples of the width."
    )


def describe_resampling(settings: Mapping[str, Any]) -> str:
    """Return whether images were resampled, resegmented or normalised."""
    spacing = settings.get("resampledPixelSpacing")
    told = [
        f"resampled to {_spacing(spacing)} ({settings.get('interpolator')})" if spacing else "",
        f"resegmented to {settings['resegmentRange']}" if settings.get("resegmentRange") else "",
        "normalised" if settings.get("normalize") else "",
    ]
    done = [one for one in told if one]
    undone = [
        name
        for name, one in zip(("resampled", "resegmented", "normalised"), told, strict=True)
        if not one
    ]
    sentences = []
    if done:
        sentences.append(f"Images were {join_with_and(done)}.")
    if undone:
        sentences.append(f"Images were not {join_with_and(undone).replace(' and ', ' or ')}.")
    return " ".join(sentences)


def _spacing(values: Sequence[float]) -> str:
    return " x ".join(f"{value:g}" for value in values) + " mm"
