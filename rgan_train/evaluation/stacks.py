"""The test slices of an evaluation in memory, and what a model makes of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import find_padding
from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.hu import hu_to_stored, stored_to_hu
from rgan_train.evaluation.domain import check_kernels, seen_notes, spacing_notes
from rgan_train.pairs.dataset import Dataset, PairedFiles, list_series
from rgan_train.pairs.samples import whole_path

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series
    from rgan_sdk.dicom.slices.table import SliceFile
    from rgan_sdk.dicom.stamp import Stamp


@dataclass(frozen=True)
class TestStack:
    """The test slices with both kernels.

    Attributes
    ----------
    items
        Where each slice comes from.
    source_hu, target_hu
        ``[N, H, W]`` float32 HU, as the files give them.
    padding
        ``[N, H, W]``, true where the source or the target is padding. These pixels count in no
        measure.
    """

    items: Sequence[PairedFiles]
    source_hu: NDArray[np.float32]
    target_hu: NDArray[np.float32]
    padding: NDArray[np.bool_]

    @property
    def pixel_spacing(self) -> tuple[float, float]:
        """Distance between rows and between columns, mm.; equal in all slices."""
        return self.items[0].pixel_spacing


def read_with_padding(
    series: Series, files: Sequence[SliceFile]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return slices of a series, ``[N, H, W]`` HU as models get them, and where padding is.

    Raises
    ------
    DicomError
        If a slice cannot be read.
    """
    shape = len(files), series.rows, series.columns
    hu, padding = np.empty(shape, np.float32), np.empty(shape, np.bool_)
    for number, file in enumerate(files):
        hu[number], padding[number] = _read_slice(file.path, file.stamp)
    return hu, padding


def _read_slice(
    path: Path, stamp: Stamp | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return a slice as models get it in ``rgan-harmonize run``, and where padding is."""
    from rgan_sdk.dicom.read.batches import hide_padding
    from rgan_sdk.dicom.read.pydicom_reader import read_slice

    source = read_slice(path, stamp)
    padding = find_padding(source.hu, source.padding)
    hide_padding(source, source.hu)
    return source.hu, padding


def read_test_stack(dataset: Dataset) -> TestStack:
    """Read the test slices of a data set.

    Raises
    ------
    TrainingError
        If there are none, or one cannot be read.
    ConfigurationError
        If their matrix sizes or pixel spacings differ.
    """
    items = dataset.test
    if not items:
        raise TrainingError("the split leaves no slices to test on; check [data] split")
    grids = sorted({(item.rows, item.columns, *item.pixel_spacing) for item in items})
    if len(grids) > 1:
        grids_text = " and ".join(
            f"{rows}x{columns} of {spacing:g} mm" for rows, columns, spacing, _ in grids[:2]
        )
        raise ConfigurationError(
            f"the test slices have different grids ({grids_text}); evaluate them separately"
        )
    shape = len(items), items[0].rows, items[0].columns
    source, target = np.empty((2, *shape), np.float32)
    padding = np.zeros(shape, np.bool_)
    for number, item in enumerate(items):
        for hu, path in ((source, item.source), (target, item.target)):
            with whole_path(path):
                hu[number], is_padding = _read_slice(path)
            padding[number] |= is_padding
    return TestStack(items, source, target, padding)


def harmonize_stack(
    model: str | Path,
    stack: TestStack,
    source_kernel: str,
    target_kernel: str,
    on_done: Callable[[], None],
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Apply a model to the source slices, and return what ``rgan-harmonize run`` would write.

    Source and target hold whole stored values, none below the lowest, and so do these. Of the
    network's own numbers features, air and density would differ from those of the files.

    Parameters
    ----------
    model
        ONNX file or name of a packaged model.
    on_done
        Called after each slice.

    Returns
    -------
    images : ndarray
        ``[N, H, W]`` HU.
    record : dict
        See ``describe_model``.

    Raises
    ------
    ConfigurationError
        If the model is for other kernels.
    ModelError, EngineError
        If the model cannot be used.
    """
    with open_model(model, (source_kernel,), (target_kernel,)) as harmonizer:
        images = np.empty_like(stack.source_hu)
        for number, (files, hu) in enumerate(zip(stack.items, stack.source_hu, strict=True)):
            made = harmonizer(hu, pixel_spacing=files.spacing)
            _store(made, files.source, images[number])
            on_done()
        spacings = [files.spacing for files in stack.items]
        record = describe_model(harmonizer, spacings, list_series(stack.items))
    return images, record


def _store(hu: NDArray[np.float32], source: Path, out: NDArray[np.float32]) -> None:
    """Fill ``out`` with HU as a file in the format of the source holds them."""
    from rgan_sdk.dicom.read.pixels import PixelFormat, Rescale
    from rgan_sdk.dicom.read.pydicom_reader import read_dataset

    header = read_dataset(source)
    form, rescale = PixelFormat.from_dataset(header), Rescale.from_dataset(header)
    stored = np.empty(hu.shape, form.dtype)
    hu_to_stored(hu, rescale.slope, rescale.intercept, form.minimum, form.maximum, stored)
    stored_to_hu(stored, rescale.slope, rescale.intercept, out)


def open_model(
    model: str | Path, source_kernels: Sequence[str], target_kernels: Sequence[str]
) -> Harmonizer:
    """Open a model for slices of any pixel spacing, and of these kernels; see ``check_kernels``.

    Raises
    ------
    ConfigurationError
        If the model is for other kernels.
    ModelError, EngineError
        If the model cannot be used.
    """
    harmonizer = Harmonizer.load(model, outside_domain=("spacing",))
    try:
        check_kernels(model, harmonizer.model.card, source_kernels, target_kernels)
    except ConfigurationError:
        harmonizer.close()
        raise
    return harmonizer


def describe_model(
    harmonizer: Harmonizer, spacings: Sequence[float], series_uids: Sequence[str]
) -> dict[str, Any]:
    """Return what a report says of a model, as JSON data.

    That is name, version and SHA-256, what the card says of its kernels and its training, the
    engine, and ``notes`` on slices outside the card and on series that the model was made with.

    Parameters
    ----------
    spacings
        Pixel spacing of each slice, mm.
    series_uids
        SeriesInstanceUIDs of the slices, source and target.
    """
    card = harmonizer.model.card
    return {
        "name": card.name,
        "version": card.version,
        "sha256": harmonizer.model.sha256,
        "source_kernels": list(card.source_kernels),
        "target_kernel": card.target_kernel,
        "window_hu": [card.window.lower, card.window.upper],
        "training_data": [dataclasses.asdict(data) for data in card.training_data],
        "made_without_pairs": card.certificate is not None,
        "made_with": card.software,
        "engine": harmonizer.engine.description,
        "notes": [*spacing_notes(card, spacings), *seen_notes(card, series_uids)],
    }
