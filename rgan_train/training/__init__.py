"""Training: the loop, the window schedule, the folder of a run, and distillation."""

from __future__ import annotations

from rgan_train.training.events import EpochDone, StepDone, TrainingEvent, TrainingStarted
from rgan_train.training.job import Job
from rgan_train.training.run_folder import RunFolder, RunState
from rgan_train.training.trainer import Outcome, fit

__all__ = [
    "EpochDone",
    "Job",
    "Outcome",
    "RunFolder",
    "RunState",
    "StepDone",
    "TrainingEvent",
    "TrainingStarted",
    "fit",
]
