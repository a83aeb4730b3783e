"""What the discriminator of a finished run makes of one harmonized slice."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.export.export import load_graph
from rgan_train.methods import METHODS
from rgan_train.networks.gradcam import non_standard_cam
from rgan_train.networks.graph import harmonize_slice
from rgan_train.networks.weights import load_trainable_state
from rgan_train.networks.window import network_window, normalize
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset
from rgan_train.pairs.samples import SliceReader
from rgan_train.training.run_folder import RunFolder


class JudgedSlice(NamedTuple):
    """``[H, W]``: source, harmonized and target in HU, and the class activation in [0, 1]."""

    source: NDArray[np.float32]
    harmonized: NDArray[np.float32]
    target: NDArray[np.float32]
    cam: NDArray[np.float32]


def judge_slice(
    run: RunFolder, number: int | None, checkpoint: Literal["best", "last"]
) -> JudgedSlice:
    """Harmonize a validation slice and ask the run's discriminator where it sees that.

    Parameters
    ----------
    number
        Of the validation slices, from 0; None takes the one in the middle.

    Raises
    ------
    TrainingError
        If the run has no discriminator or no checkpoint, or its slices are gone.
    ConfigurationError
        If there is no such slice.
    """
    config = run.config()
    discriminator = METHODS[config.method.name].build_discriminator(config)
    if discriminator is None or config.loss.adversarial_weight == 0:
        raise TrainingError(
            f"{run.path}: the method {config.method.name} trained no discriminator, whose "
            "judgement could be shown"
        )
    graph = load_graph(run, config, checkpoint)
    state = run.state(checkpoint)
    assert state is not None
    load_trainable_state(discriminator, run.load(state)["discriminator"])
    slices = load_dataset(read_pairs(run.pairs_csv), config.data).validation
    number = len(slices) // 2 if number is None else number
    if number >= len(slices):
        raise ConfigurationError(
            f"--slice {number}: the run has {len(slices)} validation slices, counted from 0"
        )
    source, target = SliceReader(config.data.cache_mb).read(slices[number])
    harmonized = harmonize_slice(graph, source)
    window = network_window(config.data.hu_range)
    real_a, fake_b = (
        normalize(torch.from_numpy(hu)[None, None], window) for hu in (source, harmonized)
    )
    with torch.no_grad(), discriminator.frozen():
        cam = non_standard_cam(discriminator, real_a, fake_b)[0].numpy()
    return JudgedSlice(source, harmonized, target, cam)
