"""Every error that the project raises on purpose, and how the others are reported.

::

    RganError
    ├── ConfigurationError      an option, argument or configuration value makes no sense
    ├── ModelError              a model cannot be used
    │   ├── ModelNotFoundError  neither a file nor a packaged model
    │   └── ModelFormatError    the file is not a harmonization model of a known format
    ├── EngineError             inference cannot be done as asked
    │   ├── UnknownEngineError  no engine of that name
    │   ├── EngineUnavailableError  a package or device that was asked for is absent
    │   ├── AccuracyError       an engine's pixels are too far from the float32 model's
    │   └── InferenceError      the engine failed, or its output is not an image
    │       └── DeviceMemoryError   the batch does not fit the device's memory
    ├── DicomError              a DICOM file or series cannot be processed
    │   ├── UnreadableFileError truncated, malformed, or not decodable here
    │   ├── InvalidSeriesError  the series contradicts itself or lacks what is needed
    │   └── IneligibleError     valid, but not something to harmonize: to be skipped
    ├── NiftiError              a NIfTI file cannot be processed, or contradicts its sidecar
    ├── ResourceError           the system has no thread or not enough memory left
    ├── CancelledError          the caller has asked to stop
    ├── OutputError             results cannot be written
    │   └── OutputBusyError     another run writes there
    ├── MeasurementError        the images hold nothing that could be measured
    ├── WeightsError            pretrained weights cannot be loaded
    └── TrainingError           training data or a training run cannot be used

Messages say what is wrong, which value, and what to do. They name files, UIDs and
tags, and never hold patient data.

An argument of another type than a function takes is a ConfigurationError too; an image that is no
array of numbers is an InferenceError, as one with NaN is.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from types import NoneType


class RganError(Exception):
    """The root of all errors that the project raises on purpose."""


class ConfigurationError(RganError):
    """An option, an argument or a configuration value makes no sense."""


class ModelError(RganError):
    """A model cannot be used."""


class ModelNotFoundError(ModelError):
    """The name is neither a file nor a packaged model."""


class ModelFormatError(ModelError):
    """The file is not a harmonization model of a format that this version knows."""


class EngineError(RganError):
    """Inference cannot be done as asked."""


class UnknownEngineError(EngineError):
    """There is no engine of that name."""


class EngineUnavailableError(EngineError):
    """A package or a device that was asked for is absent."""


class AccuracyError(EngineError):
    """An engine's pixels are too far from those of the model in float32."""


class InferenceError(EngineError):
    """The engine failed, or its output is not an image."""


class DeviceMemoryError(InferenceError):
    """The batch does not fit the device's memory; a smaller one may."""


class DicomError(RganError):
    """A DICOM file or series cannot be processed."""


class UnreadableFileError(DicomError):
    """A DICOM file is truncated, malformed, or cannot be decoded here."""


class InvalidSeriesError(DicomError):
    """A series contradicts itself or lacks what is needed to process it."""


class IneligibleError(DicomError):
    """Valid DICOM, but nothing to harmonize: it is skipped with this reason."""


class NiftiError(RganError):
    """A NIfTI file cannot be processed, or contradicts its sidecar."""


class ResourceError(RganError):
    """The system has no thread or not enough memory left."""


class CancelledError(RganError):
    """The caller has asked to stop, and what was asked for is not complete."""


class OutputError(RganError):
    """Results cannot be written."""


class OutputBusyError(OutputError):
    """Another run writes to the same output folder."""


class MeasurementError(RganError):
    """The images hold nothing that could be measured as asked."""


class WeightsError(RganError):
    """Pretrained weights cannot be loaded."""


class TrainingError(RganError):
    """Training data or a training run cannot be used."""


def check_type(name: str, value: object, *kinds: type) -> None:
    """Check the type of an argument.

    Raises
    ------
    ConfigurationError
        If the value is of none of the types. The message does not hold the value, which may be a
        whole image.
    """
    if not isinstance(value, kinds):
        wanted = " or ".join("None" if kind is NoneType else kind.__name__ for kind in kinds)
        found = type(value)
        module = "" if found.__module__ == "builtins" else f"{found.__module__}."
        raise ConfigurationError(f"{name} must be {wanted}, not {module}{found.__qualname__}")


def describe_unexpected(error: Exception) -> str:
    """Describe a bug by its type and place, not by its message, which may hold patient data."""
    if isinstance(error, MemoryError):  # no bug
        return "the system has not enough memory"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"unexpected {type(error).__name__} at {Path(place.filename).name}:{place.lineno}; "
        "please report this as a bug"
    )
