"""Many series out of one, as input of benchmarks."""

from __future__ import annotations

from pathlib import Path

import pydicom
from pydicom.uid import generate_uid


def multiply(scan: Path, folder: Path, *, series: int, stacked: int = 1) -> int:
    """Copy a scan into series with UIDs of their own, each in its own folder.

    Parameters
    ----------
    stacked
        How many times the scan follows itself, a metre further on, within each series.

    Returns
    -------
    int
        How many slices that makes.
    """
    datasets = [pydicom.dcmread(path) for path in sorted(scan.rglob("*")) if path.is_file()]
    heights = [float(dataset.ImagePositionPatient[2]) for dataset in datasets]
    for number in range(series):
        target = folder / f"{number:04d}"
        target.mkdir(parents=True)
        uid = generate_uid()
        for copy in range(stacked):
            for index, (dataset, height) in enumerate(zip(datasets, heights, strict=True)):
                sop_uid = generate_uid()
                dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = sop_uid
                dataset.SeriesInstanceUID = uid
                dataset.ImagePositionPatient[2] = height + copy * 1000
                dataset.save_as(target / f"{copy * len(datasets) + index:04d}.dcm")
    return series * stacked * len(datasets)
