"""librgan gives the bits that Python gives, and says what is wrong where it can't."""

import ctypes
import threading

import numpy as np
import pytest
from support.librgan import LIBRARY, Engine, LibraryError, Model, check
from support.models import make_card, make_domain_card, make_float16, make_model, make_network

import rgan_sdk as rgan
from rgan_sdk.model import HarmonizationModel, packaged_models
from rgan_sdk.quantization import quantize


def slices(count=2, rows=70, columns=53, seed=0):
    random = np.random.default_rng(seed)
    return random.uniform(-1100, 1500, (count, rows, columns)).astype(np.float32)


def in_python(content, hu, pixel_spacing, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with rgan.Harmonizer.load(
        path, engine="onnxruntime", device="cpu", outside_domain=("spacing",)
    ) as harmonizer:
        return harmonizer(hu, pixel_spacing=pixel_spacing)


def in_library(content, hu, pixel_spacing, any_spacing=True):
    with Model(content) as model, Engine(model) as engine:
        return engine.harmonize(hu, pixel_spacing, any_spacing=any_spacing)


MODELS = {
    "format 1": lambda: make_model(make_card()),
    "format 2": lambda: make_model(make_domain_card()),
    "fp16": lambda: make_float16(make_domain_card()),
    "network": lambda: make_network(card=make_domain_card(multiple=2)),
}


@pytest.mark.parametrize("spacing", [0.61, 0.7, 1.3])
@pytest.mark.parametrize("kind", MODELS)
def test_bits_are_those_of_python(kind, spacing, tmp_path):
    content = MODELS[kind]().SerializeToString()
    hu = slices()
    assert np.array_equal(
        in_library(content, hu, spacing), in_python(content, hu, spacing, tmp_path)
    )


def test_int8_gives_the_bits_of_python(tmp_path):
    path = tmp_path / "network.onnx"
    path.write_bytes(MODELS["network"]().SerializeToString())
    model = HarmonizationModel.open(path)
    hu = slices()
    content = quantize(model, list(hu), pixel_spacings=[0.7, 0.7], limit=1e4).content
    with Model(content) as opened:
        assert opened.card().precision == b"int8"
    assert np.array_equal(in_library(content, hu, 0.7), in_python(content, hu, 0.7, tmp_path))


@pytest.mark.parametrize("name", packaged_models())
def test_packaged_models_give_the_bits_of_python(name, tmp_path):
    content = HarmonizationModel.open(name).content
    hu = slices(1, 96, 101)
    assert np.array_equal(in_library(content, hu, 0.7), in_python(content, hu, 0.7, tmp_path))


def test_more_spacings_than_sessions_are_kept_for():
    content = make_model(make_domain_card()).SerializeToString()
    hu = slices(1)
    spacings = [0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.6]
    with Model(content) as model, Engine(model) as engine:
        found = [engine.harmonize(hu, spacing) for spacing in spacings]
    assert np.array_equal(found[0], found[-1])
    assert not np.array_equal(found[0], found[1])


@pytest.fixture
def engine():
    with Model(make_model(make_domain_card()).SerializeToString()) as model:
        opened = Engine(model)
    with opened:  # the model may go first
        yield opened


def test_in_place(engine):
    hu = slices()
    expected = engine.harmonize(hu, 0.7)
    assert np.array_equal(engine.harmonize(hu, 0.7, out=hu), expected)


def test_no_slices(engine):
    assert engine.harmonize(slices(0), 0.7).shape == (0, 70, 53)


def test_description(engine):
    assert engine.description.startswith("onnxruntime ")
    assert engine.description.endswith("(cpu, fp32)")


def test_out_overlaps(engine):
    memory = np.zeros(3 * 70 * 53, np.float32)
    hu = memory[: 2 * 70 * 53].reshape(2, 70, 53)
    shifted = memory[53:][: hu.size].reshape(hu.shape)
    with pytest.raises(LibraryError, match="INVALID_ARGUMENT: out overlaps with hu"):
        engine.harmonize(hu, 0.7, out=shifted)


@pytest.mark.parametrize("spacing", [0.0, -1.0, float("nan"), float("inf"), 1e39, 1e-60])
def test_pixel_spacing_is_mandatory(engine, spacing):
    with pytest.raises(LibraryError, match="INVALID_ARGUMENT: pixel_spacing must be"):
        engine.harmonize(slices(), spacing, any_spacing=True)


def test_pixel_spacing_outside_the_card(engine):
    with pytest.raises(LibraryError, match=r"OUTSIDE_DOMAIN.* from 0.6 to 0.9 mm, not for 1 mm"):
        engine.harmonize(slices(), 1.0)


def test_format_1_states_no_spacing():
    content = make_model(make_card()).SerializeToString()
    with pytest.raises(LibraryError, match=r"OUTSIDE_DOMAIN.*format 1"):
        in_library(content, slices(), 0.7, any_spacing=False)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_slices_before_a_faulty_one_are_done(engine, value):
    hu = slices(3)
    expected = engine.harmonize(hu, 0.7)
    hu[1, 5, 6] = value
    out = np.full_like(hu, 7)
    with pytest.raises(LibraryError, match="INFERENCE: slice 1: the input holds NaN"):
        engine.harmonize(hu, 0.7, out=out)
    assert np.array_equal(out[0], expected[0])
    assert (out[1:] == 7).all()


def test_progress_and_stopping_by_it(engine):
    hu, calls = slices(4), []
    out = np.full_like(hu, 7)

    def progress(done, total):
        calls.append((done, total))
        return done < 2

    with pytest.raises(LibraryError, match="CANCELLED: stopped by the progress function"):
        engine.harmonize(hu, 0.7, out=out, progress=progress)
    assert calls == [(1, 4), (2, 4)]
    assert (out[2:] == 7).all()
    assert not (out[:2] == 7).any()


@pytest.fixture
def stop():
    pointer = ctypes.c_void_p()
    check(LIBRARY.rgan_stop_create(ctypes.byref(pointer)))
    yield pointer
    LIBRARY.rgan_stop_release(pointer)


def test_a_stop_that_was_requested_before(engine, stop):
    LIBRARY.rgan_stop_request(stop)
    with pytest.raises(LibraryError, match="CANCELLED: stopped, as the caller asked"):
        engine.harmonize(slices(), 0.7, stop=stop)


def test_another_thread_stops(engine, stop):
    hu = slices(100_000, 16, 16)
    begun = threading.Event()

    def progress(done, total):
        begun.set()
        return True

    def request():
        begun.wait()
        LIBRARY.rgan_stop_request(stop)

    other = threading.Thread(target=request)
    other.start()
    with pytest.raises(LibraryError, match="CANCELLED"):
        engine.harmonize(hu, 0.7, progress=progress, stop=stop)
    other.join()
    assert np.array_equal(engine.harmonize(hu[:1], 0.7), engine.harmonize(hu[:1], 0.7))


def test_threads_share_an_engine(engine):
    stacks = [slices(3, seed=seed) for seed in range(4)]
    expected = [engine.harmonize(hu, 0.7) for hu in stacks]
    found = {}

    def work(index):
        found[index] = engine.harmonize(stacks[index], 0.7)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(stacks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[index], hu) for index, hu in enumerate(expected))
