"""Train a GAN on batches that a benchmark draws itself; what was interrupted goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgan_train.config import Config
from rgan_train.methods.conditional_gan import ConditionalGAN
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.window import network_window, normalize
from rgan_train.pairs.samples import PairedSample
from rgan_train.processes import make_fabric

SAVE_EVERY: Final = 250
"""Steps between two checkpoints."""


Images = NDArray[np.float32]


class Crops(NamedTuple):
    """A batch of pairs: ``[N, 1, H, W]`` HU, and what the network is told of all of them."""

    source_hu: Images
    target_hu: Images
    told: Images


def random_crops(
    samples: Sequence[PairedSample], count: int, size: int, rng: np.random.Generator
) -> tuple[Images, Images]:
    """Return random crops of paired slices, mirrored at random: ``[count, 1, size, size]`` HU."""
    crops = []
    for _ in range(count):
        sample = samples[int(rng.integers(len(samples)))]
        rows, columns = sample.source_hu.shape
        top, left = (int(rng.integers(edge - size + 1)) for edge in (rows, columns))
        down, across = (1 - 2 * int(flip) for flip in rng.integers(2, size=2))
        part = slice(top, top + size), slice(left, left + size)
        crops.append([hu[part][::down, ::across] for hu in sample])
    source_hu, target_hu = (np.stack(side)[:, np.newaxis] for side in zip(*crops, strict=True))
    return source_hu, target_hu


@dataclass(frozen=True)
class Stage:
    """A training: what it sees, for how long, and where it is kept.

    Attributes
    ----------
    method
        Builds the networks and takes the steps.
    draw
        Takes the number of a step, and returns its batch.
    made_from
        All that the network depends on beside the number of steps, as JSON holds it. A checkpoint
        that was made from anything else is not gone on with.
    start
        Checkpoint whose networks the training starts from; None: random weights.
    """

    method: type[ConditionalGAN]
    config: Config
    steps: int
    draw: Callable[[int], Crops]
    made_from: Mapping[str, Any]
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


def train(stage: Stage) -> HarmonizationNetwork:
    """Train what is left of a stage, and return its network."""
    torch.manual_seed(stage.config.training.seed)
    fabric = make_fabric(1, "32-true")
    networks = (
        stage.method.build_network(stage.config),
        stage.method.build_discriminator(stage.config),
    )
    method = stage.method(fabric, stage.config, *networks)
    stage.folder.mkdir(parents=True, exist_ok=True)
    first, seconds = _load(stage, method)
    started = time.monotonic() - seconds
    sums, saved = torch.zeros(len(method.losses)), first
    for step in range(first, stage.steps):
        method.set_rates(step / stage.steps)
        sums += method.step(*_as_tensors(stage, stage.draw(step)))
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == stage.steps:
            means = sums / (step + 1 - saved)
            _save(stage, method, step + 1, time.monotonic() - started, means)
            sums, saved = torch.zeros_like(sums), step + 1
    return method.G.eval()


def _as_tensors(stage: Stage, crops: Crops) -> tuple[Tensor, Tensor, Tensor]:
    window = network_window(stage.config.data.hu_range)
    images = (normalize(torch.from_numpy(hu), window) for hu in crops[:2])
    source, target = images
    return source, target, torch.from_numpy(crops.told)


def _made_from(stage: Stage) -> str:
    return json.dumps({**stage.made_from, "steps": stage.steps})


def _load(stage: Stage, method: ConditionalGAN) -> tuple[int, float]:
    """Load the last checkpoint, or that of the start; return finished steps and seconds."""
    if stage.checkpoint.exists():
        saved = torch.load(stage.checkpoint, weights_only=True)
        if saved.get("made_from") == _made_from(stage):
            method.load(saved["tensors"])
            return saved["step"], saved["seconds"]
        stage.log.unlink(missing_ok=True)
    if stage.start is not None:
        tensors = torch.load(stage.start, weights_only=True)["tensors"]
        networks = {name: tensors[name] for name in ("generator", "discriminator")}
        method.load({**method.tensors(), **networks})
    return 0, 0.0


def _save(stage: Stage, method: ConditionalGAN, step: int, seconds: float, means: Tensor) -> None:
    losses = dict(zip(method.losses, means.tolist(), strict=True))
    line: dict[str, Any] = {"step": step, "minutes": round(seconds / 60, 2), **losses}
    with stage.log.open("a") as file:
        file.write(json.dumps(line) + "\n")
    part = stage.checkpoint.with_suffix(".part")
    kept = {"step": step, "seconds": seconds, "made_from": _made_from(stage)}
    torch.save({**kept, "tensors": method.tensors()}, part)
    part.replace(stage.checkpoint)
