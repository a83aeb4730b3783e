"""Compare a series with what a model's card says that it was made for.

On another kernel, scanner or pixel spacing a model gives pixels that look right and are wrong. A
card that is silent on a matter says nothing against any series. ``docs/dicom-conformance.md``
lists the comparisons.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from rgan_sdk.card import ModelCard
from rgan_sdk.dicom.series import Described

THICKNESS_TOLERANCE: Final = 0.1
"""Relative: slices of 1 mm also stand for slices of 1.1 mm."""

COMPANIES: Final = {
    "canon": "canon",
    "fujifilm": "fujifilm",
    "ge": "ge",
    "hitachi": "hitachi",
    "neusoft": "neusoft",
    "philips": "philips",
    "siemens": "siemens",
    "toshiba": "canon",  # Toshiba Medical Systems became Canon Medical Systems
    "uih": "uih",
}
"""Makers of CT scanners that the first word of Manufacturer (0008,0070) tells from all others."""


def find_outside(series: Described, card: ModelCard) -> dict[str, str]:
    """Return in what a series is outside a model's domain.

    Returns
    -------
    dict of str
        By the names of ``rgan_sdk.harmonizer.DOMAINS``, and in their order: the attribute, its
        value, and what the model takes. Empty if the series is inside.
    """
    found = {name: compare(series, card) for name, compare in _COMPARISONS.items()}
    return {name: text for name, text in found.items() if text}


def domain_notes(series: Described, card: ModelCard) -> tuple[str, ...]:
    """Return remarks on a slice thickness outside a model's domain, and on what is absent."""
    notes = []
    if _companies(card) and not series.manufacturer:
        notes.append(f"no Manufacturer (0008,0070); the model is made for {_manufacturers(card)}")
    if card.reconstruction and series.reconstruction is None:
        kinds = ", ".join(card.reconstruction)
        notes.append(f"the headers state no reconstruction; the model is made for {kinds}")
    if card.thickness_seen:
        notes.append(_thickness(series.slice_thickness, card.thickness_seen))
    return tuple(note for note in notes if note)


def noise_notes(noise_hu: float | None, card: ModelCard) -> tuple[str, ...]:
    """Return a remark on noise outside a model's domain, or on noise that is not known.

    Parameters
    ----------
    noise_hu
        Of the series, as ``soft_tissue_noise`` measures it; None if it could not be measured.
    """
    if card.noise_hu is None:
        return ()
    made_for = f"the model is made for {_span(card.noise_hu.min, card.noise_hu.max)} HU"
    if noise_hu is None:
        return (f"noise not measured, as where there is little even soft tissue; {made_for}",)
    return () if noise_hu in card.noise_hu else (f"noise is {noise_hu:.1f} HU; {made_for}",)


def company(manufacturer: str) -> str:
    """Return what tells companies apart: ``SIEMENS`` is also ``Siemens-Healthineers``.

    Of a name that is not in ``COMPANIES`` every word counts, whatever stands between them.
    """
    words = re.findall(r"[^\W_]+", manufacturer.casefold().replace(".", ""))
    return COMPANIES.get(words[0], " ".join(words)) if words else ""


def _kernel(series: Described, card: ModelCard) -> str:
    kernel = series.convolution_kernel
    if card.accepts_kernel(kernel):
        return ""
    what = "no ConvolutionKernel (0018,1210)"
    if kernel is not None:
        what = f"ConvolutionKernel (0018,1210) is {kernel}"
    return f"{what}; the model takes {', '.join(card.source_kernels)}"


def _manufacturer(series: Described, card: ModelCard) -> str:
    companies = _companies(card)
    if not companies or not series.manufacturer or _companies_of(series.manufacturer) <= companies:
        return ""
    takes = f"the model takes {_manufacturers(card)}"
    return f"Manufacturer (0008,0070) is {series.manufacturer}; {takes}"


def _spacing(series: Described, card: ModelCard) -> str:
    spacing, limits = series.mean_pixel_spacing, card.pixel_spacing
    first, second = series.pixel_spacing
    what = f"PixelSpacing (0028,0030) is {first:g} mm"
    if f"{first:g}" != f"{second:g}":
        what = (
            f"PixelSpacing (0028,0030) is {first:g} and {second:g} mm, in the mean {spacing:g} mm"
        )
    if limits is None:
        return f"{what}; the model, of format 1, states none"
    if spacing in limits:
        return ""
    return f"{what}; the model takes {_span(limits.min, limits.max)}"


def _reconstruction(series: Described, card: ModelCard) -> str:
    kind = series.reconstruction
    is_stated = card.format > 1
    if not is_stated or kind is None or _folded(kind) in map(_folded, card.reconstruction):
        return ""
    takes = ", ".join(card.reconstruction) or "series that state none"
    return f"reconstruction is {kind}; the model takes {takes}"


_COMPARISONS: Final[dict[str, Callable[[Described, ModelCard], str]]] = {
    "kernel": _kernel,
    "manufacturer": _manufacturer,
    "spacing": _spacing,
    "reconstruction": _reconstruction,
}


def _thickness(thickness: float | None, seen: tuple[float, ...]) -> str:
    made_for = f"the model is made for {_span(min(seen), max(seen))} mm"
    if thickness is None:
        return f"no SliceThickness (0018,0050), or several; {made_for}"
    slack = 1 + THICKNESS_TOLERANCE
    if min(seen) / slack <= thickness <= max(seen) * slack:
        return ""
    return f"SliceThickness (0018,0050) is {thickness:g} mm; {made_for}"


def _span(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _manufacturers(card: ModelCard) -> str:
    return ", ".join(filter(company, card.manufacturers))


def _companies(card: ModelCard) -> set[str]:
    return set().union(*map(_companies_of, card.manufacturers)) - {""}


def _companies_of(manufacturer: str) -> set[str]:
    """Return the companies of a series: several, if its slices state several."""
    return set(map(company, manufacturer.split("\\")))


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
