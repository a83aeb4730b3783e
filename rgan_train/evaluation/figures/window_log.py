"""Read ``windows.jsonl``: the HU window that a run trained on in each epoch."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_sdk.hu import HUWindow

PHASES = ("growing", "selection", "whole")


@dataclass(frozen=True)
class EpochWindow:
    """The window of one epoch.

    Attributes
    ----------
    phase
        One of ``PHASES``.
    window
        HU window that the epoch trained on.
    accuracy
        Accuracy on the validation slices: in the window while it grows, later in the whole HU
        range.
    reason
        Why the window changes after the epoch; empty if it stays.
    """

    epoch: int
    phase: str
    window: HUWindow
    accuracy: float
    reason: str


def read_windows(path: Path) -> tuple[EpochWindow, ...]:
    """Read the window log of a run; unknown keys are ignored, and so is a last line cut off.

    Raises
    ------
    TrainingError
        If there is no log, or it is empty or damaged.
    """
    try:
        content = path.read_bytes()
        lines = content[: content.rfind(b"\n") + 1].decode().splitlines()
    except FileNotFoundError as exc:
        raise TrainingError(
            f"{path.parent}: has no {path.name}; it is no training run, or a run without a window "
            'schedule (curriculum.schedule = "none")'
        ) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise TrainingError(f"{path}: cannot be read ({exc})") from exc
    if not lines:
        raise TrainingError(f"{path}: is empty, as no epoch of the run is finished")
    epochs = tuple(_read_line(path, number, line) for number, line in enumerate(lines, start=1))
    for expected, found in enumerate(epochs, start=epochs[0].epoch):
        if found.epoch != expected:
            raise TrainingError(
                f"{path}: is damaged, epoch {found.epoch} stands where {expected} should"
            )
    return epochs


def _read_line(path: Path, number: int, line: str) -> EpochWindow:
    try:
        return _epoch_window(json.loads(line))
    except KeyError as exc:
        raise TrainingError(f"{path}: is damaged, line {number} has no {exc}") from exc
    except (ValueError, TypeError, ConfigurationError) as exc:
        raise TrainingError(f"{path}: is damaged, line {number}: {exc}") from exc


def _epoch_window(record: dict[str, Any]) -> EpochWindow:
    if not isinstance(record, dict):
        raise TypeError(f"expected an object, got {record!r}")
    if record["phase"] not in PHASES:
        raise ValueError(f"phase {record['phase']!r} is not one of {', '.join(PHASES)}")
    lower, upper = map(_number, record["window"])
    return EpochWindow(
        epoch=int(record["epoch"]),
        phase=record["phase"],
        window=HUWindow(lower, upper),
        accuracy=_number(record["accuracy"]),
        reason=str(record["reason"]),
    )


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)
