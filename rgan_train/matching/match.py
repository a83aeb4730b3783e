"""From two groups of series to a linear filter, without pairs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from rgan_sdk.card import ModelCard, Range
from rgan_sdk.kernels import CardCurves, KernelSpectra
from rgan_train.config import DataConfig
from rgan_train.export.files import ExportResult, check_names, extreme_checks, write_files
from rgan_train.export.model_card import (
    INTENDED_USE,
    claim_spacings,
    default_name,
    missing_facts,
    training_data,
)
from rgan_train.export.parity import Check
from rgan_train.matching.certificate import Evidence
from rgan_train.matching.groups import Group, read_slices
from rgan_train.matching.linear import make_filter, make_graph
from rgan_train.matching.measurement import Measurement, measure
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.networks.window import HANDOVER

CHECKED_SLICES = 3


@dataclass(frozen=True)
class Match:
    """A model that turns one group's kernel into another's.

    Attributes
    ----------
    evidence
        What was measured: the factor by spatial frequency, with limits, and what speaks for it.
    exported
        The files that were written.
    notes
        Series that were left out, and what else a user should know.
    """

    evidence: Evidence
    exported: ExportResult
    notes: tuple[str, ...]


def match(
    source: Group,
    target: Group,
    output: Path,
    *,
    third: Group | None = None,
    name: str | None = None,
    version: str = "1.0.0",
    data: DataConfig | None = None,
) -> Match:
    """Measure both kernels, and write a linear filter that turns one into the other.

    Parameters
    ----------
    source, target, third
        As ``measure`` takes them.
    output
        A file named ``.onnx``.
    data
        Name, licence and citation of the series, for the card.

    Raises
    ------
    ConfigurationError
        If the output is not named ``.onnx``, or the name of the model is not valid.
    TrainingError
        If the kernels cannot be measured, or the exported graph deviates from PyTorch.
    OutputError
        If a file cannot be written.
    """
    check_names(output, name)
    measurement = measure(source, target, third)
    data = data or DataConfig()
    graph = make_graph(make_filter(measurement.evidence.direct, source.spacings))
    card = _make_card(measurement, graph, data, name=name, version=version)
    exported = write_files(graph, card, _make_checks(source, graph, card), output)
    notes = (*measurement.notes, *filter(None, [missing_facts(data)]), *exported.warnings)
    return Match(measurement.evidence, exported, notes)


def _make_card(
    measurement: Measurement,
    graph: HarmonizationGraph,
    data: DataConfig,
    *,
    name: str | None,
    version: str,
) -> ModelCard:
    source, target = measurement.source, measurement.target
    spacings = source.spacings
    return ModelCard(
        name=name or default_name(source.kernels[0], target.kernels[0]),
        version=version,
        window=graph.window,
        handover=HANDOVER,
        source_kernels=source.kernels,
        target_kernel=target.kernels[0],
        manufacturers=source.manufacturers,
        multiple=graph.multiple,
        training_data=(training_data(data),),
        quality=(),
        error_bounds={},
        intended_use=INTENDED_USE,
        software=f"rgan-sdk {metadata.version('rgan-sdk')}",
        pixel_spacing=claim_spacings(spacings, statistics.median_low(spacings), math.inf, graph),
        noise_hu=_noise_range(measurement.source_spectra),
        thickness_seen=source.thicknesses,
        reconstruction=source.reconstructions,
        curves=CardCurves.of(measurement.source_spectra, measurement.target_spectra),
        certificate=measurement.evidence.certificate(),
        series_seen=measurement.series_seen,
    )


def _noise_range(spectra: KernelSpectra) -> Range | None:
    """Return the noise in soft tissue of the patients' slices that were measured."""
    levels = spectra.noise["soft tissue"][np.isnan(spectra.edge)]
    known = levels[np.isfinite(levels)]
    return Range(round(float(known.min()), 1), round(float(known.max()), 1)) if len(known) else None


def _make_checks(source: Group, graph: HarmonizationGraph, card: ModelCard) -> Sequence[Check]:
    slices = [
        (hu, one.mean_pixel_spacing)
        for one, items in source.spread(CHECKED_SLICES)
        for hu in read_slices(items)
    ]
    checks = [Check(hu, spacing, harmonize_slice(graph, hu, spacing)) for hu, spacing in slices]
    return [*checks, *extreme_checks(graph, checks[0].hu, card)]
