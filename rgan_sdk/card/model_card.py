"""The whole card of a model: its fields, and how it is written and read."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.resources import files
from types import NoneType
from typing import Any

from rgan_sdk.card.parts import (
    ErrorBound,
    Quality,
    Range,
    SpacingRange,
    TrainingData,
    ValidityMap,
    hash_series,
)
from rgan_sdk.errors import ModelFormatError, check_type
from rgan_sdk.hu import HUWindow
from rgan_sdk.kernels import CardCurves, MatchCertificate, kernel_name

CARD_KEY = "rgan.card"
CARD_FORMAT = 2
"""The newest format that this software knows; models of format 1 state no domain."""
EXTRAS = ("curves", "certificate", "series_seen")
NEWER_KEYS = ("pixel_spacing", "noise_hu", "thickness_seen", "reconstruction", "validity", *EXTRAS)
"""The keys that only cards of format 2 have."""
NOT_IN_TEXTS = re.compile("[\0\ud800-\udfff]")
"""Programs in C would cut a text at the first, and the others are no characters."""


@dataclass(frozen=True)
class ModelCard:
    """A model's description of itself, which threads may share (fields: docs/model-format.md).

    Attributes
    ----------
    window
        The HU that the network sees. Pixels outside keep their value.
    handover
        Width in HU of the zone, at both ends of the window, where output blends into input.
    source_kernels
        Kernels that the model takes: values of ConvolutionKernel (0018,1210) with backslashes.
    target_kernel
        The ConvolutionKernel that it imitates.
    multiple
        Height and width of the input must be multiples of this number.
    error_bounds
        By precision: ``fp16``, ``bf16`` or ``int8``.
    pixel_spacing
        What the model holds for, in mm. None in format 1, whose models know no pixel spacing.
    noise_hu
        Standard deviation of the noise in soft tissue that the model was trained with, in HU; None
        if the training slices show no soft tissue.
    thickness_seen
        SliceThickness (0018,0050) of the training data, in mm.
    reconstruction
        Kinds of reconstruction in the training data, as ``Series.reconstruction`` names them.
    validity, curves
        Where the model gains how much, and the spectra of its source and its target; None where
        that was not measured.
    certificate
        How far fits that must agree are apart, for a model that was made without pairs.
    series_seen
        Hashes (``hash_series``) of the series that the model was made with, in ascending order;
        empty where they are not known.
    """

    name: str
    version: str
    window: HUWindow
    handover: float
    source_kernels: tuple[str, ...]
    target_kernel: str
    manufacturers: tuple[str, ...]
    multiple: int
    training_data: tuple[TrainingData, ...]
    quality: tuple[Quality, ...]
    error_bounds: dict[str, ErrorBound]
    intended_use: str
    software: str
    pixel_spacing: SpacingRange | None = None
    noise_hu: Range | None = None
    thickness_seen: tuple[float, ...] = ()
    reconstruction: tuple[str, ...] = ()
    validity: ValidityMap | None = None
    curves: CardCurves | None = None
    certificate: MatchCertificate | None = None
    series_seen: tuple[str, ...] = ()

    @property
    def format(self) -> int:
        """The number of the format; 2, or 1 for a model that knows no pixel spacing."""
        return 1 if self.pixel_spacing is None else 2

    @property
    def reference_spacing(self) -> float | None:
        """The pixel spacing in mm to try the model with; None in format 1."""
        return None if self.pixel_spacing is None else self.pixel_spacing.reference

    def to_json(self) -> str:
        """Return the card as JSON text.

        Raises
        ------
        ModelFormatError
            If the card breaks the schema, or states a domain but no pixel spacing.
        """
        fields = asdict(self)
        try:
            fields["window"]["handover"] = fields.pop("handover")
            fields = {"format": self.format, **fields}
            optional = NEWER_KEYS if self.format == 1 else EXTRAS  # to leave out, if empty
            fields = {k: v for k, v in fields.items() if v or k not in optional}
            text = json.dumps(fields, indent=1, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as exc:  # a field of another type, NaN
            raise ModelFormatError(f"model card: cannot be written as JSON ({exc})") from exc
        ModelCard.from_json(text)
        return text

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read and check a card.

        Raises
        ------
        ModelFormatError
            If the text is not JSON or breaks the schema. Unknown keys break it.
        """
        fields = _parse_fields(text)
        window = fields.pop("window")
        handover = window.pop("handover")
        if window["upper"] - window["lower"] < 2 * handover:
            raise ModelFormatError(
                f"model card: window [{window['lower']}, {window['upper']}] is narrower than "
                f"two hand-overs of {handover} HU"
            )
        del fields["format"]
        return cls(
            **_parse_domain(fields),
            window=HUWindow(**window),
            handover=handover,
            # JSON Schema accepts 8.0 as an integer.
            multiple=int(fields.pop("multiple")),
            source_kernels=tuple(fields.pop("source_kernels")),
            manufacturers=tuple(fields.pop("manufacturers")),
            training_data=tuple(TrainingData(**item) for item in fields.pop("training_data")),
            quality=tuple(Quality(**item) for item in fields.pop("quality")),
            error_bounds={k: ErrorBound(**v) for k, v in fields.pop("error_bounds").items()},
            **fields,
        )

    def has_seen(self, series_instance_uid: str) -> bool:
        """Return whether the card tells that the model was made with this series."""
        check_type("series_instance_uid", series_instance_uid, str)
        return hash_series(series_instance_uid) in self.series_seen

    def accepts_kernel(self, convolution_kernel: str | None) -> bool:
        r"""Return whether the card names this kernel, regardless of case and of blanks.

        Parameters
        ----------
        convolution_kernel
            All values of ConvolutionKernel (0018,1210), such as ``Br40d\3``. None and a kernel
            without a name are never taken.
        """
        check_type("convolution_kernel", convolution_kernel, str, NoneType)
        if convolution_kernel is None:
            return False
        return kernel_name(convolution_kernel).casefold() in {
            kernel_name(kernel).casefold() for kernel in self.source_kernels
        }


