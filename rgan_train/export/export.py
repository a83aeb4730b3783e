"""Export a trained run as model files, fp32 and fp16, and compare both with PyTorch in HU."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from rgan_sdk.card import CARD_KEY, ErrorBound, ModelCard
from rgan_sdk.engines.acceptance import tested_spacings
from rgan_sdk.engines.base import Deviation
from rgan_sdk.errors import ConfigurationError, InferenceError, OutputError, TrainingError
from rgan_sdk.model import write_model
from rgan_sdk.slices import spread_indices
from rgan_train.config import Config
from rgan_train.export.model_card import make_card, measure_quality, missing_facts
from rgan_train.export.onnx_graph import to_onnx
from rgan_train.export.parity import Check, add_extremes, check_parity
from rgan_train.export.validity import describe_losses, measure_validity
from rgan_train.methods import METHODS
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.networks.weights import load_frozen_state, load_trainable_state
from rgan_train.networks.window import network_window
from rgan_train.pairs import (
    Dataset,
    PairedSample,
    SliceReader,
    WholeSlices,
    load_dataset,
    read_pairs,
)
from rgan_train.training import RunFolder
from rgan_train.training.curriculum import Curriculum

ModelPrecision = Literal["fp32", "fp16"]

LIMITS: dict[ModelPrecision, float] = {"fp32": 0.05, "fp16": 5.0}
"""Largest deviation from PyTorch in HU that an exported model may have."""

LEAST_BOUND = ErrorBound(max=1.0, p999=0.5)
"""Smallest error bound on a card: what rounding to stored values of 1 HU costs in any case."""

MAX_SLICES = 32
"""Number of validation slices that are measured at most."""

NAME_PATTERN = "[a-z0-9][a-z0-9._-]{0,63}"


@dataclass(frozen=True)
class ExportedFile:
    """A model file that was written.

    Attributes
    ----------
    sha256
        Hash of the file, hexadecimal.
    size
        Bytes.
    deviation
        Absolute difference of its output to PyTorch's.
    """

    path: Path
    sha256: str
    size: int
    deviation: Deviation


@dataclass(frozen=True)
class ExportResult:
    """What was exported.

    Attributes
    ----------
    files
        By precision.
    warnings
        Why there is no fp16 file, and what else a user of the model should know.
    """

    files: dict[ModelPrecision, ExportedFile]
    card: ModelCard
    warnings: tuple[str, ...] = ()


class _Case(NamedTuple):
    """A slice to measure the model on, and its pixel spacing in mm."""

    sample: PairedSample
    pixel_spacing: float

    def harmonize(self, graph: HarmonizationGraph) -> NDArray[np.float32]:
        return harmonize_slice(graph, self.sample.source_hu, self.pixel_spacing)


class _Measured(NamedTuple):
    model: onnx.ModelProto
    deviation: Deviation


def export_run(
    folder: RunFolder,
    output: Path,
    config: Config | None = None,
    *,
    checkpoint: Literal["best", "last"] = "best",
    name: str | None = None,
    version: str = "1.0.0",
    fp16: bool = True,
) -> ExportResult:
    """Export a run to ``output`` (fp32), and to ``NAME.fp16.onnx`` beside it.

    There is no fp16 file if it would deviate too much; one of an earlier export is removed.

    Parameters
    ----------
    output
        A file named ``.onnx``.
    config
        The run's configuration with other names for the training data; None: unchanged.
    checkpoint
        The one with the best validation PSNR, or the most recent one.
    name, version
        Of the model, for the card. A name of None is made from the kernels.
    fp16
        Whether to write the fp16 file.

    Raises
    ------
    ConfigurationError
        If the output is not named ``.onnx``, or the name of the model is not valid.
    TrainingError
        If there is no checkpoint, the validation slices are missing, or the fp32 graph deviates
        from PyTorch by more than ``LIMITS``. Nothing is written then.
    OutputError
        If a file cannot be written.
    EngineUnavailableError
        If ONNX Runtime is not installed.
    """
    if output.suffix != ".onnx":
        raise ConfigurationError(f"{output}: a model file must be named .onnx")
    if name is not None and not re.fullmatch(NAME_PATTERN, name):
        raise ConfigurationError(f"the model's name {name!r} must match {NAME_PATTERN}")
    config = config or folder.config()
    graph = load_graph(folder, config, checkpoint)
    dataset, reader = _open_dataset(folder, config), SliceReader(config.data.cache_mb)
    cases = _validation_cases(folder, WholeSlices(dataset.validation, reader))
    harmonized = [case.harmonize(graph) for case in cases]
    samples = [case.sample for case in cases]
    quality = measure_quality(samples, harmonized, config.data.hu_range, config.data)
    validity = measure_validity(graph, dataset, reader, config.data)
    card = make_card(folder, config, dataset, graph, quality, validity, name=name, version=version)
    checks = [
        Check(case.sample.source_hu, case.pixel_spacing, out)
        for case, out in zip(cases, harmonized, strict=True)
    ]
    checks += _extreme_checks(graph, samples[0].source_hu, card)

    full = to_onnx(graph)
    deviation = check_parity(_embed_card(full, card), checks, LIMITS["fp32"])
    measured: dict[ModelPrecision, _Measured] = {"fp32": _Measured(full, deviation)}
    warnings = [missing_facts(config.data), _describe_stop(folder, config, checkpoint)]
    if card.pixel_spacing:
        warnings.append(describe_losses(validity, card.pixel_spacing))
    if fp16:
        half = to_onnx(graph.use_float16())
        try:
            deviation = check_parity(_embed_card(half, card), checks, LIMITS["fp16"])
        except (TrainingError, InferenceError) as exc:
            warnings.append(f"no fp16 file was written, fp32 serves as it is: {exc}")
        else:
            measured["fp16"] = _Measured(half, deviation)
            card = replace(card, error_bounds={"fp16": _bound(deviation)})
    beside = output.with_suffix(".fp16.onnx")
    if _remove(beside) and "fp16" not in measured:
        warnings.append(f"{beside} of an earlier export was removed")
    files = {
        precision: _write(one, card, output if precision == "fp32" else beside)
        for precision, one in measured.items()
    }
    return ExportResult(files, card, tuple(filter(None, warnings)))


def load_graph(
    folder: RunFolder, config: Config, checkpoint: Literal["best", "last"]
) -> HarmonizationGraph:
    """Return the computation from HU to HU with the weights of a checkpoint.

    Raises
    ------
    TrainingError
        If there is no such checkpoint, or its weights do not fit the configuration.
    """
    state = folder.state(checkpoint)
    if state is None:
        raise TrainingError(
            f"{folder.path}: has no {checkpoint} checkpoint; finish an epoch with "
            "`rgan-train fit`, or export with --checkpoint last"
        )
    network = METHODS[config.method.name].build_network(config)
    load_frozen_state(network, folder.encoder())
    load_trainable_state(network, folder.load(state)["generator"])
    return HarmonizationGraph(network, network_window(config.data.hu_range))


def open_validation_slices(folder: RunFolder, config: Config) -> WholeSlices:
    """Return the validation slices of a run; each is read when it is asked for.

    Raises
    ------
    TrainingError
        If a series of the run is missing or has changed.
    """
    slices = _open_dataset(folder, config).validation
    return WholeSlices(slices, SliceReader(config.data.cache_mb))


def _open_dataset(folder: RunFolder, config: Config) -> Dataset:
    return load_dataset(read_pairs(folder.pairs_csv), config.data)


def _validation_cases(folder: RunFolder, slices: WholeSlices) -> list[_Case]:
    """Read validation slices, at most ``MAX_SLICES`` of them; never test slices."""
    cases = [
        _Case(slices[index], slices.spacing(index))
        for index in spread_indices(len(slices), MAX_SLICES)
    ]
    if any(np.array_equal(*case.sample) for case in cases):
        raise TrainingError(
            f"{folder.path}: a source and a target slice are identical; the two series are "
            "copies of one another and no pair"
        )
    return cases


def _extreme_checks(
    graph: HarmonizationGraph, hu: NDArray[np.float32], card: ModelCard
) -> list[Check]:
    """Return checks of a slice with extreme HU, at both ends of the spacings and in between."""
    image = add_extremes(hu)
    return [
        Check(image, spacing, harmonize_slice(graph, image, spacing))
        for spacing in filter(None, tested_spacings(card))
    ]


def _describe_stop(folder: RunFolder, config: Config, checkpoint: Literal["best", "last"]) -> str:
    """Return what to know if the training of a checkpoint stopped inside a growing window."""
    state = folder.state(checkpoint)
    if state is None or not state.curriculum:
        return ""
    curriculum = Curriculum(config.curriculum, config.data.hu_range)
    curriculum.load_state_dict(state.curriculum)
    return curriculum.describe_stop(state.step)


def _bound(deviation: Deviation) -> ErrorBound:
    """Return the error bound for the card: the measured deviation with room."""
    measured = ErrorBound.from_measured(deviation.max, deviation.p999)
    return ErrorBound(max(measured.max, LEAST_BOUND.max), max(measured.p999, LEAST_BOUND.p999))


def _remove(path: Path) -> bool:
    """Delete a model of an earlier export, which is not that of the new fp32 file."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise OutputError(f"{path}: cannot be replaced ({exc.strerror})") from exc
    return True


def _embed_card(model: onnx.ModelProto, card: ModelCard) -> onnx.ModelProto:
    onnx.helper.set_model_props(model, {CARD_KEY: card.to_json()})
    return model


def _write(one: _Measured, card: ModelCard, path: Path) -> ExportedFile:
    written = write_model(_embed_card(one.model, card).SerializeToString(), path)
    return ExportedFile(path, written.sha256, len(written.content), one.deviation)
