"""DICOM Segmentation (PS3.3 A.51): frames, each of which marks segments on one slice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom import values
from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.regions.masks.grid import Plane, SeriesGrid
from rgan_train.evaluation.regions.masks.mask import Mask

if TYPE_CHECKING:
    from pydicom import Dataset


def read_segments(dataset: Dataset, stored: NDArray[Any], grid: SeriesGrid) -> list[Mask]:
    """Return the segments in the order of the file, named by SegmentLabel.

    A frame belongs to the slice at its position (Plane Position). If several slices lie there, the
    image that the frame was derived from (Derivation Image) decides. The background of a label
    map, segment number 0 or Pixel Padding Value, is left out.

    Parameters
    ----------
    stored
        ``[F, H, W]`` values of the frames, or ``[H, W]`` of a single frame. In a FRACTIONAL
        segmentation, pixels of one half or more belong to the segment.

    Raises
    ------
    ConfigurationError
        If a frame does not lie on a slice of the series, or has no position.
    InvalidSeriesError
        If an attribute is missing.
    """
    grid.require_frame_of_reference(values.text(dataset, "FrameOfReferenceUID"))
    background = {0, dataset.get("PixelPaddingValue", 0)}
    names = {
        values.integer(item, "SegmentNumber"): values.text(item, "SegmentLabel")
        for item in dataset.SegmentSequence
    }
    found = {n: np.zeros(grid.shape, np.bool_) for n in names if n not in background}
    frames = stored.reshape(-1, *stored.shape[-2:])
    for groups, frame in zip(dataset.PerFrameFunctionalGroupsSequence, frames, strict=True):
        marked = [
            (segment, pixels)
            for segment, pixels in _segments(groups, dataset, frame)
            if segment in found and pixels.any()
        ]
        plane = _plane(groups, dataset)
        if marked or grid.reaches(plane):
            place = grid.place_of(plane, _sources(groups))
            for segment, pixels in marked:
                found[segment][place.number] |= grid.on_slice(pixels, place)
    return [Mask(names[n] or f"segment {n}", voxels) for n, voxels in found.items()]


def _segments(
    groups: Dataset, dataset: Dataset, frame: NDArray[Any]
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield number and pixels of each segment of a frame (PS3.3 C.8.20.2.3)."""
    match dataset.SegmentationType:
        case "LABELMAP":
            for number in np.unique(frame).tolist():
                yield number, frame == number
        case "FRACTIONAL":
            half = values.number(dataset, "MaximumFractionalValue") / 2
            yield _segment_number(groups, dataset), frame >= half
        case _:
            yield _segment_number(groups, dataset), frame != 0


def _segment_number(groups: Dataset, dataset: Dataset) -> int:
    item = _group(groups, dataset, "SegmentIdentificationSequence")
    return values.integer(item, "ReferencedSegmentNumber")


def _plane(groups: Dataset, dataset: Dataset) -> Plane:
    measures = _group(groups, dataset, "PixelMeasuresSequence")
    orientation = _group(groups, dataset, "PlaneOrientationSequence")
    position = _group(groups, dataset, "PlanePositionSequence")
    return Plane(
        rows=values.integer(dataset, "Rows"),
        columns=values.integer(dataset, "Columns"),
        pixel_spacing=values.numbers(measures, "PixelSpacing", 2),
        orientation=values.numbers(orientation, "ImageOrientationPatient", 6),
        origin=values.numbers(position, "ImagePositionPatient", 3),
    )


def _group(groups: Dataset, dataset: Dataset, keyword: str) -> Dataset:
    """Return a functional group of a frame: its own, or the one that all frames share."""
    shared = dataset.get("SharedFunctionalGroupsSequence") or [{}]
    found = groups.get(keyword) or shared[0].get(keyword)
    if not found:
        raise ConfigurationError(
            f"a frame has no {keyword}, so its place in the patient is unknown"
        )
    item: Dataset = found[0]
    return item


def _sources(groups: Dataset) -> list[str]:
    return [
        values.text(source, "ReferencedSOPInstanceUID")
        for derivation in groups.get("DerivationImageSequence") or ()
        for source in derivation.get("SourceImageSequence") or ()
    ]
