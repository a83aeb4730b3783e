"""Read compressed slices to HU: with one thread, with two, and with pydicom's own plugins.

    python benchmarks/io/compressed.py --scans .data/pair_lungdx_A0002_siemens/B40f \
        --json benchmarks/results/compressed-read.json

The slices of the scan are compressed to memory (/dev/shm) in each transfer syntax. All of them in
one batch are read as `rgan-harmonize run` does, from file to float32 HU, with one thread, then
with two, then by pydicom's `pixel_array` and the plugin that it takes without ours (it has none for
JPEG Lossless: ours). Reported is the wall time for each slice, median of the rounds. Correctness
column: whether all HU are those of the scan.

Needs pyjpegls, which encodes JPEG-LS: pip install -c constraints.txt --group test.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.batches import BatchReader
from rgan_sdk.dicom.slices.table import SliceTable

ROUNDS = 7
SYNTAXES = {
    "RLE": RLELossless,
    "JPEG Lossless": JPEGLosslessSV1,
    "JPEG-LS": JPEGLSLossless,
    "HTJ2K": HTJ2KLossless,
    "JPEG 2000": JPEG2000Lossless,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scans", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    (series,) = find_series(options.scans).series
    expected = read(series.slices, threads=1)
    rows = []
    for name, syntax in SYNTAXES.items():
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            for file in series.slices:
                compress(file.path, Path(folder) / file.path.name, syntax)
            (compressed,) = find_series(Path(folder)).series
            rows.append({"syntax": name, **compare(compressed.slices, expected)})
            print(rows[-1])
    if options.json:
        result = {"slices": len(series.slices), "rounds": ROUNDS, "rows": rows}
        result["environment"] = environment()
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def compress(path: Path, target: Path, syntax: UID) -> None:
    """Write a slice again in another transfer syntax."""
    dataset = pydicom.dcmread(path)
    if syntax == JPEGLosslessSV1:
        frame = imagecodecs.jpeg8_encode(
            dataset.pixel_array, lossless=True, predictor=1, bitspersample=dataset.BitsStored
        )
    elif syntax == HTJ2KLossless:
        frame = imagecodecs.htj2k_encode(dataset.pixel_array, reversible=True)
    else:
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(target)
        return
    dataset.PixelData = encapsulate([bytes(frame)])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(target)


def read(files: SliceTable, threads: int) -> NDArray[np.float32]:
    """Read as the pipeline does, in one batch."""
    hu = np.empty((len(files), files[0].rows, files[0].columns), np.float32)
    reader = BatchReader(threads)
    for source in reader.read(files, hu):
        if isinstance(source, Exception):
            raise source
    return hu


def read_by_pydicom(files: SliceTable) -> NDArray[np.float32]:
    """Read in a loop, with the plugin that pydicom takes by itself where ours is not."""
    hu = np.empty((len(files), files[0].rows, files[0].columns), np.float32)
    for place, file in zip(hu, files, strict=True):
        dataset = pydicom.dcmread(file.path)
        plugin = {JPEGLSLossless: "pyjpegls", JPEG2000Lossless: "pylibjpeg"}
        syntax = dataset.file_meta.TransferSyntaxUID
        dataset.pixel_array_options(decoding_plugin=plugin.get(syntax, ""))
        slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
        place[:] = dataset.pixel_array * slope + intercept
    return hu


def compare(files: SliceTable, expected: NDArray[np.float32]) -> dict[str, object]:
    """Time all readers in turn; return milliseconds for each slice."""
    readers: dict[str, Callable[[], NDArray[np.float32]]] = {
        "one thread": lambda: read(files, 1),
        "two threads": lambda: read(files, 2),
        "pydicom": lambda: read_by_pydicom(files),
    }
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    equal = True
    for _ in range(ROUNDS):
        for name, reader in readers.items():
            start = time.perf_counter()
            hu = reader()
            seconds[name].append(time.perf_counter() - start)
            equal &= np.array_equal(hu, expected)
    milliseconds = {
        f"{name}, ms": round(statistics.median(taken) / len(files) * 1e3, 2)
        for name, taken in seconds.items()
    }
    megabytes = sum(file.stamp.size for file in files) / len(files) / 1e6
    return {"file, MB": round(megabytes, 3), **milliseconds, "all HU bit-equal": equal}


def environment() -> dict[str, str]:
    """Return the versions that a figure may depend on."""
    names = ("rgan-sdk", "numpy", "pydicom", "imagecodecs", "pylibjpeg-openjpeg", "pyjpegls")
    return {
        **{name: metadata.version(name) for name in names},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, files in memory",
    }


if __name__ == "__main__":
    main()
