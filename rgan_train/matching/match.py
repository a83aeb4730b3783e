"""From two groups of series to a model, without pairs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from rgan_sdk.card import ModelCard, Range
from rgan_sdk.errors import MeasurementError, TrainingError
from rgan_sdk.kernels import KernelSpectra, TransferRatio, fit_transfer
from rgan_train.config import DataConfig
from rgan_train.export.files import ExportResult, check_names, extreme_checks, write_files
from rgan_train.export.model_card import (
    INTENDED_USE,
    SPACING_MARGIN,
    claim_spacings,
    default_name,
    missing_facts,
    training_data,
)
from rgan_train.export.parity import Check
from rgan_train.matching.certificate import Certificate, certify
from rgan_train.matching.groups import (
    Group,
    measure_group,
    read_slices,
    require_disjoint,
)
from rgan_train.matching.linear import make_filter, make_graph
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.networks.window import HANDOVER

CHECKED_SLICES = 3


@dataclass(frozen=True)
class Match:
    """A model that turns one group's kernel into another's.

    Attributes
    ----------
    transfer
        What was measured: the factor by spatial frequency, with limits.
    exported
        The files that were written.
    notes
        Series that were left out, and what else a user should know.
    """

    transfer: TransferRatio
    certificate: Certificate
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
    source, target
        Series of any patients, doses and pixel spacings, or of a QA phantom.
    output
        A file named ``.onnx``.
    third
        Series with another kernel: by way of it the same filter should come out.
    data
        Name, licence and citation of the series, for the card.

    Raises
    ------
    ConfigurationError
        If the output is not named ``.onnx``, or the name of the model is not valid.
    TrainingError
        If two groups share a series or a kernel, a group cannot tell its kernel,
        or the exported graph deviates from PyTorch.
    OutputError
        If a file cannot be written.
    """
    check_names(output, name)
    groups = [group for group in (source, target, third) if group]
    require_disjoint(groups)
    spectra = [measure_group(group) for group in groups]
    try:
        transfer = fit_transfer(spectra[0], spectra[1])
    except MeasurementError as exc:
        raise TrainingError(str(exc)) from exc
    data = data or DataConfig()
    graph = make_graph(make_filter(transfer, source.spacings))
    card = _make_card(source, target, spectra[0], graph, data, name=name, version=version)
    exported = write_files(graph, card, _make_checks(source, graph, card), output)
    notes = [note for group in groups for note in group.notes]
    remarks = missing_facts(data), _describe_unseen(spectra[0], transfer)
    notes += [*filter(None, remarks), *exported.warnings]
    return Match(transfer, certify(transfer, *spectra), exported, tuple(notes))


def _describe_unseen(source: KernelSpectra, transfer: TransferRatio) -> str:
    """Return a remark if the source's pixels hold frequencies that the target's do not show."""
    if source.nyquist <= (1 + SPACING_MARGIN) * transfer.nyquist:
        return ""
    return (
        f"the target group's pixels show nothing above {transfer.nyquist:.1f} lp/cm, and the "
        f"source's hold up to {source.nyquist:.1f}: there the filter is not known and stays what "
        "it is below; take a target group with finer pixels"
    )


def _make_card(
    source: Group,
    target: Group,
    spectra: KernelSpectra,
    graph: HarmonizationGraph,
    data: DataConfig,
    *,
    name: str | None,
    version: str,
) -> ModelCard:
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
        noise_hu=_noise_range(spectra),
        thickness_seen=tuple(
            sorted({one.slice_thickness for one in source.patients if one.slice_thickness})
        ),
        reconstruction=tuple(
            sorted({one.reconstruction for one in source.series if one.reconstruction})
        ),
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
