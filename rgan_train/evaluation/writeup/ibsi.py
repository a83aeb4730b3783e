"""Which features follow the Image Biomarker Standardisation Initiative (IBSI), and which do not.

The facts on pyradiomics 3.0.1 were measured on the digital phantom of the initiative:
``docs/results/features.md`` and ``docs/results/feature-engines.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rgan_train.evaluation.report.texts import join_with_and
from rgan_train.evaluation.writeup.document import Block, Heading, Listing, Paragraph, state
from rgan_train.evaluation.writeup.methods.features import FILTERS

TESTED: Final = "3.0.1"
"""Version of pyradiomics that was compared with the digital phantom."""

OTHER_FEATURES: Final = {
    "firstorder_Kurtosis": "Kurtosis is not the excess kurtosis of IBSI: 3 is not subtracted.",
    "firstorder_TotalEnergy": "Total energy is not defined by IBSI.",
    "glcm_MCC": "The maximal correlation coefficient (MCC) of the GLCM is not defined by IBSI.",
}
"""Features with another definition, or without one."""

OTHER_NAMES: Final = {
    "firstorder_Entropy": "Entropy of first order is IBSI's intensity histogram entropy.",
    "firstorder_Uniformity": "Uniformity of first order is IBSI's intensity histogram uniformity.",
    "glcm_SumSquares": "SumSquares of the GLCM is IBSI's joint variance.",
}
"""Features that IBSI defines alike, under another name."""

IN_IBSI_2: Final = {"LoG": "Laplacian of Gaussian", "Wavelet": "wavelet"}
"""Filters that the second part of IBSI defines as well."""


def ibsi_statement(features: Mapping[str, Any] | None) -> list[Block]:
    """Return a section on the features that were used.

    Parameters
    ----------
    features
        ``provenance.features`` of a report; None if it has none.
    """
    heading = Heading("IBSI statement")
    if not features:
        return [heading, Paragraph(state("which features follow IBSI") + ".")]
    if (version := features["pyradiomics"]) != TESTED:
        mark = state(f"how pyradiomics {version} agrees with IBSI's reference values")
        return [heading, Paragraph(f"{mark}.")]
    return [
        heading,
        Paragraph(_agreement(features)),
        Listing([*_definitions(features), *_processing(features), *_filters(features)]),
    ]


def _agreement(features: Mapping[str, Any]) -> str:
    used = _names(features)
    agree = [name for name in used if name not in OTHER_FEATURES]
    return (
        f"Features computed on each image: {len(used)}. Of these, {len(agree)} follow the "
        "definitions of the Image Biomarker Standardisation Initiative (IBSI; Zwanenburg 2020). "
        "The tests of rgan-sdk compare them with the reference values of IBSI's "
        f"digital phantom: pyradiomics {TESTED} gives them to all three digits, textures in two "
        "and in three dimensions, first order in three. The phantom was not filtered, and its bins "
        "were 1 wide. Names are those of pyradiomics."
    )


def _names(features: Mapping[str, Any]) -> list[str]:
    return [f"{kind}_{name}" for kind, names in features["features"].items() for name in names]


def _definitions(features: Mapping[str, Any]) -> list[str]:
    used = _names(features)
    notes = {**OTHER_FEATURES, **OTHER_NAMES}
    found = [note for name, note in notes.items() if name in used]
    if "gldm" in features["features"]:
        found.append(
            "GLDM is IBSI's neighbouring grey level dependence matrix (NGLDM) with coarseness 0."
        )
    return found


def _processing(features: Mapping[str, Any]) -> list[str]:
    settings = features["settings"]
    found = [
        "Each slice is a region of its own. Textures were computed in its plane, and averaged over "
        "directions where there is a matrix for each (IBSI: 2D, averaged)."
    ]
    if not settings.get("binCount"):
        found.append(
            "Bins of fixed width begin at multiples of the width, and not at the smallest value of "
            "the region or of a resegmentation range, as IBSI's do. So textures, entropy and "
            "uniformity can differ from software that follows IBSI there."
        )
    if settings.get("resampledPixelSpacing"):
        found.append(
            "Resampling differs: the grid begins at the corner of the image, values are not "
            "rounded, and masks take the nearest neighbour."
        )
    return found


def _filters(features: Mapping[str, Any]) -> list[str]:
    used = [name for name in features["filters"] if name != "Original"]
    if not used:
        return []
    defined = [name for name in used if name in IN_IBSI_2]
    other = [FILTERS.get(name, name) for name in used if name not in IN_IBSI_2]
    found = []
    if defined:
        names = join_with_and([IN_IBSI_2[name] for name in defined])
        found.append(
            f"Filters that the second part of IBSI defines ({names}) were not compared with its "
            "reference values (Whybra 2024)."
        )
    if "LoG" in defined:
        found.append(
            "The Laplacian of Gaussian is scaled by sigma squared and takes a recursive "
            "approximation of the Gaussian."
        )
    if other:
        found.append(
            f"Images that the second part of IBSI does not define: {join_with_and(other)}."
        )
    return found
