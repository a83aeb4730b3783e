"""The model card: what a model is made for, and how well it does that.

The card is JSON inside the model file. ``docs/model-format.md`` specifies it, and
``model_card.schema.json`` beside this folder is the same specification as JSON Schema.
"""

from rgan_sdk.card.model_card import CARD_KEY, ModelCard
from rgan_sdk.card.parts import (
    BOUND_FACTOR,
    ErrorBound,
    Quality,
    Range,
    SpacingRange,
    TrainingData,
    ValidityMap,
    hash_series,
)

__all__ = [
    "BOUND_FACTOR",
    "CARD_KEY",
    "ErrorBound",
    "ModelCard",
    "Quality",
    "Range",
    "SpacingRange",
    "TrainingData",
    "ValidityMap",
    "hash_series",
]
