"""What a training run reports while it works."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TrainingStarted:
    """What the run works with; reported once.

    Attributes
    ----------
    method
        Name of the method.
    device
        Device of the main process, such as ``cuda:0``.
    processes
        Number of processes.
    trained_parameters
        Number of parameters of the generator that are trained.
    epoch, epochs
        Epochs finished before, and epochs of the whole run.
    steps_per_epoch
        0 for a method that is fitted without steps.
    input_psnr
        Mean PSNR in dB of the unharmonized source on the validation slices.
    seconds_left
        Until ``max_minutes`` end the run; infinite without a limit.
    notes
        Remarks on the slices and on the network, such as how many of its layers are pretrained.
    """

    method: str
    device: str
    processes: int
    trained_parameters: int
    epoch: int
    epochs: int
    steps_per_epoch: int
    input_psnr: float
    seconds_left: float = math.inf
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepDone:
    """A training step is done.

    Attributes
    ----------
    epoch
        The current epoch, counted from 0.
    step
        Steps done in this epoch.
    losses
        Losses of the latest step by name.
    """

    epoch: int
    step: int
    losses: dict[str, float]


@dataclass(frozen=True)
class EpochDone:
    """An epoch is trained, validated and saved.

    Attributes
    ----------
    record
        Its line in ``metrics.jsonl``.
    is_best
        Whether its validation PSNR is the best so far.
    """

    record: dict[str, Any]
    is_best: bool


TrainingEvent = TrainingStarted | StepDone | EpochDone
