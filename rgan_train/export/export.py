"""Export a trained run as model files, fp32 and fp16, and compare both with PyTorch in HU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import TrainingError
from rgan_sdk.slices import spread_indices
from rgan_train.config import Config
from rgan_train.export.curves import measure_curves
from rgan_train.export.files import ExportResult, check_names, extreme_checks, write_files
from rgan_train.export.matched import KEY as MATCH
from rgan_train.export.matched import state_match
from rgan_train.export.model_card import make_card, measure_quality, missing_facts
from rgan_train.export.parity import Check
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

MAX_SLICES = 32
"""Number of validation slices that are measured at most."""


class _Case(NamedTuple):
    """A slice to measure the model on, and its pixel spacing in mm."""

    sample: PairedSample
    pixel_spacing: float

    def harmonize(self, graph: HarmonizationGraph) -> NDArray[np.float32]:
        return harmonize_slice(graph, self.sample.source_hu, self.pixel_spacing)


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
        If there is no checkpoint, the validation slices are missing or padding alone, or the fp32
        graph deviates from PyTorch by more than ``LIMITS``. Nothing is written then.
    OutputError
        If a file cannot be written.
    EngineUnavailableError
        If ONNX Runtime is not installed.
    """
    check_names(output, name)
    config = config or folder.config()
    graph = load_graph(folder, config, checkpoint)
    dataset, reader = _open_dataset(folder, config), SliceReader(config.data.cache_mb)
    cases = _validation_cases(folder, WholeSlices(dataset.validation, reader))
    harmonized = [case.harmonize(graph) for case in cases]
    samples = [case.sample for case in cases]
    quality = measure_quality(samples, harmonized, config.data.hu_range, config.data)
    validity = measure_validity(graph, dataset, reader, config.data)
    card = make_card(folder, config, dataset, graph, quality, validity, name=name, version=version)
    if match := folder.provenance().get(MATCH):
        card = state_match(card, match)
    else:
        card = replace(card, curves=measure_curves(WholeSlices(dataset.train, reader)))
    checks = [
        Check(case.sample.source_hu, case.pixel_spacing, out)
        for case, out in zip(cases, harmonized, strict=True)
    ]
    checks += extreme_checks(graph, samples[0].source_hu, card)
    warnings = [missing_facts(config.data), _describe_stop(folder, config, checkpoint)]
    if card.pixel_spacing and card.validity:
        warnings.append(describe_losses(card.validity, card.pixel_spacing))
    exported = write_files(graph, card, checks, output, fp16=fp16)
    return replace(exported, warnings=(*filter(None, warnings), *exported.warnings))


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
    """Read validation slices, at most ``MAX_SLICES`` of them; never test slices.

    A slice that is padding alone is left out, as in training.
    """
    read = (
        _Case(slices[index], slices.spacing(index))
        for index in spread_indices(len(slices), MAX_SLICES)
    )
    cases = [case for case in read if not case.sample.padding.all()]
    if not cases:
        raise TrainingError(
            f"{folder.path}: the validation slices are padding alone, so there is nothing to "
            "measure a model on; train with others (data.validation_slices)"
        )
    if any(np.array_equal(*case.sample) for case in cases):
        raise TrainingError(
            f"{folder.path}: a source and a target slice are identical; the two series are "
            "copies of one another and no pair"
        )
    return cases


def _describe_stop(folder: RunFolder, config: Config, checkpoint: Literal["best", "last"]) -> str:
    """Return what to know if the training of a checkpoint stopped inside a growing window."""
    state = folder.state(checkpoint)
    if state is None or not state.curriculum:
        return ""
    curriculum = Curriculum(config.curriculum, config.data.hu_range)
    curriculum.load_state_dict(state.curriculum)
    return curriculum.describe_stop(state.step)
