"""The model card of a trained run: its data, its kernels, and its measured quality."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.card import (
    ModelCard,
    Quality,
    Range,
    SpacingRange,
    TrainingData,
    ValidityMap,
    hash_series,
)
from rgan_sdk.hu import HUWindow
from rgan_train.config import Config, DataConfig
from rgan_train.evaluation.metrics.image_quality import psnr, ssim
from rgan_train.export.validity import noise_without_loss
from rgan_train.networks.graph import HarmonizationGraph
from rgan_train.networks.window import HANDOVER
from rgan_train.pairs import Dataset, PairedSample, list_series, reference_spacing
from rgan_train.training import RunFolder

METRICS = {"PSNR, dB": psnr, "SSIM": ssim}

SPACING_MARGIN = 0.03
"""Share by which pixel spacings may be outside those of the training slices."""

NOT_STATED = "not stated"
"""What a card says where the training data have no name or no licence."""

INTENDED_USE = (
    "Research: harmonizing CT series from the source kernels to the target kernel before "
    "radiomic features are computed. Not for diagnosis."
)


def make_card(
    folder: RunFolder,
    config: Config,
    dataset: Dataset,
    graph: HarmonizationGraph,
    quality: tuple[Quality, ...],
    validity: ValidityMap,
    *,
    name: str | None,
    version: str,
) -> ModelCard:
    """Return the card of a run's model, without error bounds.

    Parameters
    ----------
    name
        None makes one from the kernels: ``SOURCE-to-TARGET``.
    """
    source, target = config.data.source_kernel, config.data.target_kernel
    own = training_data(config.data)
    spacings = spacing_range(config, dataset, graph)
    return ModelCard(
        name=name or default_name(source, target),
        version=version,
        window=graph.window,
        handover=HANDOVER,
        source_kernels=(source,),
        target_kernel=target,
        manufacturers=dataset.manufacturers,
        multiple=graph.multiple,
        training_data=tuple(dict.fromkeys((own, *_teacher_data(folder)))),
        quality=quality,
        error_bounds={},
        intended_use=INTENDED_USE,
        software=f"rgan-sdk {metadata.version('rgan-sdk')}",
        pixel_spacing=spacings,
        noise_hu=noise_range(folder, noise_without_loss(validity, spacings)),
        thickness_seen=dataset.thickness,
        reconstruction=dataset.reconstruction,
        validity=validity,
        series_seen=_series_seen(folder, dataset),
    )


def default_name(source_kernel: str, target_kernel: str) -> str:
    """Return a valid name for a model, made from its kernels."""
    text = f"{source_kernel}-to-{target_kernel}".lower()
    return re.sub(r"[^a-z0-9._-]+", "-", text)[:64].strip("-._")


def spacing_range(config: Config, dataset: Dataset, graph: HarmonizationGraph) -> SpacingRange:
    """Return the pixel spacings in mm that a model holds for.

    The smallest is that of a training slice as it was reconstructed, with a margin: what finer
    pixels show beyond its Nyquist frequency was not seen in training. The largest is the coarsest
    that slices were resampled to; that of a model that knows no spacing has the same margin.
    """
    spacings = [files.spacing for files in dataset.train]
    coarsest = config.domain.coarsest if config.domain.spacing_aware else 1 + SPACING_MARGIN
    return claim_spacings(spacings, reference_spacing(dataset.train), coarsest, graph)


def claim_spacings(
    spacings: Sequence[float], reference: float, coarsest: float, graph: HarmonizationGraph
) -> SpacingRange:
    """Return the pixel spacings of a card, which end where a linear filter is not known.

    Parameters
    ----------
    spacings
        Of the source slices as they were reconstructed, in mm.
    coarsest
        The largest claimed, as a factor of the largest of these.
    """
    finest_known, coarsest_known = graph.network.spacing_limits()
    return SpacingRange(
        min=round(max(min(spacings) * (1 - SPACING_MARGIN), finest_known), 4),
        max=round(min(max(spacings) * coarsest, coarsest_known), 4),
        reference=reference,
    )


def noise_range(folder: RunFolder, without_loss: float) -> Range | None:
    """Return the noise in soft tissue of the source slices, with what was added in training.

    Of the latter no more counts than goes without a loss on the validity map.
    """
    provenance = folder.provenance()
    measured = provenance.get("noise_hu", [])
    if not measured:
        return None
    lowest, highest = measured
    added = min(provenance.get("added_noise_hu", 0.0), without_loss)
    return Range(round(lowest, 1), round(math.hypot(highest, added), 1))


def training_data(data: DataConfig) -> TrainingData:
    """Return what the card says of the training data."""
    return TrainingData(data.name or NOT_STATED, data.licence or NOT_STATED, data.citation)


def missing_facts(data: DataConfig) -> str:
    """Return a warning if the card cannot state what the model was trained on; else nothing."""
    missing = [name for name in ("name", "licence") if not getattr(data, name)]
    if not missing:
        return ""
    what = " and ".join(missing)
    options = " and ".join(f"--data-{name}" for name in missing)
    return f"the card says {NOT_STATED!r} of the training data's {what}; give {options}"


def measure_quality(
    samples: Sequence[PairedSample],
    outputs: Sequence[NDArray[np.float32]],
    window: HUWindow,
    data: DataConfig,
) -> tuple[Quality, ...]:
    """Return the mean of each metric, against the target, for the source and for the output.

    Parameters
    ----------
    samples, outputs
        Slices, and the model's output for each of them: ``[H, W]`` HU.
    window
        The HU in which the images are compared.
    data
        The card tells their name.
    """
    figures = []
    for name, metric in METRICS.items():
        before = [metric(*s, window, s.padding) for s in samples]
        after = [
            metric(out, s.target_hu, window, s.padding)
            for out, s in zip(outputs, samples, strict=True)
        ]
        figures.append(
            Quality(
                data=data.validation_name,
                slices=len(samples),
                metric=name,
                input=round(float(np.mean(before)), 4),
                output=round(float(np.mean(after)), 4),
            )
        )
    return tuple(figures)


def _series_seen(folder: RunFolder, dataset: Dataset) -> tuple[str, ...]:
    """Return the hashes of all series with slices for training or validation, also a teacher's."""
    own = map(hash_series, list_series((*dataset.train, *dataset.validation)))
    teacher = folder.provenance().get("teacher", {})
    return tuple(sorted({*own, *teacher.get("series_seen", ())}))


def _teacher_data(folder: RunFolder) -> tuple[TrainingData, ...]:
    """Return the training data of the teacher, if the run is a distillation."""
    teacher = folder.provenance().get("teacher", {})
    return tuple(TrainingData(**data) for data in teacher.get("training_data", ()))
