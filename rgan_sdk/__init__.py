"""Harmonize CT series across convolution kernels.

What ``__all__`` names is the public interface; it does not change without notice in the changelog.
Importing this package is cheap and changes nothing in the host process: engines, DICOM and ONNX
are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rgan_sdk.card import ModelCard
    from rgan_sdk.engines import create_engine
    from rgan_sdk.engines.base import Engine
    from rgan_sdk.errors import (
        AccuracyError,
        CancelledError,
        ConfigurationError,
        DeviceMemoryError,
        DicomError,
        EngineError,
        EngineUnavailableError,
        IneligibleError,
        InferenceError,
        InvalidSeriesError,
        MeasurementError,
        ModelError,
        ModelFormatError,
        ModelNotFoundError,
        NiftiError,
        OutputBusyError,
        OutputError,
        ResourceError,
        RganError,
        TrainingError,
        UnknownEngineError,
        UnreadableFileError,
        WeightsError,
    )
    from rgan_sdk.harmonizer import Harmonizer, HarmonizerConfig
    from rgan_sdk.hu import HUWindow
    from rgan_sdk.model import HarmonizationModel, packaged_models
    from rgan_sdk.run.cohort.models import CohortModel
    from rgan_sdk.run.directory import (
        harmonize_cohort,
        harmonize_directory,
        plan_cohort,
        plan_directory,
    )
    from rgan_sdk.run.memory.harmonize import (
        HarmonizedSeries,
        harmonize_datasets,
        harmonize_stream,
    )
    from rgan_sdk.run.observer import Observer, SilentObserver
    from rgan_sdk.run.options import RunOptions, Shard
    from rgan_sdk.run.report import Report, SeriesEntry
    from rgan_sdk.run.reports.files import FileEntry
    from rgan_sdk.run.worklist import WorkList

__version__ = metadata.version("rgan-sdk")

__all__ = [
    "AccuracyError",
    "CancelledError",
    "CohortModel",
    "ConfigurationError",
    "DeviceMemoryError",
    "DicomError",
    "Engine",
    "EngineError",
    "EngineUnavailableError",
    "FileEntry",
    "HUWindow",
    "HarmonizationModel",
    "HarmonizedSeries",
    "Harmonizer",
    "HarmonizerConfig",
    "IneligibleError",
    "InferenceError",
    "InvalidSeriesError",
    "MeasurementError",
    "ModelCard",
    "ModelError",
    "ModelFormatError",
    "ModelNotFoundError",
    "NiftiError",
    "Observer",
    "OutputBusyError",
    "OutputError",
    "Report",
    "ResourceError",
    "RganError",
    "RunOptions",
    "SeriesEntry",
    "Shard",
    "SilentObserver",
    "TrainingError",
    "UnknownEngineError",
    "UnreadableFileError",
    "WeightsError",
    "WorkList",
    "create_engine",
    "harmonize_cohort",
    "harmonize_datasets",
    "harmonize_directory",
    "harmonize_stream",
    "packaged_models",
    "plan_cohort",
    "plan_directory",
]

_HOMES = {
    "CohortModel": "run.cohort.models",
    "Engine": "engines.base",
    "FileEntry": "run.reports.files",
    "HUWindow": "hu",
    "HarmonizationModel": "model",
    "HarmonizedSeries": "run.memory.harmonize",
    "Harmonizer": "harmonizer",
    "HarmonizerConfig": "harmonizer",
    "ModelCard": "card",
    "Observer": "run.observer",
    "Report": "run.report",
    "RunOptions": "run.options",
    "SeriesEntry": "run.report",
    "Shard": "run.options",
    "SilentObserver": "run.observer",
    "WorkList": "run.worklist",
    "create_engine": "engines",
    "harmonize_cohort": "run.directory",
    "harmonize_datasets": "run.memory.harmonize",
    "harmonize_directory": "run.directory",
    "harmonize_stream": "run.memory.harmonize",
    "packaged_models": "model",
    "plan_cohort": "run.directory",
    "plan_directory": "run.directory",
}
"""The module of each name, below ``rgan_sdk``. The other names are in ``rgan_sdk.errors``."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"rgan_sdk.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
