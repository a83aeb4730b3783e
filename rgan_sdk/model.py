"""A harmonization model: one self-describing ONNX file, verified before it is run.

The file is read once. The checks, the hash and the engines all use the same bytes, so it does not
matter if the file changes afterwards.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING

from rgan_sdk import _core
from rgan_sdk.card import CARD_KEY, ModelCard
from rgan_sdk.errors import ModelFormatError, ModelNotFoundError, OutputError, check_type
from rgan_sdk.files import as_path, atomic_write

if TYPE_CHECKING:
    import onnx
    from google.protobuf.message import Message

INPUT_NAME = "hu"
SPACING_NAME = "pixel_spacing"
OUTPUT_NAME = "harmonized_hu"
IMAGE_SHAPE: list[str | int] = ["batch", 1, "height", "width"]
INPUTS: dict[str, list[str | int]] = {INPUT_NAME: IMAGE_SHAPE, SPACING_NAME: [1]}
"""Names and shapes of the inputs; format 1 has only the first."""
OPSET = 20
_ARITHMETIC = ("Add", "Div", "Mul", "Sub", "Clip", "Log", "Cast", "Constant")
_LAYERS = ("Conv", "Relu", "LeakyRelu", "Pad", "MaxPool", "AveragePool", "Resize", "Concat")
_QUANTIZATION = ("QuantizeLinear", "DequantizeLinear")
OPERATORS = frozenset((*_ARITHMETIC, *_LAYERS, *_QUANTIZATION))
"""The operators that a graph may hold: no shape arithmetic, no arithmetic on integers."""
MAX_IR_VERSION = 10
MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class HarmonizationModel:
    """A verified model.

    Threads: it never changes, so any number may share one.

    Attributes
    ----------
    card
        The model card.
    content
        The bytes of the ONNX file.
    sha256
        Of ``content``, hexadecimal.
    source
        The path or the packaged name that was opened.
    parameters
        Number of values in the graph's initializers.
    precision
        The precision that the graph computes in: ``fp32``, ``fp16`` or ``int8``.
    """

    card: ModelCard
    content: bytes
    sha256: str
    source: str
    parameters: int
    precision: str

    @classmethod
    def open(cls, source: str | Path, *, sha256: str | None = None) -> HarmonizationModel:
        """Open a model file, or a packaged model by its name, and verify it.

        Parameters
        ----------
        source
            A path, or a name in ``packaged_models()``.
        sha256
            The expected SHA-256 of the file, hexadecimal; None accepts any. Packaged models are
            always compared with the manifest of the release.

        Raises
        ------
        ConfigurationError
            If an argument is of another type.
        ModelNotFoundError
            If there is no such file and no such packaged model, or the file cannot be read.
        ModelFormatError
            If the file is not a harmonization model, or has another hash.
        """
        path = as_path("model", source)
        check_type("sha256", sha256, str, NoneType)
        packaged = packaged_models()
        expected = [] if sha256 is None else [sha256.lower()]
        if str(source) in packaged:
            content = files("rgan_sdk").joinpath("models", f"{source}.onnx").read_bytes()
            expected.append(packaged[str(source)])
        else:
            content = _read(path)
        digest = hashlib.sha256(content).hexdigest()
        if others := [wanted for wanted in expected if wanted != digest]:
            raise ModelFormatError(
                f"{source}: sha256 is {digest}, expected {', '.join(others)}; the file "
                "is damaged or was replaced, get it again from its source"
            )
        try:
            card, parameters, precision = _verify(content)
        except ModelFormatError as exc:
            raise ModelFormatError(f"{source}: {exc}") from exc
        return cls(card, content, digest, str(source), parameters, precision)


def write_model(content: bytes, path: Path) -> HarmonizationModel:
    """Write a model file atomically, and verify it before it gets its name.

    Parameters
    ----------
    content
        The bytes of the ONNX file.
    path
        Its folder is created where needed. An existing file is replaced.

    Returns
    -------
    HarmonizationModel
        The model, opened from the file.

    Raises
    ------
    ModelFormatError
        If the content is not a harmonization model.
    OutputError
        If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)
            written = HarmonizationModel.open(temporary)
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written ({exc.strerror})") from exc
    return replace(written, source=str(path))


def packaged_models() -> dict[str, str]:
    """Return the models that come with the package, as a dict of name to SHA-256.

    Threads: any may call.
    """
    manifest = files("rgan_sdk").joinpath("models", "manifest.json")
    models: dict[str, str] = json.loads(manifest.read_text())
    return models


def stored_name(model: str) -> str:
    """Return what a list calls a model: a packaged one by its name, a file by its absolute path.

    Threads: any may call.
    """
    return model if model in packaged_models() else str(Path(model).resolve())


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise ModelNotFoundError(f"{path}: not a regular file")
        if size > MAX_BYTES:
            raise ModelFormatError(f"{path}: {size} bytes, more than the limit of {MAX_BYTES}")
        return path.read_bytes()
    except FileNotFoundError as exc:
        raise ModelNotFoundError(
            f"{path}: no such model file, and no packaged model of that name; "
            f"packaged are: {', '.join(packaged_models())}"
        ) from exc
    except OSError as exc:
        raise ModelNotFoundError(f"{path}: the model cannot be read ({exc.strerror})") from exc


def _verify(content: bytes) -> tuple[ModelCard, int, str]:
    """Check a file against ``docs/model-format.md``; return card, parameters and precision."""
    model = _parse(content)
    graph = model.graph
    cards = [prop.value for prop in model.metadata_props if prop.key == CARD_KEY]
    if len(cards) != 1:
        raise ModelFormatError(
            f"an ONNX file without a model card (metadata key {CARD_KEY!r}), so it is not a "
            "harmonization model; export one with `rgan-train export`"
        )
    if not isinstance(cards[0], str):
        raise ModelFormatError("model card: not a text in UTF-8")
    card = ModelCard.from_json(cards[0])
    _check_versions(model)
    _check_signature(graph, card.format)
    _check_nodes(graph)
    _refuse_external_data(model)
    _check_types(graph)
    parameters = sum(math.prod(tensor.dims) for tensor in graph.initializer)
    return card, parameters, _precision(graph)


