"""int8 models: what their graphs hold, and how much they deviate from the float32 model."""

import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from support.models import CHANNELS, make_domain_card, make_model, make_network
from support.requirements import require_data

from rgan_sdk.card import BOUND_FACTOR
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.engines.acceptance import SELF_TEST_SLICES, accept, self_test_slices
from rgan_sdk.engines.binding import bind_pixel_spacing
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine
from rgan_sdk.errors import (
    AccuracyError,
    ConfigurationError,
    EngineUnavailableError,
    ModelError,
    ModelFormatError,
)
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.phantom import synthetic_slices
from rgan_sdk.quantization import LIMIT_HU, largest_weights, quantize
from rgan_sdk.quantized_graph import (
    insert_quantization,
    quantizable_layers,
    quantized_tensors,
    strip_quantization,
)

PACKAGED = ("b40f-to-b70f", "b70f-to-b40f")


def opened(folder, model):
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return HarmonizationModel.open(path)


def packaged(name):
    return onnx.load_model_from_string(HarmonizationModel.open(name).content)


def with_all_layers(model):
    layers = [name for name, reason in quantizable_layers(model).items() if not reason]
    return layers, insert_quantization(model, layers, Everything())


class Everything(dict):
    """A range for each tensor."""

    def __missing__(self, name):
        return (-1.0, 3.0)

    def __contains__(self, name):
        return True


def slices(count=2, height=50, width=37):
    return [hu[200 : 200 + height, 150 : 150 + width] for hu in synthetic_slices("B40f", count)]


def run(model, hu, pixel_spacing=None):
    with Harmonizer(OnnxRuntimeEngine(model, "cpu"), None, ("spacing",)) as harmonizer:
        return harmonizer(hu, pixel_spacing=pixel_spacing)


@pytest.mark.parametrize("name", PACKAGED)
def test_without_its_pairs_an_int8_model_is_the_float32_model(name):
    model = packaged(name)
    before = model.SerializeToString()
    _, quantized = with_all_layers(model)
    assert quantized.SerializeToString() != before
    assert strip_quantization(quantized).SerializeToString() == before
    assert model.SerializeToString() == before
    assert strip_quantization(model).SerializeToString() == before


def test_the_stripped_model_gives_the_float32_bits(tmp_path):
    model = opened(tmp_path, make_network())
    result = quantize(model, slices())
    stripped = strip_quantization(onnx.load_model_from_string(result.content))
    hu = slices(1)[0]
    expected = run(model, hu)
    assert np.array_equal(run(opened(tmp_path, stripped), hu), expected)


def test_weights_stored_as_integers_cannot_be_stripped():
    _, quantized = with_all_layers(make_network())
    graph = quantized.graph
    rounding = next(node for node in graph.node if node.input[0] == "a")
    weights = numpy_helper.from_array(np.zeros((8, 8, 3, 3), np.int8), rounding.output[0])
    graph.node.remove(rounding)
    graph.initializer.append(weights)
    with pytest.raises(ModelFormatError, match=r"'a\.quantized' was quantized before"):
        strip_quantization(quantized)


def test_operators_on_integers_cannot_be_stripped():
    _, quantized = with_all_layers(make_network())
    pool = next(node for node in quantized.graph.node if node.op_type == "MaxPool")
    pool.input[0] = pool.input[0].replace("dequantized", "quantized")
    with pytest.raises(ModelFormatError, match=r"'a\.act\.quantized' was quantized before"):
        strip_quantization(quantized)


def test_an_output_that_is_rounded_cannot_be_stripped():
    _, quantized = with_all_layers(make_network())
    quantized.graph.output[0].name = "c.act.dequantized"
    with pytest.raises(ModelFormatError, match="quantized before"):
        strip_quantization(quantized)


@pytest.mark.parametrize("name", PACKAGED)
def test_what_sees_or_makes_a_slice_stays_in_float32(name):
    model = packaged(name)
    layers, quantized = with_all_layers(model)
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in inferred
    }
    for node in quantized.graph.node:
        if node.op_type == "Conv":
            layer = node.input[1].removesuffix(".dequantized")
            inner = shapes[layer][1] > 4 and shapes[layer][0] > 1
            assert (layer in layers) == inner
            assert node.input[1].endswith(".dequantized") == inner
            assert node.input[0].endswith(".dequantized") or not inner
    others = {"Clip", "Sub", "Div", "Mul", "Add", "AveragePool"}
    assert not any(
        name.endswith("dequantized")
        for node in quantized.graph.node
        if node.op_type in others
        for name in node.input
    )


def test_what_is_only_moved_keeps_its_scale():
    model = make_network()
    sources = quantized_tensors(model, ["a", "b", "c"])
    assert sources["padded"] == sources["first.act"] == sources["joined"] == sources["resized"]
    assert sources["resized"] == sources["b.act"]
    assert sources["pooled"] == sources["a.act"] != sources["joined"]
    assert sources["c.act"] == "c.act"
    assert set(quantized_tensors(model, ["b"])) == {"a.act", "pooled", "b.act", "resized"}


