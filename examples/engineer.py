"""Harmonize series in memory, from a program of your own.

Usage: python engineer.py [SCANS]

Without an argument it makes phantoms in the current folder, and works on those.
"""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.misc import is_dicom

import rgan_sdk as rgan

MODEL = "b40f-to-b70f"


def read_series(folder: Path) -> Iterator[list[Dataset]]:
    """Yield the slices of one series after the other; they might come from a PACS as well."""
    paths = defaultdict(list)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if is_dicom(path):
            header = pydicom.dcmread(path, specific_tags=["SeriesInstanceUID"])
            paths[header.get("SeriesInstanceUID")].append(path)
    for group in paths.values():
        yield [pydicom.dcmread(path) for path in group]


class Progress(rgan.SilentObserver):
    """Prints how it goes on; ``SilentObserver`` does what is left out here: nothing."""

    def on_started(self, series_instance_uid: str, slices: int) -> None:
        """Print which series is under way."""
        print(f"{series_instance_uid}: {slices} slices")

    def on_finished(self, entry: rgan.SeriesEntry) -> None:
        """Print what has become of a series, and what to be aware of."""
        print(f"{entry.series_instance_uid}: {entry.status}", entry.reason, *entry.notes)


def harmonize_all(folder: Path, target: Path) -> rgan.HarmonizerConfig:
    """Harmonize each series as it comes; one at a time is in memory."""
    cancel = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: cancel.set())  # stops within a batch
    with rgan.Harmonizer.load(MODEL, device="cpu") as harmonizer:
        for result in rgan.harmonize_stream(
            read_series(folder), harmonizer, observer=Progress(), cancel=cancel
        ):
            for dataset in result.datasets:  # none unless the whole series is done
                path = target / dataset.SeriesInstanceUID / f"{dataset.SOPInstanceUID}.dcm"
                path.parent.mkdir(parents=True, exist_ok=True)
                dataset.save_as(path, enforce_file_format=True)
        return harmonizer.config


def open_harmonizer(config: rgan.HarmonizerConfig) -> None:
    """Open the harmonizer of a worker process: it is not shared, and not sent."""
    global harmonizer
    harmonizer = config.open()


def harmonize_array(hu: np.ndarray) -> np.ndarray:
    """Harmonize slices of 0.7 mm in a worker process."""
    return harmonizer(hu, pixel_spacing=0.7)


def main() -> None:
    """Do the one, then the other."""
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
    else:
        folder = Path("scans")
        for name, model in (("soft", "b40f-to-b70f"), ("sharp", "b70f-to-b40f")):
            command = ["rgan-harmonize", "sample", folder / name, "--model", model, "--slices", "3"]
            subprocess.run(command, check=True)
    config = harmonize_all(folder, Path("harmonized"))

    stacks = [np.full((2, 128, 128), value, np.float32) for value in (-700, 0)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, spawn, open_harmonizer, (config,)) as pool:
        for hu in pool.map(harmonize_array, stacks):
            print(f"a stack of {hu.shape} in another process, {hu.mean():.1f} HU in the mean")


if __name__ == "__main__":
    main()