def _parse(content: bytes) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        _core.require_well_formed(content)
    except ValueError as exc:
        raise ModelFormatError(str(exc)) from exc
    try:
        model = onnx.load_model_from_string(content)
        if not model.graph.node:
            raise ModelFormatError("not an ONNX model: it has no graph")
        return model
    except DecodeError as exc:
        raise ModelFormatError(f"not an ONNX file, or a truncated one ({exc})") from exc


def _check_versions(model: onnx.ModelProto) -> None:
    opsets = {opset.domain or "ai.onnx": opset.version for opset in model.opset_import}
    if opsets != {"ai.onnx": OPSET}:
        raise ModelFormatError(f"operator sets {opsets}, expected only ai.onnx {OPSET}")
    if model.ir_version > MAX_IR_VERSION:
        raise ModelFormatError(f"IR version {model.ir_version}, at most {MAX_IR_VERSION} is known")
    if model.functions or model.training_info:
        raise ModelFormatError("holds functions or training information, which are refused")


def _check_signature(graph: onnx.GraphProto, card_format: int) -> None:
    initializers = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in initializers]
    expected = {INPUT_NAME: IMAGE_SHAPE} if card_format == 1 else INPUTS
    for values, shapes in ((inputs, expected), (list(graph.output), {OUTPUT_NAME: IMAGE_SHAPE})):
        names = [value.name for value in values]
        if names != list(shapes):
            raise ModelFormatError(
                f"inputs or outputs are {names}, expected {list(shapes)} in format {card_format}"
            )
        for value in values:
            _check_tensor(value, shapes[value.name])


def _check_tensor(value: onnx.ValueInfoProto, shape: list[str | int]) -> None:
    import onnx

    tensor = value.type.tensor_type
    dims = [dim.dim_param or dim.dim_value for dim in tensor.shape.dim]
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        raise ModelFormatError(f"{value.name!r} is {_type_name(tensor.elem_type)}, expected FLOAT")
    if dims != shape:
        raise ModelFormatError(f"{value.name!r} has shape {dims}, expected {shape}")


def _check_nodes(graph: onnx.GraphProto) -> None:
    if graph.sparse_initializer:
        raise ModelFormatError("holds sparse weights, which are refused")
    for node in graph.node:
        if node.domain not in ("", "ai.onnx"):
            raise ModelFormatError(f"operator {node.domain}.{node.op_type} is not a standard one")
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise ModelFormatError(f"operator {node.op_type} holds a subgraph: refused")
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                raise ModelFormatError("holds sparse weights, which are refused")
        if node.op_type not in OPERATORS:
            raise ModelFormatError(
                f"operator {node.op_type} is not one that every runtime takes; allowed are "
                f"{', '.join(sorted(OPERATORS))}"
            )


def _check_types(graph: onnx.GraphProto) -> None:
    """Refuse integers, except for the sizes of ``Pad`` and for quantization."""
    import onnx

    floats = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16}
    allowed = {
        "Pad": {*floats, onnx.TensorProto.INT64},
        "QuantizeLinear": {*floats, onnx.TensorProto.INT8, onnx.TensorProto.UINT8},
        "DequantizeLinear": {*floats, onnx.TensorProto.INT8, onnx.TensorProto.UINT8},
    }
    kinds = {tensor.name: tensor.data_type for tensor in _constants(graph)}
    for node in graph.node:
        for name in node.input:
            if kinds.get(name, onnx.TensorProto.FLOAT) not in allowed.get(node.op_type, floats):
                raise ModelFormatError(
                    f"weights {name!r} are {_type_name(kinds[name])}, expected FLOAT or FLOAT16; "
                    "export the model again with `rgan-train export`"
                )
        if node.op_type == "Cast" and _cast_to(node) not in floats:
            raise ModelFormatError("operator Cast may change to FLOAT and FLOAT16 only")


def _constants(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield all constant tensors, under the names by which nodes refer to them."""
    import onnx

    yield from graph.initializer
    for node in graph.node:
        if node.op_type == "Constant":
            names = [attribute.name for attribute in node.attribute]
            if names != ["value"] or not node.output:
                raise ModelFormatError("operator Constant must hold a tensor")
            tensor = onnx.TensorProto()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
            yield tensor


def _type_name(kind: int) -> str:
    import onnx

    types = onnx.TensorProto.DataType
    return types.Name(kind) if kind in types.values() else f"of the unknown type {kind}"


def _cast_to(node: onnx.NodeProto) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "to"), 0)


def _precision(graph: onnx.GraphProto) -> str:
    import onnx

    if any(node.op_type == "QuantizeLinear" for node in graph.node):
        return "int8"
    kinds = {tensor.data_type for tensor in _constants(graph)}
    kinds |= {_cast_to(node) for node in graph.node if node.op_type == "Cast"}
    return "fp16" if onnx.TensorProto.FLOAT16 in kinds else "fp32"


def _refuse_external_data(message: Message) -> None:
    """Refuse external data in any tensor of the file, wherever it is."""
    import onnx

    if isinstance(message, onnx.TensorProto) and (
        message.data_location == onnx.TensorProto.EXTERNAL or len(message.external_data) > 0
    ):
        raise ModelFormatError("stores weights in external files, which is refused")
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for item in [value] if hasattr(value, "ListFields") else value:
            _refuse_external_data(item)
