"""XML of the Lung Image Database Consortium (LIDC-IDRI): nodules as up to four readers drew them.

A ``readingSession`` holds what one reader marked: an ``unblindedReadNodule`` for each nodule, with
a ``roi`` for each outline. An outline is a closed line of pixels (``edgeMap``; column and row are
counted from 0) that lie just outside of what they enclose. ``inclusion`` FALSE takes what is
enclosed away from the nodule. A nodule under 3 mm is a single pixel. A ``nonNodule`` is none.

S. G. Armato et al., Medical Physics 38(2), 915-931, 2011, doi:10.1118/1.3528204.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.regions.masks.grid import SeriesGrid
from rgan_train.evaluation.regions.masks.mask import Mask
from rgan_train.evaluation.regions.masks.polygons import fill_polygons
from rgan_train.evaluation.regions.untrusted_xml import read_xml

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ENDING: Final = ".xml"
MAX_BYTES: Final = 32 << 20
ROOT: Final = "LidcReadMessage"
MAX_TILT: Final = 0.001
"""How far the slice normal may point along a row or column: 0.25 mm at 250 mm from the centre."""


class Outline(NamedTuple):
    """One outline.

    Attributes
    ----------
    image, height
        SOPInstanceUID of its slice, and the z coordinate of that in mm.
    is_inclusion
        False for a hole.
    pixels
        ``[P, 2]`` column and row.
    """

    image: str
    height: float
    is_inclusion: bool
    pixels: NDArray[np.int64]


class Region(NamedTuple):
    """A nodule as one reader sees it: ascending numbers of voxels of the series, and notes."""

    reader: int
    voxels: NDArray[np.int64]
    notes: tuple[str, ...]


def read_nodules(path: Path, grid: SeriesGrid) -> Iterator[Mask]:
    """Yield the nodules with an outline, named such as ``nodule 1, reader 2``.

    Readers are counted in the order of the file. What different readers drew is one nodule if it
    overlaps. A nodule that does not lie on the series has no voxels, and a note says why. The notes
    of the first mask say how many nodules are points.

    Raises
    ------
    ConfigurationError
        If the file is not XML of LIDC, is malformed, is of another study, or outlines no nodule; or
        if the slices are tilted, because the file gives only their z coordinates.
    """
    root = read_xml(path, MAX_BYTES, "file of nodules")
    name = root.tag.rpartition("}")[2]
    if name != ROOT:
        raise ConfigurationError(f"is XML, but not of LIDC: its root is {name}, not {ROOT}")
    grid.require_study(root.findtext("{*}ResponseHeader/{*}StudyInstanceUID", "").strip())
    if np.abs(grid.axes[2, :2]).max() > MAX_TILT:
        raise ConfigurationError("gives only z of its slices, and those of the series are tilted")
    regions, points = [], Counter[int]()
    for reader, outlines in _read_all(root):
        if all(len(outline.pixels) == 1 for outline in outlines):
            points[reader] += 1
        else:
            regions.append(_make_region(reader, outlines, grid))
    if not regions:
        raise ConfigurationError(
            f"outlines no nodule: it marks {points.total()} under 3 mm, by a point; leave it out"
        )
    if points:
        by_reader = ", ".join(f"reader {reader}: {count}" for reader, count in points.items())
        note = f"nodules under 3 mm are points and have no region ({by_reader})"
        regions[0] = regions[0]._replace(notes=(*regions[0].notes, note))
    for number, group in enumerate(_group_overlapping(regions), start=1):
        for reader, numbers, notes in group:
            voxels = np.zeros(grid.shape, np.bool_)
            voxels.flat[numbers] = True
            yield Mask(f"nodule {number}, reader {reader}", voxels, notes)


def _read_all(root: Element) -> Iterator[tuple[int, list[Outline]]]:
    """Yield the reader and the outlines of each nodule."""
    for reader, session in enumerate(root.findall("{*}readingSession"), start=1):
        for nodule in session.findall("{*}unblindedReadNodule"):
            name = nodule.findtext("{*}noduleID", "").strip()
            try:
                outlines = [_read_outline(roi) for roi in nodule.findall("{*}roi")]
                if not outlines:
                    raise ConfigurationError("has no roi")
            except ConfigurationError as exc:
                raise ConfigurationError(
                    f"reader {reader}, noduleID {name!r}: {exc}; the file is damaged, get it again"
                ) from exc
            yield reader, outlines


def _read_outline(roi: Element) -> Outline:
    inclusion = roi.findtext("{*}inclusion", "").strip().upper()
    if inclusion not in ("TRUE", "FALSE"):
        raise ConfigurationError(f"inclusion is {inclusion!r}, neither TRUE nor FALSE")
    edges = roi.findall("{*}edgeMap")
    pixels = [[_number(edge, name) for name in ("xCoord", "yCoord")] for edge in edges]
    if not pixels:
        raise ConfigurationError("has a roi without edgeMap")
    if not np.array_equal(pixels, np.trunc(pixels)):
        raise ConfigurationError("xCoord and yCoord must be whole numbers of pixels")
    return Outline(
        roi.findtext("{*}imageSOP_UID", "").strip(),
        _number(roi, "imageZposition"),
        inclusion == "TRUE",
        np.array(pixels, np.int64),
    )


def _number(element: Element, name: str) -> float:
    text = element.findtext(f"{{*}}{name}", "").strip()
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not abs(number) < 1e6:  # NaN too
        raise ConfigurationError(f"{name} is {text!r}, which is no position")
    return number


def _make_region(reader: int, outlines: Sequence[Outline], grid: SeriesGrid) -> Region:
    """Return what the outlines enclose; nothing if one does not lie on the series."""
    slices: dict[int, NDArray[np.bool_]] = {}
    try:
        for outline in sorted(outlines, key=lambda one: not one.is_inclusion):
            number = grid.slice_through(np.array([[0, 0, outline.height]]), [outline.image])
            marked = slices.setdefault(number, np.zeros(grid.shape[1:], np.bool_))
            marked[_enclosed(outline.pixels, marked.shape)] = outline.is_inclusion
    except ConfigurationError as exc:
        return Region(reader, np.array([], np.int64), (f"left out: an outline {exc}",))
    size = grid.shape[1] * grid.shape[2]
    found = [np.flatnonzero(slices[number]) + number * size for number in sorted(slices)]
    return Region(reader, np.concatenate(found), ())


def _enclosed(pixels: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the pixels ``[H, W]`` inside an outline, without those that it runs through."""
    rows, columns = shape
    if (pixels < 0).any() or (pixels >= (columns, rows)).any():
        raise ConfigurationError(f"leaves the image, which has {columns} columns and {rows} rows")
    inside = fill_polygons([pixels.astype(np.float64)], (rows, columns))
    steps = np.roll(pixels, -1, axis=0) - pixels
    for corner, step, count in zip(pixels, steps, np.gcd(*steps.T), strict=True):
        if count:
            across, down = (corner + np.outer(np.arange(count), step // count)).T
            inside[down, across] = False
    return inside


def _group_overlapping(regions: Sequence[Region]) -> list[list[Region]]:
    """Return groups of regions that overlap, themselves or by way of others, as first found."""
    groups: list[list[int]] = []
    for new, region in enumerate(regions):
        own = [new]
        others = []
        for group in groups:
            shared = any(np.intersect1d(region.voxels, regions[i].voxels).size for i in group)
            if shared:
                own += group
            else:
                others.append(group)
        groups = [*others, sorted(own)]
    return [[regions[i] for i in group] for group in sorted(groups)]