def _parse_fields(text: str) -> dict[str, Any]:
    import jsonschema

    try:
        fields = json.loads(text, parse_constant=_refuse_constant)
    except (TypeError, ValueError, RecursionError) as exc:
        raise ModelFormatError(f"model card: not valid JSON ({exc})") from exc
    version = fields.get("format") if isinstance(fields, dict) else None
    if isinstance(version, int) and version > CARD_FORMAT:
        raise ModelFormatError(
            f"model card: format {version} is newer than this software, which knows format "
            f"{CARD_FORMAT}; update rgan-sdk"
        )
    if version == 1 and (newer := [name for name in NEWER_KEYS if name in fields]):
        raise ModelFormatError(f"model card: {newer[0]!r} belongs to format 2, this is format 1")
    if error := jsonschema.exceptions.best_match(_validator().iter_errors(fields)):
        raise ModelFormatError(f"model card: {error.json_path}: {error.message}")
    assert isinstance(fields, dict)
    if any(map(NOT_IN_TEXTS.search, _texts(fields))):
        raise ModelFormatError(
            "model card: expected texts without U+0000 and without half a surrogate pair"
        )
    return fields


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in a value of JSON, but no names."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _parse_domain(fields: dict[str, Any]) -> dict[str, Any]:
    """Take the fields that only format 2 has out of ``fields``; none of them in format 1.

    Raises
    ------
    ModelFormatError
        If a range is empty, the validity map is no table, curves show nothing, or series are not
        in order.
    """
    domain = {name: fields.pop(name, None) for name in NEWER_KEYS}
    found = {name: value for name, value in domain.items() if value is not None}
    if spacing := found.get("pixel_spacing"):
        if not spacing["min"] <= spacing["reference"] <= spacing["max"]:
            raise ModelFormatError("model card: pixel_spacing: expected min <= reference <= max")
        found["pixel_spacing"] = SpacingRange(**spacing)
    if noise := found.get("noise_hu"):
        if noise["min"] > noise["max"]:
            raise ModelFormatError("model card: noise_hu: expected min <= max")
        found["noise_hu"] = Range(**noise)
    if validity := found.get("validity"):
        found["validity"] = _parse_validity(validity)
    if curves := found.get("curves"):
        found["curves"] = CardCurves.from_fields(curves)
    if certificate := found.get("certificate"):
        found["certificate"] = MatchCertificate(**certificate)
    if (seen := found.get("series_seen")) and seen != sorted(set(seen)):
        raise ModelFormatError("model card: series_seen: expected ascending order, each hash once")
    return {name: _as_tuples(value) for name, value in found.items()}


def _parse_validity(fields: dict[str, Any]) -> ValidityMap:
    rows, columns = (len(fields[name]) for name in ("pixel_spacing", "added_noise"))
    for name in ("over_input", "over_linear"):
        table = fields[name]
        is_left_out = name == "over_linear" and not table
        if not is_left_out and [len(row) for row in table] != [columns] * rows:
            raise ModelFormatError(
                f"model card: validity.{name}: expected {rows} rows of {columns} numbers"
            )
    return ValidityMap(**{name: _as_tuples(value) for name, value in fields.items()})


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number in JSON")


@functools.cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads(files("rgan_sdk").joinpath("model_card.schema.json").read_text())
    return jsonschema.Draft202012Validator(schema)
