"""Train the conditioned network: on simulated kernels first, then on a few slices of one pair."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from many_kernels.network import ConditionedGenerator
from many_kernels.simulate import Crops
from rgan_train.config import Config
from rgan_train.methods.conditional_gan import ConditionalGAN
from rgan_train.methods.radiomicgan import build_generator
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.window import network_window, normalize
from rgan_train.processes import make_fabric

SAVE_EVERY: Final = 250
"""Steps between two checkpoints."""


class ConditionedGAN(ConditionalGAN):
    """A RadiomicGAN whose weights depend on two kernels."""

    @staticmethod
    def build_network(config: Config) -> HarmonizationNetwork:
        """Return the network with random weights."""
        return ConditionedGenerator(build_generator(config.generator))


@dataclass(frozen=True)
class Stage:
    """A training: what it sees, for how long, and where it is kept.

    Attributes
    ----------
    draw
        Takes the number of a step, and returns its batch.
    start
        Checkpoint whose networks the training starts from; None: random weights.
    """

    config: Config
    steps: int
    draw: Callable[[int], Crops]
    folder: Path
    start: Path | None = None

    @property
    def checkpoint(self) -> Path:
        """The last checkpoint."""
        return self.folder / "checkpoint.pt"

    @property
    def log(self) -> Path:
        """Lines with step, losses and seconds."""
        return self.folder / "log.jsonl"


def train(stage: Stage) -> ConditionedGenerator:
    """Train what is left of a stage, and return its network."""
    torch.manual_seed(stage.config.training.seed)
    fabric = make_fabric(1, "32-true")
    method = ConditionedGAN(
        fabric,
        stage.config,
        ConditionedGAN.build_network(stage.config),
        ConditionedGAN.build_discriminator(stage.config),
    )
    stage.folder.mkdir(parents=True, exist_ok=True)
    first, seconds = _load(stage, method)
    started = time.monotonic() - seconds
    sums = torch.zeros(len(method.losses))
    for step in range(first, stage.steps):
        method.set_rates(step / stage.steps)
        sums += method.step(*_as_tensors(stage, stage.draw(step)))
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == stage.steps:
            _save(stage, method, step + 1, time.monotonic() - started, sums)
            sums.zero_()
    network = method.G
    assert isinstance(network, ConditionedGenerator)
    return network.eval()


def _as_tensors(stage: Stage, crops: Crops) -> tuple[Tensor, Tensor, Tensor]:
    window = network_window(stage.config.data.hu_range)
    images = (normalize(torch.from_numpy(hu), window) for hu in crops[:2])
    source, target = images
    return source, target, torch.from_numpy(crops.condition)


def _load(stage: Stage, method: ConditionedGAN) -> tuple[int, float]:
    """Load the last checkpoint, or that of the start; return finished steps and seconds."""
    if stage.checkpoint.exists():
        saved = torch.load(stage.checkpoint, weights_only=True)
        method.load(saved["tensors"])
        return saved["step"], saved["seconds"]
    if stage.start is not None:
        tensors = torch.load(stage.start, weights_only=True)["tensors"]
        networks = {name: tensors[name] for name in ("generator", "discriminator")}
        method.load({**method.tensors(), **networks})
    return 0, 0.0


def _save(stage: Stage, method: ConditionedGAN, step: int, seconds: float, sums: Tensor) -> None:
    losses = dict(zip(method.losses, (sums / SAVE_EVERY).tolist(), strict=True))
    line: dict[str, Any] = {"step": step, "minutes": round(seconds / 60, 2), **losses}
    with stage.log.open("a") as file:
        file.write(json.dumps(line) + "\n")
    part = stage.checkpoint.with_suffix(".part")
    torch.save({"step": step, "seconds": seconds, "tensors": method.tensors()}, part)
    part.replace(stage.checkpoint)
