"""A trained run as model files, fp32 and fp16, with card, checked in HU against PyTorch."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Literal

import numpy as np
import onnx

from rgan_sdk.card import CARD_KEY, ErrorBound, ModelCard, Quality, TrainingData
from rgan_sdk.errors import ConfigurationError, InferenceError, TrainingError
from rgan_sdk.hu import HUWindow
from rgan_sdk.model import write_model
from rgan_sdk.slices import spread_indices
from rgan_train.config import Config
from rgan_train.evaluation.metrics.image_quality import psnr, ssim
from rgan_train.export.onnx_graph import to_onnx
from rgan_train.export.parity import Images, Parity, check_parity, with_extremes
from rgan_train.methods import METHODS
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.networks.weights import load_frozen_state, load_trainable_state
from rgan_train.networks.window import HANDOVER, network_window
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset
from rgan_train.pairs.samples import PairedSample, SliceReader
from rgan_train.training.run_folder import RunFolder

Precision = Literal["fp32", "fp16"]

LIMITS: dict[Precision, float] = {"fp32": 0.05, "fp16": 5.0}
"""The largest deviation from PyTorch in HU that an export may have."""

LEAST_BOUND = ErrorBound(max=1.0, p999=0.5)
"""The card allows at least what rounding to stored values of 1 HU costs anyway."""

MAX_SLICES = 32
NAME_PATTERN = "[a-z0-9][a-z0-9._-]{0,63}"
METRICS = {"PSNR, dB": psnr, "SSIM": ssim}

INTENDED_USE = (
    "Research: harmonizing CT series from the source kernels to the target kernel before "
    "radiomic features are computed. Not for diagnosis."
)


@dataclass(frozen=True)
class Exported:
    """A model file that was written, and how far it is from PyTorch."""

    path: Path
    sha256: str
    size: int
    parity: Parity


@dataclass(frozen=True)
class Export:
    """Both files, and the figures on their card."""

    files: dict[Precision, Exported]
    card: ModelCard


def export_run(
    run: RunFolder,
    output: Path,
    config: Config | None = None,
    *,
    checkpoint: Literal["best", "last"] = "best",
    name: str | None = None,
    version: str = "1.0.0",
) -> Export:
    """Export a run to ``output`` (fp32) and, beside it, ``NAME.fp16.onnx``.

    Parameters
    ----------
    config
        The run's, where the names of the training data are to be others; None reads it.
    name, version
        Of the model, for the card; the name is made from the kernels where None.

    Raises
    ------
    ConfigurationError
        If the output is not named ``.onnx``, or nothing says what the training data are.
    TrainingError
        If there is no checkpoint, the validation slices are gone, or the exported graph
        deviates from PyTorch by more than ``LIMITS``. Nothing is written then; where
        only fp16 deviates, the fp32 file is.
    EngineUnavailableError
        If ONNX Runtime is not installed.
    """
    if output.suffix != ".onnx":
        raise ConfigurationError(f"{output}: a model file must be named .onnx")
    if name is not None and not re.fullmatch(NAME_PATTERN, name):
        raise ConfigurationError(f"the model's name {name!r} must match {NAME_PATTERN}")
    config = config or run.config()
    training_data = _training_data(config)
    graph = load_graph(run, config, checkpoint)
    samples = _validation_samples(run, config)
    if any(np.array_equal(*sample) for sample in samples):
        raise TrainingError(
            f"{run.path}: a source and a target slice are identical; the two series are copies of "
            "one another and no pair"
        )
    images = [sample.source_hu for sample in samples]
    expected = [harmonize_slice(graph, hu) for hu in images]
    quality = _measure(samples, expected, config.data.hu_range, training_data.name)
    card = replace(_make_card(run, config, graph, training_data, quality), version=version)
    card = replace(card, name=name or card.name)
    images.append(with_extremes(images[0]))
    expected.append(harmonize_slice(graph, images[-1]))

    fp32 = to_onnx(graph)
    parity = check_parity(_with_card(fp32, card), images, expected, LIMITS["fp32"])
    fp16 = to_onnx(graph.use_float16())
    try:
        parity16 = check_parity(_with_card(fp16, card), images, expected, LIMITS["fp16"])
    except (TrainingError, InferenceError) as exc:
        _write(_with_card(fp32, card), output, parity)
        raise TrainingError(f"{output} was written, but no fp16 file: {exc}") from exc
    measured = ErrorBound.from_measured(parity16.max, parity16.p999)
    bound = ErrorBound(max(measured.max, LEAST_BOUND.max), max(measured.p999, LEAST_BOUND.p999))
    card = replace(card, error_bounds={"fp16": bound})
    files: dict[Precision, Exported] = {
        "fp32": _write(_with_card(fp32, card), output, parity),
        "fp16": _write(_with_card(fp16, card), output.with_suffix(".fp16.onnx"), parity16),
    }
    return Export(files, card)


def load_graph(
    run: RunFolder, config: Config, checkpoint: Literal["best", "last"]
) -> HarmonizationGraph:
    """Return the network of a checkpoint, from HU to HU."""
    state = run.state(checkpoint)
    if state is None:
        raise TrainingError(
            f"{run.path}: has no {checkpoint} checkpoint; finish an epoch with `rgan-train fit`, "
            "or export with --checkpoint last"
        )
    network = METHODS[config.method.name].build_network(config)
    load_frozen_state(network, run.encoder())
    load_trainable_state(network, run.load(state)["generator"])
    return HarmonizationGraph(network, network_window(config.data.hu_range))


def _validation_samples(run: RunFolder, config: Config) -> list[PairedSample]:
    """Read validation slices, at most ``MAX_SLICES`` from all over; never test slices."""
    slices = load_dataset(read_pairs(run.pairs_csv), config.data).validation
    reader = SliceReader(config.data.cache_mb)
    return [reader.read(slices[index]) for index in spread_indices(len(slices), MAX_SLICES)]


def _training_data(config: Config) -> TrainingData:
    data = config.data
    if not (data.name and data.licence):
        raise ConfigurationError(
            "the model card must say what the model was trained on: give --data-name and "
            "--data-licence, or name and licence in [data] of the configuration"
        )
    return TrainingData(data.name, data.licence, data.citation)


def _taught_on(run: RunFolder) -> tuple[TrainingData, ...]:
    """Return the data that a distilled run's teacher was trained on."""
    teacher = run.provenance().get("teacher", {})
    return tuple(TrainingData(**data) for data in teacher.get("training_data", ()))


