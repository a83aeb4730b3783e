"""Small real models: ONNX graphs of the project's format, made without torch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rgan_sdk.card import CARD_KEY, ModelCard, Quality, Range, SpacingRange, TrainingData
from rgan_sdk.hu import HUWindow
from rgan_sdk.model import INPUT_NAME, INPUTS, OPSET, OUTPUT_NAME, SPACING_NAME

SHAPE = ["batch", 1, "height", "width"]
CHANNELS = 8


def make_card(**changes: object) -> ModelCard:
    """Return a valid card with some fields changed."""
    card = ModelCard(
        name="test-blur",
        version="1.2.3",
        window=HUWindow(-1024.0, 1000.0),
        handover=8.0,
        source_kernels=("B40f",),
        target_kernel="B70f",
        manufacturers=("SIEMENS",),
        multiple=4,
        training_data=(TrainingData("none", "CC0-1.0", "made for tests"),),
        quality=(Quality("phantom", 1, "PSNR, dB", 30.0, 40.0),),
        error_bounds={},
        intended_use="tests",
        software="tests",
    )
    return replace(card, **changes)


def make_domain_card(**changes: object) -> ModelCard:
    """Return a valid card of format 2 with some fields changed."""
    domain = {
        "pixel_spacing": SpacingRange(0.6, 0.9, 0.7),
        "noise_hu": Range(5.0, 40.0),
        "thickness_seen": (1.0, 3.0),
        "reconstruction": ("filtered back projection",),
    }
    return make_card(**(domain | changes))


def make_series_card(**changes: object) -> ModelCard:
    """Return a valid card of format 2 that takes the series of the tests, without remarks."""
    domain = {
        "manufacturers": (),
        "pixel_spacing": SpacingRange(0.3, 12.0, 0.7),
        "noise_hu": None,
        "thickness_seen": (1.0, 8.0),
        "reconstruction": (),
    }
    return make_domain_card(**(domain | changes))


def make_model(card: ModelCard | None = None) -> onnx.ModelProto:
    """Return a model that blurs what lies inside the window: an average of 3x3 pixels.

    In format 2 the average is scaled by ``1 + log(pixel_spacing / reference)``.
    """
    card = card or make_card()
    constants = {
        "lower": card.window.lower,
        "upper": card.window.upper,
        "handover": card.handover,
        "zero": 0.0,
        "one": 1.0,
    }
    initializers = [
        numpy_helper.from_array(np.float32(value), name) for name, value in constants.items()
    ]
    kernel = np.full((1, 1, 3, 3), 1 / 9, np.float32)
    if card.pixel_spacing is None:
        initializers.append(numpy_helper.from_array(kernel, "kernel"))
        scaling = []
    else:
        reference = np.float32([card.pixel_spacing.reference])
        initializers.append(numpy_helper.from_array(kernel, "plain"))
        initializers.append(numpy_helper.from_array(reference, "reference"))
        scaling = [
            helper.make_node("Div", [SPACING_NAME, "reference"], ["ratio"]),
            helper.make_node("Log", ["ratio"], ["position"]),
            helper.make_node("Add", ["position", "one"], ["scale"]),
            helper.make_node("Mul", ["plain", "scale"], ["kernel"]),
        ]
    nodes = [
        *scaling,
        helper.make_node("Clip", [INPUT_NAME, "lower", "upper"], ["inside"]),
        helper.make_node("Conv", ["inside", "kernel"], ["blurred"], pads=[1, 1, 1, 1]),
        helper.make_node("Sub", ["blurred", "inside"], ["change"]),
        helper.make_node("Sub", [INPUT_NAME, "lower"], ["above"]),
        helper.make_node("Div", ["above", "handover"], ["rising"]),
        helper.make_node("Clip", ["rising", "zero", "one"], ["fade_in"]),
        helper.make_node("Sub", ["upper", INPUT_NAME], ["below"]),
        helper.make_node("Div", ["below", "handover"], ["falling"]),
        helper.make_node("Clip", ["falling", "zero", "one"], ["fade_out"]),
        helper.make_node("Mul", ["fade_in", "fade_out"], ["weight"]),
        helper.make_node("Mul", ["weight", "change"], ["weighted"]),
        helper.make_node("Add", [INPUT_NAME, "weighted"], [OUTPUT_NAME]),
    ]
    graph = helper.make_graph(
        nodes,
        "blur",
        _inputs(card),
        [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, SHAPE)],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    return model


def make_float16(card: ModelCard | None = None) -> onnx.ModelProto:
    """Return ``make_model`` with its convolution in float16 between two casts.

    In format 2 its weights are computed in float32, and rounded at last.
    """
    model = make_model(card)
    nodes = list(model.graph.node)
    (index,) = (i for i, node in enumerate(nodes) if node.op_type == "Conv")
    nodes[index].input[:], nodes[index].output[:] = ["inside16", "kernel16"], ["blurred16"]
    cast = helper.make_node
    casts = [cast("Cast", ["inside"], ["inside16"], to=TensorProto.FLOAT16)]
    kernel = [tensor for tensor in model.graph.initializer if tensor.name == "kernel"]
    for tensor in kernel:
        weights = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(weights, "kernel16"))
    if not kernel:
        casts.append(cast("Cast", ["kernel"], ["kernel16"], to=TensorProto.FLOAT16))
    nodes.insert(index + 1, cast("Cast", ["blurred16"], ["blurred"], to=TensorProto.FLOAT))
    nodes[index:index] = casts
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def write_model(path: Path, card: ModelCard | None = None) -> Path:
    """Write ``make_model`` to a file."""
    path.write_bytes(make_model(card).SerializeToString())
    return path


def disguise(content: bytes) -> bytes:
    """Return the same model in a file that begins like those in the runtimes' own formats."""
    xml = b'<net name="other" version="11"><layers/></net>'
    own = b"\x08\x0a\x12\x04ORTM"  # ONNX Runtime looks for this at the bytes 4 to 7
    return own + b"\x1a" + bytes([len(xml)]) + xml + content


