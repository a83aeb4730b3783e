"""What a run leaves to read: provenance, one line of metrics per epoch, TensorBoard."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from rgan_sdk.files import atomic_write, file_sha256
from rgan_sdk.hu import HUWindow
from rgan_train.pairs.dataset import Dataset

DIFFERENCE_HU = 100.0
"""Half the range of the difference images: -100 HU is black, +100 HU white."""

SOFTWARE = ("rgan-sdk", "torch", "lightning-fabric", "numpy", "pydicom", "safetensors")


def describe_run(dataset: Dataset, pairs_csv: Path, vgg_weights: Path | None) -> dict[str, Any]:
    """Return what a run was made from and with; nothing of a patient, no path."""
    uids = "\n".join(dataset.series_uids)
    return {
        "source_kernel": dataset.source_kernel,
        "target_kernel": dataset.target_kernel,
        "manufacturers": list(dataset.manufacturers),
        "slices": {part: len(getattr(dataset, part)) for part in ("train", "validation", "test")},
        "pairs_sha256": file_sha256(pairs_csv),
        "series_uids_sha256": hashlib.sha256(uids.encode()).hexdigest(),
        "data_sha256": dataset.sha256(),
        "vgg_weights_sha256": file_sha256(vgg_weights) if vgg_weights else "",
        "software": {name: metadata.version(name) for name in SOFTWARE},
        "python": sys.version.split()[0],
        "platform": platform.platform(),
    }


class RunLog:
    """Writes ``metrics.jsonl``, ``windows.jsonl`` and ``tensorboard/`` in a run's folder.

    Parameters
    ----------
    folder
        The run's.
    epoch, step
        Where the run goes on; lines of later epochs, from before a crash, are dropped.
    active
        False writes nothing: of many processes, one keeps the log.
    """

    def __init__(self, folder: Path, epoch: int, step: int, active: bool) -> None:
        self._active = active
        if not active:
            return
        self._metrics, self._windows = folder / "metrics.jsonl", folder / "windows.jsonl"
        for path in (self._metrics, self._windows):
            if path.exists():
                kept = [line for line in path.open() if json.loads(line)["epoch"] <= epoch]
                with atomic_write(path) as file:
                    file.write_text("".join(kept))
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step or None)

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Record values of one step for TensorBoard."""
        if not self._active:
            return
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def epoch(self, record: dict[str, Any], step: int) -> None:
        """Record an epoch: one line of JSON, and its numbers for TensorBoard."""
        if not self._active:
            return
        with self._metrics.open("a") as file:
            file.write(json.dumps(record) + "\n")
        validation = {k: v for k, v in record.items() if k.startswith("validation")}
        self.scalars({k.replace("_", "/", 1): v for k, v in validation.items()}, step)
        self._board.flush()

    def window(self, record: dict[str, Any]) -> None:
        """Record which window an epoch had, and why the next one has which."""
        if not self._active:
            return
        with self._windows.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def images(
        self,
        source: NDArray[np.float32],
        fake: NDArray[np.float32],
        target: NDArray[np.float32],
        window: HUWindow,
        step: int,
    ) -> None:
        """Record one slice: source, fake, target, and fake minus target."""
        if not self._active:
            return
        panels = [_gray(image, window) for image in (source, fake, target)]
        panels.append(_gray(fake - target, HUWindow(-DIFFERENCE_HU, DIFFERENCE_HU)))
        self._board.add_image(
            "source | fake | target | difference", np.hstack(panels), step, dataformats="HW"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._active:
            self._board.close()


def _gray(image: NDArray[np.float32], window: HUWindow) -> NDArray[np.uint8]:
    scaled = (np.clip(image, window.lower, window.upper) - window.lower) / window.width
    return np.round(scaled * 255).astype(np.uint8)
