"""Damages model files and cards at random: as bits, as Protocol Buffers, and as JSON."""

from __future__ import annotations

import json
import random
from typing import Any

import onnx

from rgan_sdk.card import CARD_KEY

VALUES = [
    *(None, True, False, 0, 1, 2, 3, -1, 0.5, 1.0, 8.0, 513, 10**30, 1e300, -1e300, 1e-300),
    *("", "a", "A", "br40", "1.0.0", "1.0", "\\", " ", "\\ ", "a\n", "1.0.0\n"),
    *("x" * 64, "x" * 65, "é" * 64, "é" * 65, "\ud83d\ude00", "\ud800"),
    *([], [1], ["a"], [[1]], {}, {"a": 1}, [{}]),
    *("0" * 16, "f" * 16, ["0" * 16]),
]
"""What takes the place of a value on a card: each near a limit, or of another type."""

NAMES = [
    *("x", "format", "name", "curves", "validity", "certificate", "series_seen"),
    *("min", "even", "bf16"),
]
SIGNS = '{}[]",:0123456789eE+-.\\utnr \t\n\x00\x1fé'


def small(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model with the first weights of each tensor alone, which the checks don't see."""
    shrunk = onnx.ModelProto()
    shrunk.CopyFrom(model)
    for tensor in shrunk.graph.initializer:
        if len(tensor.raw_data) > 16:
            tensor.raw_data = tensor.raw_data[:16]
    return shrunk


def damage_bits(content: bytes, rng: random.Random) -> bytes:
    """Change, remove, repeat or insert a few bytes, or cut the end off."""
    damaged = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at = rng.randrange(len(damaged))
        end = min(len(damaged), at + rng.choice([1, 2, 4, 16, 100]))
        kind = rng.randrange(6)
        if kind == 0:
            damaged[at] = rng.randrange(256)
        elif kind == 1:
            damaged[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del damaged[at:end]
        elif kind == 3:
            damaged[at:at] = damaged[at:end]
        elif kind == 4:
            damaged[at:at] = rng.randbytes(rng.choice([1, 2, 4]))
        elif rng.random() < 0.3:
            del damaged[at:]
    return bytes(damaged)


def damage_graph(model: onnx.ModelProto, rng: random.Random) -> bytes:
    """Give one field somewhere in a model another value, or add or remove an item of a list."""
    damaged = onnx.ModelProto()
    damaged.CopyFrom(model)
    message: Any = damaged
    while True:
        inner = [
            item
            for field, value in message.ListFields()
            if field.message_type is not None
            for item in (value if not hasattr(value, "ListFields") else [value])
        ]
        if not inner or rng.random() < 0.2:
            break
        message = rng.choice(inner)
    field = rng.choice(message.DESCRIPTOR.fields)
    _damage_field(message, field, rng)
    return damaged.SerializeToString()


def _damage_field(message: Any, field: Any, rng: random.Random) -> None:
    if field.is_repeated:
        items = getattr(message, field.name)
        if items and rng.random() < 0.4:
            del items[rng.randrange(len(items))]
        elif field.message_type is not None:
            added = items.add()
            if len(items) > 1 and rng.random() < 0.5:
                added.CopyFrom(rng.choice(items[:-1]))
        else:
            items.append(_value(field, rng))
    elif field.message_type is not None:
        getattr(message, field.name).SetInParent()
    elif rng.random() < 0.3:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, _value(field, rng))


def _value(field: Any, rng: random.Random) -> Any:
    if field.cpp_type == field.CPPTYPE_STRING:
        text = rng.choice(["", "hu", "pixel_spacing", "Conv", "value", "to", "ai.onnx", "é"])
        return text.encode() if field.type == field.TYPE_BYTES else text
    if field.cpp_type == field.CPPTYPE_ENUM:
        return rng.choice([value.number for value in field.enum_type.values])
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return rng.choice([0.0, 1.5])
    is_signed = field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_INT64)
    return rng.choice([0, 1, 2, 3, 7, 10, 11, 20, 99, *([-1] if is_signed else [])])


def damage_card(model: onnx.ModelProto, rng: random.Random) -> bytes:
    """Give one or two fields of the card another value; sometimes break its JSON."""
    damaged = onnx.ModelProto()
    damaged.CopyFrom(model)
    (entry,) = (prop for prop in damaged.metadata_props if prop.key == CARD_KEY)
    card = json.loads(entry.value)
    for _ in range(rng.choice([1, 1, 2])):
        _damage_json(card, rng)
    # A lone surrogate has no encoding, so it must be an escape.
    text = json.dumps(card, ensure_ascii=True)
    if rng.random() < 0.2:
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice(SIGNS) + text[at + 1 :]
    entry.value = text
    return damaged.SerializeToString()


def _damage_json(card: dict[str, Any], rng: random.Random) -> None:
    parent, key = rng.choice(list(_places(card)))
    kind = rng.randrange(5)
    if kind < 3:
        parent[key] = rng.choice(VALUES)
    elif kind == 3:
        del parent[key]
    elif isinstance(parent, dict):
        parent[rng.choice(NAMES)] = rng.choice(VALUES)
    else:
        parent.append(rng.choice(VALUES))


def _places(value: Any) -> Any:
    """Yield each value within, as the object or list that holds it and its key there."""
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else range(min(len(value), 3))
        for key in keys:
            yield value, key
            yield from _places(value[key])
