"""What a training run tells while it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StartReport:
    """What the run works with, told once.

    Attributes
    ----------
    input_psnr
        In dB, of the source on the validation slices.
    notes
        What a user should know of the network, such as how far its pretrained weights go.
    """

    method: str
    device: str
    processes: int
    trained_parameters: int
    epoch: int
    epochs: int
    steps_per_epoch: int
    input_psnr: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepReport:
    """Steps done in an epoch (counted from 0), and the latest losses by name."""

    epoch: int
    step: int
    losses: dict[str, float]


@dataclass(frozen=True)
class EpochReport:
    """A finished epoch: its line of ``metrics.jsonl``, and whether it is the best so far."""

    record: dict[str, Any]
    is_best: bool


Report = StartReport | StepReport | EpochReport
