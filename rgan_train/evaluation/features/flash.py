"""The extractor of flash-radiomics, which has wheels for more than one version of Python."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.features.pyradiomics import DEFAULT_FILTERS
from rgan_train.evaluation.features.stacks import CLASSES

NEEDED: Final = ("flash_radiomics", "h5py", "pykwalify", "pywt", "scipy", "SimpleITK", "sklearn")
"""It imports more than its package declares."""


def make_flash_extractor(parameters: Path | None) -> Any:
    """Return an extractor that computes on one thread of the CPU.

    Parameters
    ----------
    parameters
        Parameter file of pyradiomics, YAML or JSON. None for all features of ``CLASSES`` on
        ``DEFAULT_FILTERS``, with bins of 25 HU.

    Raises
    ------
    ConfigurationError
        If a package is not installed, or the file is not a parameter file.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"flash-radiomics needs packages that are not installed ({', '.join(missing)}): pip "
            "install 'rgan-sdk[flash]'"
        )
    from flash_radiomics.featureextractor import RadiomicsFeatureExtractor

    class Extractor(RadiomicsFeatureExtractor):  # type: ignore[misc]
        """One that bins each filtered image anew.

        Version 1.0.0 keeps binned images by the address of the image, and takes one for another
        that has come to lie at the same address.
        """

        def computeFeatures(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
            self._discretization_cache: dict[object, object] = {}
            return super().computeFeatures(*args, **kwargs)

        def execute(self, image: Any, label: Any) -> Any:
            """Compute the features of one structure, and write no HDF5 file of them."""
            return self.extract_from_preprocessed(self.preprocess_case(image, label))

    logging.getLogger("flash_radiomics").setLevel(logging.CRITICAL)
    given = () if parameters is None else (str(parameters),)
    try:
        extractor = Extractor(*given, backend="cpu", num_threads=1)
    except Exception as exc:
        raise ConfigurationError(
            f"{parameters}: no parameter file of pyradiomics ({type(exc).__name__}: {exc})"
        ) from exc
    if parameters is None:
        extractor.enableImageTypes(**DEFAULT_FILTERS)
        extractor.disableAllFeatures()
        for name in CLASSES:
            extractor.enableFeatureClassByName(name)
    return extractor