def _measure(
    samples: list[PairedSample], outputs: Images, window: HUWindow, data: str
) -> tuple[Quality, ...]:
    figures = []
    for name, metric in METRICS.items():
        before = [metric(s.source_hu, s.target_hu, window) for s in samples]
        after = [metric(out, s.target_hu, window) for out, s in zip(outputs, samples, strict=True)]
        figures.append(
            Quality(
                data=f"validation slices of {data}",
                slices=len(samples),
                metric=name,
                input=round(float(np.mean(before)), 4),
                output=round(float(np.mean(after)), 4),
            )
        )
    return tuple(figures)


def _make_card(
    run: RunFolder,
    config: Config,
    graph: HarmonizationGraph,
    training_data: TrainingData,
    quality: tuple[Quality, ...],
) -> ModelCard:
    source, target = config.data.source_kernel, config.data.target_kernel
    return ModelCard(
        name=re.sub(r"[^a-z0-9._-]+", "-", f"{source}-to-{target}".lower()).strip("-._"),
        version="1.0.0",
        window=graph.window,
        handover=HANDOVER,
        source_kernels=(source,),
        target_kernel=target,
        manufacturers=tuple(run.provenance().get("manufacturers", ())),
        multiple=graph.multiple,
        training_data=tuple(dict.fromkeys((training_data, *_taught_on(run)))),
        quality=quality,
        error_bounds={},
        intended_use=INTENDED_USE,
        software=f"rgan-sdk {metadata.version('rgan-sdk')}",
    )


def _with_card(model: onnx.ModelProto, card: ModelCard) -> onnx.ModelProto:
    onnx.helper.set_model_props(model, {CARD_KEY: card.to_json()})
    return model


def _write(model: onnx.ModelProto, path: Path, parity: Parity) -> Exported:
    written = write_model(model.SerializeToString(), path)
    return Exported(path, written.sha256, len(written.content), parity)
