"""What a run leaves to read: provenance, a line of metrics per epoch, TensorBoard."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from rgan_sdk.errors import OutputError, TrainingError
from rgan_sdk.files import atomic_write, file_sha256, sync
from rgan_sdk.hu import HUWindow
from rgan_train.pairs import Dataset, PairList
from rgan_train.training.validation import HarmonizedSlice

DIFFERENCE_HU = 100.0
"""In difference images -100 HU is black and +100 HU is white."""

SOFTWARE = ("rgan-sdk", "torch", "lightning-fabric", "numpy", "pydicom", "safetensors")


def collect_provenance(
    dataset: Dataset, pairs: PairList, vgg_weights: Path | None, noise: Sequence[float]
) -> dict[str, Any]:
    """Return which data and software a run is made with; no patient data and no paths.

    ``noise`` is that of some training slices in soft tissue, in HU.
    """
    uids = "\n".join(dataset.series_uids)
    return {
        "source_kernel": dataset.source_kernel,
        "target_kernel": dataset.target_kernel,
        "manufacturers": list(dataset.manufacturers),
        "noise_hu": [min(noise), max(noise)] if noise else [],
        "slices": {part: len(getattr(dataset, part)) for part in ("train", "validation", "test")},
        "pairs_sha256": pairs.sha256,
        "series_uids_sha256": hashlib.sha256(uids.encode()).hexdigest(),
        "data_sha256": dataset.sha256(),
        "vgg_weights_sha256": file_sha256(vgg_weights) if vgg_weights else "",
        "software": {name: _version(name) for name in SOFTWARE},
        "python": sys.version.split()[0],
        "platform": platform.platform(),
    }


def _version(name: str) -> str:
    """Return the version of a distribution; ``unknown`` where only its modules are there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # another distribution may bring the same modules
        return "unknown"


class RunLog:
    """Writes ``metrics.jsonl``, ``windows.jsonl`` and ``tensorboard/``.

    Parameters
    ----------
    folder
        Folder of the run.
    epoch, step
        Where the run continues. Lines of later epochs, written before a crash, are removed, and so
        is a last line that the crash cut off.
    active
        False in all processes but one: they write nothing.

    Raises
    ------
    TrainingError
        If another line of a log is damaged.
    """

    def __init__(self, folder: Path, epoch: int, step: int, active: bool) -> None:
        self._active = active
        if not active:
            return
        self._metrics, self._windows = folder / "metrics.jsonl", folder / "windows.jsonl"
        for path in (self._metrics, self._windows):
            if path.exists():
                kept = _lines_until(path, epoch)
                with atomic_write(path, durable=True) as file:
                    file.write_bytes(b"".join(kept))
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step or None)

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Record values of one step for TensorBoard."""
        if not self._active:
            return
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def epoch(self, record: dict[str, Any], step: int) -> None:
        """Record an epoch: a line of JSON, and the validation scores for TensorBoard."""
        if not self._active:
            return
        _append(self._metrics, record)
        validation = {k: v for k, v in record.items() if k.startswith("validation")}
        self.scalars({k.replace("_", "/", 1): v for k, v in validation.items()}, step)
        self._board.flush()

    def last_psnr(self) -> float:
        """Return the validation PSNR in dB of the last epoch; NaN if there is none."""
        if not (self._active and self._metrics.exists()):
            return math.nan
        lines = self._metrics.read_bytes().splitlines()
        return float(json.loads(lines[-1])["validation_psnr"]) if lines else math.nan

    def window(self, record: dict[str, Any]) -> None:
        """Record the window of an epoch, the next window, and the reason for the change."""
        if not self._active:
            return
        _append(self._windows, record)

    def images(self, example: HarmonizedSlice, window: HUWindow, step: int) -> None:
        """Record one slice: source, fake, target, and fake minus target."""
        if not self._active:
            return
        panels = [_to_gray(image, window) for image in example]
        difference = example.harmonized_hu - example.target_hu
        panels.append(_to_gray(difference, HUWindow(-DIFFERENCE_HU, DIFFERENCE_HU)))
        self._board.add_image(
            "source | fake | target | difference", np.hstack(panels), step, dataformats="HW"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._active:
            self._board.close()


def _append(path: Path, record: dict[str, Any]) -> None:
    """Add a line to a log, and wait until it is on the disk."""
    try:
        with path.open("a") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written ({exc.strerror})") from exc
    sync(path.parent)


def _lines_until(path: Path, epoch: int) -> list[bytes]:
    """Return the lines of a log up to an epoch, without a last line that was cut off."""
    kept = []
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        whole = line.endswith(b"\n")
        try:
            if json.loads(line)["epoch"] <= epoch:
                kept.append(line if whole else line + b"\n")
        except (ValueError, TypeError, KeyError) as exc:
            if whole:
                raise TrainingError(
                    f"{path}: is damaged, line {number}; restore the file, or remove it to go on "
                    "without its epochs"
                ) from exc
    return kept


def _to_gray(image: NDArray[np.float32], window: HUWindow) -> NDArray[np.uint8]:
    """Map the window from black to white."""
    scaled = (np.clip(image, window.lower, window.upper) - window.lower) / window.width
    return np.round(scaled * 255).astype(np.uint8)
