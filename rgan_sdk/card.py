"""The model card: what a model is made for, and what it may be trusted with.

The card is JSON and travels inside the model file. ``docs/model-format.md`` specifies
it; ``model_card.schema.json`` beside this file is the same in JSON Schema.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from rgan_sdk.errors import ModelFormatError
from rgan_sdk.hu import HUWindow

CARD_KEY = "rgan.card"
CARD_FORMAT = 1
BOUND_FACTOR = 2.0


@dataclass(frozen=True)
class TrainingData:
    """A data set that the model was trained on."""

    name: str
    licence: str
    citation: str


@dataclass(frozen=True)
class Quality:
    """One measured figure: a metric of the input and of the output against the target."""

    data: str
    slices: int
    metric: str
    input: float
    output: float


@dataclass(frozen=True)
class ErrorBound:
    """The largest deviation in HU from the float32 model that a precision may have.

    ``p999`` bounds 99.9 % of the pixels.
    """

    max: float
    p999: float

    @classmethod
    def from_measured(cls, max: float, p999: float) -> ErrorBound:  # noqa: A002 - as the fields
        """Return a bound for a deviation measured here: twice it, in hundredths of a HU.

        Other runtimes and other slices deviate by other amounts.
        """
        return cls(*(math.ceil(BOUND_FACTOR * hu * 100) / 100 for hu in (max, p999)))


@dataclass(frozen=True)
class ModelCard:
    """A model's description of itself.

    Attributes
    ----------
    window
        HU that the network sees; pixels outside stay as they are.
    handover
        HU over which the output blends into the input at both ends of the window.
    source_kernels, target_kernel
        DICOM ConvolutionKernel (0018,1210) that it takes, and that it imitates.
    multiple
        Height and width of the input must be multiples of this.
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

    def to_json(self) -> str:
        """Return the card as JSON text, checked against the schema."""
        fields = asdict(self)
        fields["window"]["handover"] = fields.pop("handover")
        text = json.dumps(
            {"format": CARD_FORMAT, **fields}, indent=1, ensure_ascii=False, allow_nan=False
        )
        ModelCard.from_json(text)
        return text

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read and check a card.

        Raises
        ------
        ModelFormatError
            If the text is no JSON or breaks the schema; unknown keys do.
        """
        fields = _validated(text)
        window = fields.pop("window")
        handover = window.pop("handover")
        if window["upper"] - window["lower"] < 2 * handover:
            raise ModelFormatError(
                f"model card: window [{window['lower']}, {window['upper']}] is narrower than "
                f"two hand-overs of {handover} HU"
            )
        del fields["format"]
        return cls(
            window=HUWindow(**window),
            handover=handover,
            # JSON Schema takes 8.0 for an integer.
            multiple=int(fields.pop("multiple")),
            source_kernels=tuple(fields.pop("source_kernels")),
            manufacturers=tuple(fields.pop("manufacturers")),
            training_data=tuple(TrainingData(**item) for item in fields.pop("training_data")),
            quality=tuple(Quality(**item) for item in fields.pop("quality")),
            error_bounds={k: ErrorBound(**v) for k, v in fields.pop("error_bounds").items()},
            **fields,
        )

    def accepts_kernel(self, convolution_kernel: str | None) -> bool:
        """Whether the card names this kernel: whole string, case-insensitive."""
        if convolution_kernel is None:
            return False
        return convolution_kernel.casefold() in {k.casefold() for k in self.source_kernels}


def _validated(text: str) -> dict[str, Any]:
    import jsonschema

    try:
        fields = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise ModelFormatError(f"model card: not valid JSON ({exc})") from exc
    version = fields.get("format") if isinstance(fields, dict) else None
    if isinstance(version, int) and version > CARD_FORMAT:
        raise ModelFormatError(
            f"model card: format {version} is newer than this software, which knows format "
            f"{CARD_FORMAT}; update rgan-sdk"
        )
    error = jsonschema.exceptions.best_match(_validator().iter_errors(fields))
    if error is not None:
        raise ModelFormatError(f"model card: {error.json_path}: {error.message}")
    assert isinstance(fields, dict)
    return fields


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number in JSON")


@functools.cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads(files("rgan_sdk").joinpath("model_card.schema.json").read_text())
    return jsonschema.Draft202012Validator(schema)
