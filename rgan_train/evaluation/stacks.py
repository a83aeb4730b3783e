"""The slices of an evaluation, in memory, and what models make of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_sdk.harmonizer import Harmonizer
from rgan_train.pairs.dataset import Dataset, PairedFiles


@dataclass(frozen=True)
class PairedStack:
    """Slices with both kernels.

    Attributes
    ----------
    source_hu, target_hu
        ``[N, H, W]`` float32 HU.
    """

    items: Sequence[PairedFiles]
    source_hu: NDArray[np.float32]
    target_hu: NDArray[np.float32]

    @property
    def pixel_spacing(self) -> tuple[float, float]:
        """Mm between rows, mm between columns; the same in all slices."""
        return self.items[0].pixel_spacing


def read_test_stack(dataset: Dataset) -> PairedStack:
    """Read the test slices of a data set.

    Raises
    ------
    TrainingError
        If there are none.
    ConfigurationError
        If their matrix sizes or pixel spacings differ.
    DicomError
        If one cannot be read.
    """
    from rgan_sdk.dicom.read.pydicom_reader import read_slice

    items = dataset.test
    if not items:
        raise TrainingError("the split leaves no slices to test on; check [data] split")
    grids = sorted({(item.rows, item.columns, *item.pixel_spacing) for item in items})
    if len(grids) > 1:
        shown = " and ".join(
            f"{rows}x{columns} of {spacing:g} mm" for rows, columns, spacing, _ in grids[:2]
        )
        raise ConfigurationError(f"the test slices have different grids ({shown}); list them apart")
    source, target = (
        np.stack([read_slice(getattr(item, side)).hu for item in items])
        for side in ("source", "target")
    )
    return PairedStack(items, source, target)


def harmonize(
    model: str | Path, stack: PairedStack, source_kernel: str, on_done: Callable[[], None]
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Apply a model to the source slices.

    Returns
    -------
    ndarray, dict
        ``[N, H, W]`` HU, and which model and engine it was, for the record.

    Raises
    ------
    ConfigurationError
        If the model is for other kernels.
    ModelError, EngineError
        If it cannot be used.
    """
    with Harmonizer.load(model) as harmonizer:
        card = harmonizer.model.card
        if not card.accepts_kernel(source_kernel):
            raise ConfigurationError(
                f"{model}: is for {', '.join(card.source_kernels)}, and the source is "
                f"{source_kernel}; choose another model or direction"
            )
        images = np.empty_like(stack.source_hu)
        for number, hu in enumerate(stack.source_hu):
            images[number] = harmonizer(hu)
            on_done()
        record = {
            "name": card.name,
            "version": card.version,
            "sha256": harmonizer.model.sha256,
            "engine": harmonizer.engine.description,
        }
    return images, record
