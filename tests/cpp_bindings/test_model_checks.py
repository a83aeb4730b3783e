"""The checks of librgan and of Python take and refuse the same model files."""

import json
import random

import onnx
import pytest
from support.librgan import LibraryError, Model
from support.models import make_card, make_domain_card, make_float16, make_model, make_network
from support.mutations import damage_bits, damage_card, damage_graph, small

from rgan_sdk.card import CARD_KEY
from rgan_sdk.errors import ModelFormatError
from rgan_sdk.model import HarmonizationModel, packaged_models

PRECISIONS = {"fp32", "fp16", "int8"}
HASHES = ("00112233445566aa", "0123456789abcdef")


def open_in_python(content, path):
    """Return the precision of a model, or None where it is refused."""
    path.write_bytes(content)
    try:
        return HarmonizationModel.open(path).precision
    except ModelFormatError:
        return None


def open_in_library(content):
    try:
        with Model(content) as model:
            return model.card().precision.decode()
    except LibraryError as error:
        if error.status != "MODEL_FORMAT" or not error.text:
            raise
        return None


def packaged(name):
    return onnx.load_model_from_string(HarmonizationModel.open(name).content)


def originals():
    return [
        small(packaged("b40f-to-b70f")),
        make_model(make_card()),
        make_float16(make_domain_card(series_seen=HASHES)),
        make_network(card=make_domain_card(multiple=2)),
    ]


def damaged_models(seed, count):
    """Yield damaged models, most of which differ in one place from one that is right."""
    rng = random.Random(seed)
    models = originals()
    for number in range(count):
        model = rng.choice(models)
        if number % 4 == 0:
            yield damage_bits(model.SerializeToString(), rng)
        elif number % 4 == 1:
            yield damage_graph(model, rng)
        else:
            yield damage_card(model, rng)


def compare(seed, count, path):
    found = []
    for number, content in enumerate(damaged_models(seed, count)):
        ours = open_in_library(content)
        assert ours == open_in_python(content, path), f"seed {seed}, number {number}"
        found.append(ours)
    return found


@pytest.mark.parametrize("name", packaged_models())
def test_packaged_models(name):
    expected = HarmonizationModel.open(name)
    with Model(expected.content, expected.sha256.upper()) as model:
        assert model.card().name.decode() == expected.card.name


def test_damaged_models_are_judged_alike(tmp_path):
    found = compare(seed=0, count=400, path=tmp_path / "model.onnx")
    assert 40 < sum(precision is not None for precision in found) < 200
    assert set(found) - {None} <= PRECISIONS


def with_changed_card(**fields):
    """Return a model whose card has other values."""
    model = make_model(make_domain_card())
    (entry,) = (prop for prop in model.metadata_props if prop.key == CARD_KEY)
    entry.value = json.dumps({**json.loads(entry.value), **fields})
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("seen", "is_refused"),
    [
        ([], False),
        (HASHES, False),
        ([f"{number:016x}" for number in range(100_000)], False),
        ([f"{number:016x}" for number in range(100_001)], True),
        (HASHES[::-1], True),
        (HASHES[:1] * 2, True),
        (["0123456789ABCDEF"], True),
        (["0123456789abcdeg"], True),
        (["0123456789abcde"], True),
        (["0123456789abcdef0"], True),
        (["0123456789abcdef\n"], True),
        ([0], True),
        (None, True),
    ],
    ids=lambda seen: repr(seen)[:40],
)
def test_hashes_of_series_are_judged_alike(seen, is_refused, tmp_path):
    content = with_changed_card(series_seen=seen)
    assert (open_in_library(content) is None) == is_refused
    assert (open_in_python(content, tmp_path / "model.onnx") is None) == is_refused


@pytest.mark.parametrize("text", ["B40f\0 phantom only", "\0", "B\ud800", "\udc00"])
@pytest.mark.parametrize("name", ["source_kernels", "target_kernel", "manufacturers"])
def test_texts_that_c_cannot_have_are_refused(name, text, tmp_path):
    content = with_changed_card(**{name: text if name == "target_kernel" else [text]})
    with pytest.raises(LibraryError, match=f"MODEL_FORMAT: model card: {name}: .*U.0000"):
        Model(content)
    assert open_in_python(content, tmp_path / "model.onnx") is None


def of_many_fields(count):
    """Return a model with a number of fields more."""
    return small(packaged("b40f-to-b70f")).SerializeToString() + b"\x12\x00" * count


def of_many_dimensions(count):
    model = make_model(make_card())
    model.graph.initializer[0].dims[:] = [1] * count
    return model.SerializeToString()


@pytest.mark.parametrize("make", [of_many_fields, of_many_dimensions])
def test_a_model_has_a_limited_number_of_fields(make, tmp_path):
    """So little memory suffices to refuse a file; each would take fifty times its bytes."""
    path = tmp_path / "model.onnx"
    for count, is_refused in ((98_000, False), (100_000, True)):
        content = make(count)
        assert (open_in_library(content) is None) == is_refused
        assert (open_in_python(content, path) is None) == is_refused
    with pytest.raises(ModelFormatError, match=r"model\.onnx: more than 100000 fields"):
        HarmonizationModel.open(path)
    with pytest.raises(LibraryError, match=r"MODEL_FORMAT: .*more than 100000 fields"):
        Model(path)


@pytest.mark.slow
def test_ten_thousand_damaged_models_are_judged_alike(tmp_path):
    compare(seed=1, count=10_000, path=tmp_path / "model.onnx")
