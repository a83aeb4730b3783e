"""Opening models: valid files, and the many kinds that are refused."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support.models import make_card, make_domain_card, make_model, write_model

from rgan_sdk.card import CARD_KEY
from rgan_sdk.errors import ModelFormatError, ModelNotFoundError
from rgan_sdk.model import HarmonizationModel


def test_open_reads_card_hash_and_size(tmp_path):
    path = write_model(tmp_path / "m.onnx")
    model = HarmonizationModel.open(path)
    assert model.card == make_card()
    assert model.content == path.read_bytes()
    assert model.parameters == 9 + 5
    assert HarmonizationModel.open(path, sha256=model.sha256.upper()).sha256 == model.sha256


def test_format_2_has_the_pixel_spacing_as_second_input(tmp_path):
    path = write_model(tmp_path / "m.onnx", make_domain_card())
    assert HarmonizationModel.open(path).card == make_domain_card()


@pytest.mark.parametrize("card", [make_card(), make_domain_card()])
def test_a_card_of_the_other_format_is_refused(tmp_path, card):
    other = make_domain_card() if card.format == 1 else make_card()
    model = make_model(card)
    model.metadata_props[0].value = other.to_json()
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelFormatError, match=f"in format {other.format}"):
        HarmonizationModel.open(tmp_path / "m.onnx")


def _without_card(model):
    del model.metadata_props[:]


def _two_cards(model):
    model.metadata_props.append(onnx.StringStringEntryProto(key=CARD_KEY, value="{}"))


def _bad_card(model):
    model.metadata_props[0].value = json.dumps({"format": 1})


def _wrong_opset(model):
    model.opset_import[0].version = 17


def _custom_domain(model):
    model.opset_import.append(helper.make_opsetid("com.example", 1))


def _custom_operator(model):
    model.graph.node[0].domain = "com.example"


def _new_ir(model):
    model.ir_version = 11


def _other_input_name(model):
    model.graph.input[0].name = "image"


def _double_output(model):
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def _fixed_size(model):
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 512


def _external_data(model):
    tensor = model.graph.initializer[-1]
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"


def _external_constant(model):
    tensor = TensorProto(name="t", data_location=TensorProto.EXTERNAL)
    model.graph.node.append(helper.make_node("Constant", [], ["t"], value=tensor))


def _subgraph(model):
    branch = helper.make_graph([], "branch", [], [])
    model.graph.node.append(
        helper.make_node("If", ["one"], ["y"], then_branch=branch, else_branch=branch)
    )


def _function(model):
    model.functions.append(onnx.FunctionProto(name="f", domain="d"))


def _sparse(kind):
    values = TensorProto(name="v", data_type=TensorProto.FLOAT, dims=[1])
    values.data_location = TensorProto.EXTERNAL
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    sparse = onnx.SparseTensorProto(values=values, indices=indices, dims=[4])

    def spoil(model):
        if kind == "initializer":
            model.graph.sparse_initializer.append(sparse)
        else:
            node = helper.make_node("Constant", [], ["t"])
            node.attribute.append(
                onnx.AttributeProto(
                    name="sparse_value",
                    type=onnx.AttributeProto.SPARSE_TENSOR,
                    sparse_tensor=sparse,
                )
            )
            model.graph.node.append(node)

    return spoil


def _disguised_subgraph(model):
    _subgraph(model)
    for attribute in model.graph.node[-1].attribute:
        attribute.type = onnx.AttributeProto.INT


def _shape_arithmetic(model):
    model.graph.node.append(helper.make_node("Shape", ["hu"], ["dims"]))


def _weights_as(kind):
    def spoil(model):
        tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "kernel")
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.ones((1, 1, 3, 3), kind), "kernel"))

    return spoil


def _cast_to(kind):
    def spoil(model):
        model.graph.node.append(helper.make_node("Cast", ["inside"], ["cast"], to=kind))

    return spoil


def _constant_of(kind):
    def spoil(model):
        value = onnx.numpy_helper.from_array(np.ones(1, kind))
        model.graph.node.append(helper.make_node("Constant", [], ["one_more"], value=value))
        model.graph.node.append(helper.make_node("Mul", ["inside", "one_more"], ["product"]))

    return spoil


def _training_info(model):
    model.training_info.add()


def _external_elsewhere(model):
    info = model.graph.quantization_annotation.add()
    info.tensor_name = "kernel"
    tensor = model.graph.node[0].attribute.add(name="hidden").tensors.add()
    tensor.external_data.add(key="location", value="x")


def _unknown_type(model):
    _constant_of(np.float32)(model)
    model.graph.node[-2].attribute[0].t.data_type = 99


def _unknown_input_type(model):
    model.graph.input[0].type.tensor_type.elem_type = 99


def _constant_without_name(model):
    _constant_of(np.float32)(model)
    del model.graph.node[-2].output[:]


def _card_in_another_encoding(model):
    text = model.metadata_props[0].value.encode("utf-16")
    model.metadata_props[0].ParseFromString(
        onnx.StringStringEntryProto(key=CARD_KEY).SerializeToString()
        + b"\x12"
        + _varint(len(text))
        + text
    )


def _varint(value):
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


CASTS = (TensorProto.BFLOAT16, TensorProto.INT32, TensorProto.UINT8, TensorProto.DOUBLE)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without_card, "without a model card"),
        (_two_cards, "without a model card"),
        (_bad_card, "is a required property"),
        (_wrong_opset, "operator sets"),
        (_custom_domain, "operator sets"),
        (_custom_operator, "is not a standard one"),
        (_new_ir, "IR version 11"),
        (_other_input_name, "expected \\['hu'\\] in format 1"),
        (_double_output, "DOUBLE"),
        (_fixed_size, "has shape"),
        (_external_data, "external files"),
        (_external_constant, "external files"),
        (_subgraph, "subgraph"),
        (_function, "functions"),
        (_sparse("initializer"), "sparse"),
        (_sparse("constant"), "sparse"),
        (_disguised_subgraph, "subgraph"),
        (_shape_arithmetic, "operator Shape is not one that every runtime takes"),
        (_weights_as(np.int64), "weights 'kernel' are INT64, expected FLOAT"),
        (_weights_as(np.float64), "weights 'kernel' are DOUBLE, expected FLOAT"),
        *((_cast_to(kind), "FLOAT and FLOAT16 only") for kind in CASTS),
        (_constant_of(np.float64), "weights 'one_more' are DOUBLE"),
        (_constant_of(np.int32), "weights 'one_more' are INT32"),
        (_training_info, "training information"),
        (_external_elsewhere, "external files"),
        (_unknown_type, "are of the unknown type 99"),
        (_unknown_input_type, "is of the unknown type 99"),
        (_constant_without_name, "Constant must hold a tensor"),
        (_card_in_another_encoding, "not a text in UTF-8"),
    ],
)
def test_other_graphs_are_refused(tmp_path, spoil, message):
    model = make_model()
    spoil(model)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFormatError, match=message) as caught:
        HarmonizationModel.open(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x0a" * 5, b"DICM" * 100])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFormatError):
        HarmonizationModel.open(path)


def test_a_truncated_model_is_refused(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(make_model().SerializeToString()[:-200])
    with pytest.raises(ModelFormatError):
        HarmonizationModel.open(path)


def test_a_replaced_file_is_refused(tmp_path):
    path = write_model(tmp_path / "m.onnx")
    with pytest.raises(ModelFormatError, match="expected 0000"):
        HarmonizationModel.open(path, sha256="0000")


def test_an_oversized_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = write_model(tmp_path / "m.onnx")
    monkeypatch.setattr("rgan_sdk.model.MAX_BYTES", 100)
    with pytest.raises(ModelFormatError, match="more than the limit"):
        HarmonizationModel.open(path)


@pytest.mark.parametrize("name", ["absent.onnx", "."])
def test_what_is_not_there_is_not_found(tmp_path, name):
    with pytest.raises(ModelNotFoundError):
        HarmonizationModel.open(tmp_path / name)


def test_float16_anywhere_makes_a_float16_model(tmp_path):
    """Else the engine that others are compared with would be taken for exact."""
    for spoil in (_cast_to(TensorProto.FLOAT16), _constant_of(np.float16)):
        model = make_model()
        spoil(model)
        path = tmp_path / "m.onnx"
        path.write_bytes(model.SerializeToString())
        assert HarmonizationModel.open(path).precision == "fp16"
