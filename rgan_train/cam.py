"""Where the discriminator of a finished run recognizes a slice as harmonized."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.export import load_graph, open_validation_slices
from rgan_train.methods import find_method
from rgan_train.networks.gradcam import non_standard_cam
from rgan_train.networks.graph import harmonize_slice
from rgan_train.networks.weights import load_trainable_state
from rgan_train.networks.window import network_window, normalize
from rgan_train.training import RunFolder
from rgan_train.training.job import UNPAIRED


class JudgedSlice(NamedTuple):
    """``[H, W]``: source, harmonized and target in HU, and the class activation in [0, 1].

    The activation is 0 where the discriminator does not look, at the edges.
    """

    source: NDArray[np.float32]
    harmonized: NDArray[np.float32]
    target: NDArray[np.float32]
    cam: NDArray[np.float32]


def judge_slice(
    folder: RunFolder, number: int | None, checkpoint: Literal["best", "last"]
) -> JudgedSlice:
    """Harmonize a validation slice, and map where the discriminator recognizes that.

    Parameters
    ----------
    folder
        Of the run.
    number
        Number of the slice among the validation slices, from 0; None: the middle one.
    checkpoint
        The one with the best validation PSNR, or the most recent one.

    Raises
    ------
    TrainingError
        If the run has no discriminator or no checkpoint, or its slices are missing.
    ConfigurationError
        If there is no such slice.
    """
    config = folder.config()
    method = find_method(config, unpaired=UNPAIRED in folder.provenance())
    discriminator = method.build_discriminator(config)
    if discriminator is None or config.loss.adversarial_weight == 0:
        raise TrainingError(
            f"{folder.path}: the method {config.method.name} trained no discriminator, so there "
            "is no class activation map to show"
        )
    graph = load_graph(folder, config, checkpoint)
    state = folder.state(checkpoint)
    assert state is not None
    load_trainable_state(discriminator, folder.load(state)["discriminator"])
    slices = open_validation_slices(folder, config)
    number = len(slices) // 2 if number is None else number
    if number >= len(slices):
        raise ConfigurationError(
            f"--slice {number}: the run has {len(slices)} validation slices, counted from 0"
        )
    source, target = slices[number]
    spacing = slices.spacing(number)
    harmonized = harmonize_slice(graph, source, spacing)
    window = network_window(config.data.hu_range)
    real_a, fake_b = (
        normalize(torch.from_numpy(hu)[None, None], window) for hu in (source, harmonized)
    )
    with torch.no_grad(), discriminator.freeze_weights():
        images = method.judged(real_a, fake_b, spacing, spacing)
        cam = non_standard_cam(discriminator, *images)[0].numpy()
    return JudgedSlice(source, harmonized, target, np.pad(cam, discriminator.margin))