def blur(hu: np.ndarray, card: ModelCard, pixel_spacing: float | None = None) -> np.ndarray:
    """Compute what ``make_model`` does, in NumPy and double precision."""
    lower, upper = card.window.lower, card.window.upper
    inside = np.clip(hu.astype(np.float64), lower, upper)
    padded = np.pad(inside, ((0, 0), (1, 1), (1, 1)))
    height, width = hu.shape[-2:]
    blurred = (
        sum(padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)) / 9.0
    )
    if card.pixel_spacing is not None:
        blurred *= 1 + np.log(pixel_spacing / card.pixel_spacing.reference)
    weight = np.clip((hu - lower) / card.handover, 0, 1) * np.clip(
        (upper - hu) / card.handover, 0, 1
    )
    return hu + weight * (blurred - inside)


def make_network(activation="Relu", outlier=0.0, card=None):
    """Return a small network with everything that may stand between convolutions.

    Its layers are first, a, b, c, last. Where there is an outlier, a gives it in one channel, and
    b makes nothing of that channel. In format 2 the weights and a bias are polynomials of degree 2
    in ``log(pixel_spacing / reference)``.
    """
    card = card or make_card(multiple=2)
    random = np.random.default_rng(0)
    sizes = {"first": (CHANNELS, 1), "a": (CHANNELS, CHANNELS), "b": (CHANNELS, CHANNELS)}
    sizes |= {"c": (CHANNELS, 2 * CHANNELS), "last": (1, CHANNELS)}
    weights = {
        name: random.normal(0, 1 / (3 * inputs**0.5), (outputs, inputs, 3, 3)).astype(np.float32)
        for name, (outputs, inputs) in sizes.items()
    }
    weights["last"] /= 20
    weights["b"][:, -1] = 0
    bias = np.zeros(CHANNELS, np.float32)
    bias[-1] = outlier
    constants = {
        "scale": np.float32(1000),
        "zero": np.float32(0),
        "around": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "twice": np.array([1, 1, 2, 2], np.float32),
        "a.bias": bias,
    }
    make = helper.make_node
    nearest = {"mode": "nearest", "nearest_mode": "floor"}
    nearest["coordinate_transformation_mode"] = "asymmetric"
    pads = [1, 1, 1, 1]
    nodes = [
        make("Div", [INPUT_NAME, "scale"], ["inside"]),
        make("Conv", ["inside", "first"], ["first.out"], pads=pads),
        make(activation, ["first.out"], ["first.act"]),
        make("Pad", ["first.act", "around", "zero"], ["padded"], mode="reflect"),
        make("Conv", ["padded", "a", "a.bias"], ["a.out"]),
        make(activation, ["a.out"], ["a.act"]),
        make("MaxPool", ["a.act"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        make("Conv", ["pooled", "b"], ["b.out"], pads=pads),
        make(activation, ["b.out"], ["b.act"]),
        make("Resize", ["b.act", "", "twice"], ["resized"], **nearest),
        make("Concat", ["resized", "first.act"], ["joined"], axis=1),
        make("Conv", ["joined", "c"], ["c.out"], pads=pads),
        make(activation, ["c.out"], ["c.act"]),
        make("Conv", ["c.act", "last"], ["last.out"], pads=pads),
        make("Mul", ["last.out", "scale"], ["change"]),
        make("Add", [INPUT_NAME, "change"], [OUTPUT_NAME]),
    ]
    stored = constants | weights
    if card.pixel_spacing is not None:
        scaling, stored = _polynomials(stored, (*weights, "a.bias"), card.pixel_spacing.reference)
        nodes[:0] = scaling
    graph = helper.make_graph(
        nodes,
        "network",
        _inputs(card),
        [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, SHAPE)],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    return model


def _inputs(card):
    return [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in list(INPUTS.items())[: card.format]
    ]


def _polynomials(stored, names, reference):
    """Return nodes that compute the named tensors, and all tensors that are stored instead."""
    random = np.random.default_rng(1)
    stored = dict(stored) | {"reference": np.float32([reference])}
    nodes = [
        helper.make_node("Div", [SPACING_NAME, "reference"], ["ratio"]),
        helper.make_node("Log", ["ratio"], ["t"]),
        helper.make_node("Mul", ["t", "t"], ["t.squared"]),
    ]
    for name in names:
        weights = stored.pop(name)
        largest = np.abs(weights).max(initial=0)
        stored[f"{name}.0"] = weights
        for power, t in ((1, "t"), (2, "t.squared")):
            term = f"{name}.{power}"
            stored[term] = random.normal(0, largest, weights.shape).astype(np.float32)
            nodes.append(helper.make_node("Mul", [term, t], [f"{term}.scaled"]))
        nodes.append(helper.make_node("Add", [f"{name}.0", f"{name}.1.scaled"], [f"{name}.01"]))
        nodes.append(helper.make_node("Add", [f"{name}.01", f"{name}.2.scaled"], [name]))
    return nodes, stored
