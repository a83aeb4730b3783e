"""Write a pair of series as DICOM on other pixels, for measurements that no scan at hand allows.

    python benchmarks/quality/resampled_pairs.py .data/pair_lungdx_A0002_siemens OUT 0.907

OUT gets a folder for each kernel. Both series are resampled in their plane with
``rgan_train.pairs.resampling``, around the centre of the slice, and rounded to stored values.
A resampled series is no reconstruction; its files say so. OUT appears complete or not at all, and
one that is there is not written again.
"""

from __future__ import annotations

import argparse
import copy
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from rgan_sdk.dicom import uids
from rgan_sdk.dicom.read.pixels import PixelFormat, Rescale
from rgan_sdk.dicom.read.pydicom_reader import PydicomSlice, read_slice
from rgan_sdk.dicom.series import Series
from rgan_sdk.dicom.write.attributes import OUTDATED
from rgan_sdk.dicom.write.derived_header import remove_private_elements, set_file_meta
from rgan_sdk.dicom.write.provenance import source_reference
from rgan_sdk.dicom.write.writer import encode, set_pixel_data
from rgan_sdk.hu import hu_to_stored
from rgan_train.pairs.find import find_pairs, open_pairs
from rgan_train.pairs.resampling import resample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pair", type=Path, help="folder with one pair of series")
    parser.add_argument("out", type=Path)
    parser.add_argument("spacing", type=float, help="the new pixel spacing in mm")
    options = parser.parse_args()
    write_resampled_pair(options.pair, options.out, options.spacing)


def write_resampled_pair(folder: Path, out: Path, spacing: float) -> None:
    """Write both series of a pair on square pixels of ``spacing`` mm; nothing if ``out`` exists."""
    with written_once(out) as staging:
        if staging is None:
            return
        for series in open_pairs(find_pairs([folder]).pairs)[0]:
            kernel = staging / (series.convolution_kernel or "unknown")
            kernel.mkdir()
            write_resampled_series(series, kernel, spacing)


def write_resampled_series(series: Series, folder: Path, spacing: float) -> None:
    """Write a series on square pixels of ``spacing`` mm, its files named as before."""
    for file in series.slices:
        source = read_slice(file.path, file.stamp)
        hu = resample(source.hu, spacing / series.pixel_spacing[0])
        dataset = resampled_header(source.dataset, hu.shape, spacing)
        set_pixel_data(dataset, stored_values(source, hu))
        (folder / file.path.name).write_bytes(encode(dataset))


def resampled_header(source: Dataset, shape: tuple[int, ...], spacing: float) -> Dataset:
    """Return the header of a resampled slice ``[H, W]``, without pixel data."""
    dataset = copy.deepcopy(source)
    remove_private_elements(dataset)
    for keyword in OUTDATED:
        if keyword in dataset:
            delattr(dataset, keyword)
    old = f"{float(source.PixelSpacing[0]):.6g}"
    dataset.DerivationDescription = (
        f"RESAMPLED in plane from {old} mm to {spacing:g} mm, not reconstructed. Research use."
    )
    dataset.SourceImageSequence = [source_reference(source)]
    dataset.ImageType = ["DERIVED", "SECONDARY", *source.ImageType[2:]]
    dataset.SeriesDescription = f"{source.get('SeriesDescription', '')[:40]} RESAMPLED".strip()
    for keyword, kind in (("SeriesInstanceUID", "series"), ("SOPInstanceUID", "instance")):
        uid = uids.hashed_uid(f"resampled {kind}", source[keyword].value, f"{spacing:g}")
        setattr(dataset, keyword, uid)
    dataset.ImagePositionPatient = first_pixel(source, shape, spacing)
    dataset.Rows, dataset.Columns = shape
    dataset.PixelSpacing = [f"{spacing:g}"] * 2
    set_file_meta(dataset)
    return dataset


def first_pixel(source: Dataset, shape: tuple[int, ...], spacing: float) -> list[str]:
    """Return where the first pixel lies when the centre of the slice stays (PS3.3 C.7.6.2.1.1)."""
    across, down = np.array(source.ImageOrientationPatient, float).reshape(2, 3)
    rows, columns = (float(value) for value in source.PixelSpacing)
    shift_across = (source.Columns - 1) * columns - (shape[1] - 1) * spacing
    shift_down = (source.Rows - 1) * rows - (shape[0] - 1) * spacing
    position = np.array(source.ImagePositionPatient, float)
    position += (across * shift_across + down * shift_down) / 2
    return [f"{value:.10g}" for value in position]


def stored_values(source: PydicomSlice, hu: NDArray[np.float32]) -> NDArray[np.generic]:
    """Return HU as the source would store them, clamped to what it can store."""
    pixel_format = PixelFormat.from_dataset(source.dataset)
    rescale = Rescale.from_dataset(source.dataset)
    stored = np.empty(hu.shape, pixel_format.dtype)
    limits = pixel_format.minimum, pixel_format.maximum
    hu_to_stored(hu, rescale.slope, rescale.intercept, *limits, stored)
    return stored


@contextmanager
def written_once(folder: Path) -> Iterator[Path | None]:
    """Yield a temporary folder that becomes ``folder`` at the end; None if that is there already.

    Other processes that want the same folder wait.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            yield None
            return
        staging = folder.with_name(f".{folder.name}.{os.getpid()}.part")
        try:
            staging.mkdir()
            yield staging
            staging.rename(folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


if __name__ == "__main__":
    main()