def test_weights_have_a_scale_for_each_output_channel():
    model = make_network()
    quantized = insert_quantization(model, ["a"], Everything())
    tensors = {t.name: numpy_helper.to_array(t) for t in quantized.graph.initializer}
    expected = np.abs(tensors["a"]).max(axis=(1, 2, 3)) / np.float32(127)
    assert np.array_equal(tensors["a.scale"], expected)
    assert tensors["a.zero_point"].dtype == np.int8
    assert not tensors["a.zero_point"].any()
    assert tensors["a.act.scale"] == np.float32(4 / 255)
    assert tensors["a.act.zero_point"] == np.uint8(64)


@pytest.mark.parametrize("activation", ["Relu", "LeakyRelu"])
def test_onnx_runtime_computes_the_layers_in_int8(tmp_path, activation):
    result = quantize(opened(tmp_path, make_network(activation)), slices())
    assert result.in_int8 == ("a", "b", "c")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(result.content, options, providers=["CPUExecutionProvider"])
    operators = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert operators.count("QLinearConv") == 3
    assert operators.count("Conv") + operators.count("FusedConv") == 2


@pytest.fixture(scope="module")
def domain_model(tmp_path_factory):
    card = make_domain_card(multiple=2)
    return opened(tmp_path_factory.mktemp("model"), make_network(card=card))


@pytest.fixture(scope="module")
def of_domain(domain_model):
    """The int8 model, and the steps that were told while it was made."""
    steps = []
    result = quantize(
        domain_model,
        slices(1),
        pixel_spacings=[0.65],
        on_step=lambda *step: steps.append(step),
    )
    assert result.in_int8 == ("a", "b", "c")
    return onnx.load_model_from_string(result.content), result.bound, steps


def test_computed_weights_are_rounded_for_all_pixel_spacings(of_domain):
    tensors = {t.name: numpy_helper.to_array(t) for t in of_domain[0].graph.initializer}
    for layer in ("a", "b", "c"):
        largest = [
            np.abs(sum(tensors[f"{layer}.{power}"] * t**power for power in range(3))).max((1, 2, 3))
            for t in np.log(np.geomspace(0.6, 0.9, 17) / 0.7)
        ]
        expected = np.max(largest, axis=0) / 127
        expected[expected == 0] = 1
        np.testing.assert_allclose(tensors[f"{layer}.scale"], expected, rtol=1e-5)


def test_computed_weights_are_not_cut_off_at_the_spacing_of_a_slice(domain_model):
    spacing = 0.4  # outside the card's range
    result = quantize(domain_model, slices(1), pixel_spacings=[spacing], limit=1e4)
    graph = onnx.load_model_from_string(result.content).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    largest = largest_weights(domain_model, result.in_int8, [spacing])
    assert list(largest) == ["a", "b", "c"]
    for layer, values in largest.items():
        assert (values <= 127 * tensors[f"{layer}.scale"] * (1 + 1e-6)).all()


def test_the_bound_holds_at_all_pixel_spacings(tmp_path, of_domain, domain_model):
    graph, bound, _ = of_domain
    lowered, hu = opened(tmp_path, graph), slices(1)[0]
    for spacing in (0.6, 0.65, 0.7, 0.9):
        error = np.abs(run(lowered, hu, spacing) - run(domain_model, hu, spacing))
        assert 0 < np.percentile(error, 99.9) <= bound.p999


def test_computed_weights_stay_when_the_pairs_are_stripped(of_domain, domain_model):
    expected = onnx.load_model_from_string(domain_model.content)
    assert strip_quantization(of_domain[0]).graph == expected.graph


def test_onnx_runtime_computes_with_folded_weights_in_int8(tmp_path, of_domain):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    content = bind_pixel_spacing(of_domain[0].SerializeToString(), 0.8)
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    operators = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert operators.count("QLinearConv") == 3
    assert operators.count("Conv") + operators.count("FusedConv") == 2


def test_the_self_test_slices_are_taken_at_the_ends_too(of_domain):
    steps = of_domain[2]
    assert ("float32", 7, 7) in steps
    assert ("ranges", 7, 7) in steps


@pytest.mark.parametrize("spacings", [(), (0.7,), (0.7, 0.7, 0.7)])
def test_each_slice_needs_a_pixel_spacing_in_format_2(domain_model, spacings):
    with pytest.raises(ConfigurationError, match="for each of the 2 slices, got"):
        quantize(domain_model, slices(2), pixel_spacings=spacings)


