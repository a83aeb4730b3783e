"""Training: the loop, its window schedule, its folder, and students of larger models."""

from __future__ import annotations

from rgan_train.training.run_folder import RunFolder, State
from rgan_train.training.trainer import Job, Outcome, fit

__all__ = [
    "Job",
    "Outcome",
    "RunFolder",
    "State",
    "fit",
]
