"""Simulate roughly what a slice or a series would be with another kernel."""

from __future__ import annotations

from rgan_train.simulation.kernel import simulate_slice, slice_seed
from rgan_train.simulation.series import KernelChange, open_series, simulate_series

__all__ = [
    "KernelChange",
    "open_series",
    "simulate_series",
    "simulate_slice",
    "slice_seed",
]
