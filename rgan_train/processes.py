"""Devices and processes of a run: choose them, combine their values, stop them with Ctrl-C."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any, Literal, Self

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision

from rgan_sdk.errors import ConfigurationError, TrainingError

TrainingPrecision = Literal["auto", "32-true", "bf16-mixed", "16-mixed"]


def make_fabric(devices: int, precision: TrainingPrecision) -> Fabric:
    """Return a Fabric for some devices; it is not launched yet.

    Parameters
    ----------
    devices
        Number of GPUs, or of processes on the CPU if there is no GPU. Under ``torchrun``
        its own numbers are used.
    precision
        ``auto`` takes the fastest precision that the device supports natively.

    Raises
    ------
    ConfigurationError
        If there are fewer GPUs, or they do not support the precision.
    """
    nodes = 1
    if torch.distributed.is_torchelastic_launched():
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    on_gpu = torch.cuda.is_available()
    if on_gpu and devices > torch.cuda.device_count():
        raise ConfigurationError(
            f"--devices {devices}: this machine has {torch.cuda.device_count()} GPUs"
        )
    if precision == "16-mixed" and not on_gpu:
        raise ConfigurationError("training.precision = '16-mixed' needs a GPU; use auto")
    if precision == "auto":
        precision = _native_precision(on_gpu)
    # Float32 means float32: TF32 would round HU to steps of about 1.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    device = "cuda" if on_gpu else "cpu"
    mixed = None if precision == "32-true" else _Float32Inputs(precision, device)
    with warnings.catch_warnings():
        # Its advice to start with `srun` is for clusters, and shows where Slurm is installed.
        warnings.filterwarnings("ignore", "The `srun` command is available")
        return Fabric(
            accelerator=device,
            devices=devices,
            num_nodes=nodes,
            strategy="ddp" if devices * nodes > 1 else "auto",
            precision=None if mixed else "32-true",
            plugins=mixed,
        )


class _Float32Inputs(MixedPrecision):
    """Mixed precision that leaves a network's inputs as they are.

    By default Fabric would round the slice to bfloat16 before the first layer, which needs
    float32 (``rgan_train.networks.blocks.compute_in_float32``).
    """

    def convert_input(self, data: Any) -> Any:
        """Return the data unchanged."""
        return data


def _native_precision(on_gpu: bool) -> Literal["32-true", "bf16-mixed", "16-mixed"]:
    if not on_gpu:
        return "32-true"
    # is_bf16_supported() is also true where bf16 is only emulated.
    return "bf16-mixed" if torch.cuda.get_device_capability() >= (8, 0) else "16-mixed"


def combine(fabric: Fabric, how: Literal["max", "mean", "sum"], *values: float) -> list[float]:
    """Combine each value over all processes, so that all of them take the same decision."""
    if fabric.world_size == 1:
        return list(values)
    ours = torch.tensor(values, dtype=torch.float64, device=fabric.device)
    combined = fabric.all_reduce(ours, reduce_op=how)
    assert isinstance(combined, torch.Tensor)
    return [float(value) for value in combined]


def run_in_main_process(fabric: Fabric, action: Callable[[], object]) -> None:
    """Do something in the main process while the others wait; if it fails, all stop.

    Raises
    ------
    TrainingError
        In the other processes, if the action failed. The main process raises the error of
        the action itself.
    """
    error = None
    if fabric.is_global_zero:
        try:
            action()
        except Exception as exc:
            error = exc
    (failed,) = combine(fabric, "max", error is not None)
    if error is not None:
        raise error
    if failed:
        raise TrainingError("the main process failed; its message says why")


def leave_process_group(fabric: Fabric) -> None:
    """Destroy the process group of a finished run.

    If this is left to the end of the interpreter, threads of the group may abort a process
    that has finished its work.
    """
    if fabric.world_size > 1:
        barrier = torch.distributed.barrier(async_op=True)
        barrier.wait()
        # If a thread of the group were the last to let go of it, it would need Python's lock. But
        # this thread holds the lock while it waits for that one to end, in the group's destructor.
        _kept.append(barrier)
        torch.distributed.destroy_process_group()


_kept: list[object] = []
"""What must live as long as the process."""


class Interrupt:
    """Turns Ctrl-C into a request to stop after the current step.

    Attributes
    ----------
    requested
        Whether the user has pressed Ctrl-C.
    """

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> Self:
        self._previous = signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(self, *exc_info: object) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