def test_the_card_states_the_deviation_with_room_to_spare(tmp_path):
    model = opened(tmp_path, make_network())
    calibration = slices()
    result = quantize(model, calibration)
    lowered = opened(tmp_path, onnx.load_model_from_string(result.content))
    assert lowered.precision == "int8"
    assert lowered.card == replace(model.card, error_bounds={"int8": result.bound})
    images = [*calibration, *(hu[0, 0] for hu in self_test_slices(model, SELF_TEST_SLICES))]
    errors = np.concatenate([np.abs(run(lowered, hu) - run(model, hu)).ravel() for hu in images])
    assert result.deviation.max == errors.max() > 0
    assert result.deviation.p999 == np.percentile(errors, 99.9)
    assert result.deviation.mean == pytest.approx(errors.mean())
    assert 0 <= result.bound.max - BOUND_FACTOR * errors.max() <= 0.01
    assert 0 <= result.bound.p999 - BOUND_FACTOR * result.deviation.p999 <= 0.01


def test_engines_accept_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("RGAN_CACHE", str(tmp_path))
    result = quantize(opened(tmp_path, make_network()), slices())
    lowered = opened(tmp_path, onnx.load_model_from_string(result.content))
    with OnnxRuntimeEngine(lowered, "cpu") as engine:
        found = accept(engine)
    assert 0 < found.max <= result.deviation.max


def test_ranges_also_hold_at_metal_that_no_slice_shows(tmp_path, monkeypatch):
    model = opened(tmp_path, make_network())
    calibration = slices(1)
    metal = calibration[0].copy()
    metal[20:26, 10:16] = 3071.0

    def error_at_metal():
        result = quantize(model, calibration)
        lowered = opened(tmp_path, onnx.load_model_from_string(result.content))
        return np.abs(run(lowered, metal) - run(model, metal)).max()

    error = error_at_metal()
    monkeypatch.setattr("rgan_sdk.quantization.self_test_slices", lambda model, count: [])
    assert error < error_at_metal() / 10


def test_the_file_holds_nothing_of_the_slices(tmp_path):
    model = opened(tmp_path, make_network())
    result = quantize(model, slices())
    before = {t.name for t in onnx.load_model_from_string(model.content).graph.initializer}
    graph = onnx.load_model_from_string(result.content).graph
    added = [t for t in graph.initializer if t.name not in before]
    assert added
    assert all(np.prod(t.dims) <= CHANNELS for t in added)


def test_harmful_layers_stay_in_float32(tmp_path):
    model = opened(tmp_path, make_network(outlier=3000.0))
    result = quantize(model, slices(), limit=2.0)
    assert result.in_int8 == ("c",)
    assert result.deviation.p999 <= 2.0
    assert result.in_float32["first"] == "sees the slice itself"
    assert result.in_float32["last"] == "makes the slice"
    assert float(result.in_float32["b"].split()[-2]) > 2.0
    unlimited = quantize(opened(tmp_path, make_network()), slices(), limit=2.0)
    assert unlimited.in_int8 == ("a", "b", "c")


def test_a_limit_that_no_layer_keeps(tmp_path):
    with pytest.raises(AccuracyError, match=r"within 0\.0001 HU: even [abc] alone"):
        quantize(opened(tmp_path, make_network()), slices(), limit=0.0001)


def test_each_step_is_told(tmp_path):
    steps = []
    quantize(opened(tmp_path, make_network()), slices(1), on_step=lambda *step: steps.append(step))
    assert [step for step in steps if step[1] == step[2]] == [
        ("float32", 3, 3),
        ("ranges", 3, 3),
        ("int8 in 3 layers", 3, 3),
    ]


def test_lower_precisions_are_refused(tmp_path):
    model = opened(tmp_path, make_network())
    for precision in ("fp16", "int8"):
        with pytest.raises(ConfigurationError, match=f"is {precision}; int8 models are made from"):
            quantize(replace(model, precision=precision), slices())


def test_slices_are_needed(tmp_path):
    with pytest.raises(ConfigurationError, match="no slices"):
        quantize(opened(tmp_path, make_network()), [])


def test_a_model_without_inner_layers(tmp_path):
    with pytest.raises(ModelError, match="no layer that int8 would make faster"):
        quantize(opened(tmp_path, make_model()), slices())


def test_without_onnx_runtime(tmp_path, monkeypatch):
    model = opened(tmp_path, make_network())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineUnavailableError, match="pip install 'rgan-sdk"):
        quantize(model, slices())


def test_slices_of_a_real_scan_that_were_not_seen_keep_the_bound(tmp_path):
    model = opened(tmp_path, make_network())
    root = require_data("pair_lungdx_A0002_siemens")
    files = find_series(root / model.card.source_kernels[0]).series[0].slices
    result = quantize(model, [read_slice(files[19].path).hu])
    assert result.in_int8 == ("a", "b", "c")
    lowered = opened(tmp_path, onnx.load_model_from_string(result.content))
    hu = read_slice(files[25].path).hu
    error = np.abs(run(lowered, hu) - run(model, hu))
    assert 0 < np.percentile(error, 99.9) <= result.bound.p999 <= LIMIT_HU
    assert error.max() <= result.bound.max


def test_a_network_that_int8_is_too_coarse_for_is_refused():
    model = HarmonizationModel.open("b40f-to-b70f")
    with pytest.raises(AccuracyError, match="alone gives"):
        quantize(model, slices(1, 128, 128), pixel_spacings=[0.7])
