"""The extractor of pyradiomics (van Griethuysen et al. 2017), and what it is without a file."""

from __future__ import annotations

import logging
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.features.stacks import CLASSES

DEFAULT_FILTERS: Final[dict[str, dict[str, Any]]] = {
    "Original": {},
    "LoG": {"sigma": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]},
    "Wavelet": {},
    "Square": {},
    "SquareRoot": {},
    "Logarithm": {},
    "Gradient": {},
}
"""Fifteen images of 93 features each: 1,395 features. That is as many as 8 wavelet bands, 6 LoG and
the original give in three dimensions; a single slice has only four bands."""

TESTED_VERSION: Final = "3.0.1"
"""Of pyradiomics. ``stacks`` calls its formulas by private names, whose meaning another version may
change without an error."""


_INSTALL: Final = (
    "`make eval-deps` installs it. It does not build on its own; by hand: pip install "
    "'setuptools<81' wheel versioneer cython numpy, then pip install --no-build-isolation "
    f"pyradiomics=={TESTED_VERSION}, on Python 3.11"
)


def make_extractor(parameters: Path | None) -> Any:
    """Return an extractor of pyradiomics.

    Parameters
    ----------
    parameters
        As ``FeatureExtractor`` takes them.

    Raises
    ------
    ConfigurationError
        If pyradiomics is not installed or not ``TESTED_VERSION``, or the file is not one of its
        parameter files.
    """
    _require_tested_version()
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    logging.getLogger("radiomics").setLevel(logging.CRITICAL)
    if parameters is not None:
        try:
            return RadiomicsFeatureExtractor(str(parameters))
        except Exception as error:
            raise ConfigurationError(
                f"{parameters}: no parameter file of pyradiomics ({type(error).__name__}: {error})"
            ) from error
    extractor = RadiomicsFeatureExtractor()
    extractor.enableImageTypes(**DEFAULT_FILTERS)
    extractor.disableAllFeatures()
    for name in CLASSES:
        extractor.enableFeatureClassByName(name)
    return extractor


def _require_tested_version() -> None:
    try:
        import radiomics
    except ImportError as error:
        raise ConfigurationError(f"pyradiomics is not installed; {_INSTALL}") from error
    for stated in (radiomics.__version__, metadata.version("pyradiomics")):
        if (version := stated.removeprefix("v")) != TESTED_VERSION:
            raise ConfigurationError(
                f"pyradiomics {version} is installed, and only {TESTED_VERSION} was tested: "
                f"another may give other features; {_INSTALL}"
            )
