"""Write a graph as model files, fp32 and fp16, after comparing both with PyTorch in HU."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
from rgan_train.export.onnx_graph import to_onnx
from rgan_train.export.parity import Check, add_extremes, check_parity
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice

ModelPrecision = Literal["fp32", "fp16"]

LIMITS: dict[ModelPrecision, float] = {"fp32": 0.05, "fp16": 5.0}
"""Largest deviation from PyTorch in HU that an exported model may have."""

LEAST_BOUND = ErrorBound(max=1.0, p999=0.5)
"""Smallest error bound on a card: what rounding to stored values of 1 HU costs in any case."""

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


class _Measured(NamedTuple):
    model: onnx.ModelProto
    deviation: Deviation


def check_names(output: Path, name: str | None) -> None:
    """Refuse a file that is not named ``.onnx``, and a model name that no card may have.

    Raises
    ------
    ConfigurationError
        With what is allowed.
    """
    if output.suffix != ".onnx":
        raise ConfigurationError(f"{output}: a model file must be named .onnx")
    if name is not None and not re.fullmatch(NAME_PATTERN, name):
        raise ConfigurationError(f"the model's name {name!r} must match {NAME_PATTERN}")


def write_files(
    graph: HarmonizationGraph,
    card: ModelCard,
    checks: Sequence[Check],
    output: Path,
    *,
    fp16: bool = True,
) -> ExportResult:
    """Write a graph to ``output`` (fp32), and to ``NAME.fp16.onnx`` beside it.

    There is no fp16 file if it would deviate too much; one of an earlier export is removed.

    Parameters
    ----------
    graph
        Its weights are in float16 afterwards if ``fp16`` is true.
    card
        Without error bounds.
    checks
        Slices that both files are compared with PyTorch on.

    Raises
    ------
    TrainingError
        If the fp32 graph deviates from PyTorch by more than ``LIMITS``. Nothing is written then.
    OutputError
        If a file cannot be written.
    EngineUnavailableError
        If ONNX Runtime is not installed.
    """
    full = to_onnx(graph)
    deviation = check_parity(_embed_card(full, card), checks, LIMITS["fp32"])
    measured: dict[ModelPrecision, _Measured] = {"fp32": _Measured(full, deviation)}
    warnings = []
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
    return ExportResult(files, card, tuple(warnings))


def extreme_checks(
    graph: HarmonizationGraph, hu: NDArray[np.float32], card: ModelCard
) -> list[Check]:
    """Return checks of a slice with extreme HU, at both ends of the spacings and in between."""
    image = add_extremes(hu)
    return [
        Check(image, spacing, harmonize_slice(graph, image, spacing))
        for spacing in filter(None, tested_spacings(card))
    ]


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
