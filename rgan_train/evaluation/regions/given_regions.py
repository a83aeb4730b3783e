"""Regions that the user gives: masks on the grid of a pair, and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.regions.boxes import find_box
from rgan_train.evaluation.regions.masks.mask import StructureChoice
from rgan_train.evaluation.regions.masks.read import empty_names, mask_rois, read_masks
from rgan_train.evaluation.regions.rois import Roi, box_rois
from rgan_train.pairs.dataset import Dataset
from rgan_train.pairs.find import Pair, open_pairs


def read_mask_regions(
    paths: Sequence[Path],
    pairs: Sequence[Pair],
    dataset: Dataset,
    structures: Sequence[str] = (),
) -> tuple[list[Roi], list[str]]:
    """Read masks, and return the regions on the test slices.

    Parameters
    ----------
    paths
        Mask files; see ``read_masks``.
    pairs
        All pairs that are listed.
    structures
        Names of the structures that are wanted; none for all. See ``StructureChoice``.

    Returns
    -------
    rois : list of Roi
        The regions.
    notes : list of str
        What is missing.

    Raises
    ------
    ConfigurationError
        If the data set has more than one pair, a mask is not on the pair's grid, no mask reaches a
        test slice, or no file has one of the structures.
    """
    if structures and not paths:
        raise ConfigurationError("--structure chooses among the structures of --masks; give a mask")
    if not paths:
        return [], []
    used = [pair for pair in pairs if {pair.series_a, pair.series_b} & set(dataset.series_uids)]
    if len(used) != 1:
        raise ConfigurationError(
            f"masks belong to one pair, but {len(used)} are listed; evaluate that pair alone"
        )
    series = open_pairs(used)[0][0]
    places = {file.path: number for number, file in enumerate(series.slices)}
    numbers = [
        places[item.source if item.source in places else item.target] for item in dataset.test
    ]
    rois: list[Roi] = []
    notes: list[str] = []
    choice = StructureChoice(structures)
    for path in paths:
        masks = read_masks(path, series, choice)
        notes += [f"{path.name}: {mask.name}, {note}" for mask in masks for note in mask.notes]
        notes += [f"{path.name}: {name} has no pixel" for name in empty_names(masks)]
        rois += mask_rois(masks, numbers)
    choice.check_found()
    if not rois:
        raise ConfigurationError(
            f"{', '.join(map(str, paths))}: no mask reaches a test slice; choose other test slices "
            "with --set data.test_slices=... and so on"
        )
    return rois, notes


def read_box_regions(folder: Path, dataset: Dataset) -> list[Roi]:
    """Read the boxes of the test slices, as regions of the group ``box``.

    Parameters
    ----------
    folder
        With files named by SOPInstanceUID; see ``find_box``. Slices without a file have no region.

    Raises
    ------
    ConfigurationError
        If no test slice has a file.
    """
    boxes = {
        number: find_box(folder, (item.source_uid, item.target_uid))
        for number, item in enumerate(dataset.test)
        if any((folder / f"{uid}.xml").exists() for uid in (item.source_uid, item.target_uid))
    }
    if not boxes:
        raise ConfigurationError(
            f"{folder}: has no SOPInstanceUID.xml of a test slice; choose other test slices with "
            "--set data.test_slices=..."
        )
    first = dataset.test[0]
    return box_rois(boxes, (len(dataset.test), first.rows, first.columns), "box")
