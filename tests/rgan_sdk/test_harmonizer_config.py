"""The configuration of a harmonizer goes to other processes; the harmonizer does not."""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from support.models import make_domain_card, make_series_card, write_model
from support.threads import call_at_once
from support.workers import harmonize

import rgan_sdk as rgan

SPACING = 0.8


@pytest.fixture
def path(tmp_path):
    return write_model(tmp_path / "m.onnx", make_domain_card(multiple=8))


def images(count=3):
    rng = np.random.default_rng(0)
    return rng.normal(-300, 300, (count, 30, 42)).astype(np.float32)


def copy(value):
    return pickle.loads(pickle.dumps(value))


def test_a_spawned_process_opens_its_own(path):
    with rgan.Harmonizer.load(path, engine="onnxruntime", device="cpu", batch_size=2) as one:
        expected, config = one(images(), pixel_spacing=SPACING), one.config
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            done = pool.submit(harmonize, config, images(), SPACING).result(timeout=120)
    assert np.array_equal(done, expected)


@pytest.mark.parametrize("engine", ["identity", "onnxruntime", "openvino"])
def test_a_harmonizer_says_what_opens_it(path, engine):
    with rgan.Harmonizer.load(
        path, engine=engine, batch_size=2, outside_domain=["spacing"]
    ) as harmonizer:
        config = harmonizer.config
        assert config == copy(config)
        assert config.sha256 == harmonizer.model.sha256
        with copy(config).open() as other:
            assert other.config == config
            assert (other.engine.name, other.engine.device) == (engine, "cpu")
            assert np.array_equal(
                other(images(), pixel_spacing=2.0), harmonizer(images(), pixel_spacing=2.0)
            )


def test_a_choice_that_auto_made_is_kept(path):
    with rgan.Harmonizer.load(path, device="cpu") as harmonizer:
        config = harmonizer.config
        assert config.engine in ("onnxruntime", "openvino")
        assert config.batch_size == harmonizer.batch_size


def test_another_model_under_the_same_name_is_refused(path):
    with rgan.Harmonizer.load(path, engine="identity") as harmonizer:
        config = harmonizer.config
    write_model(path, make_series_card())
    with pytest.raises(rgan.ModelFormatError, match=f"expected {config.sha256}"):
        config.open()
    with rgan.HarmonizerConfig(path, "identity").open() as harmonizer:
        assert harmonizer.batch_size == 1


def test_what_makes_no_sense(path):
    with pytest.raises(rgan.ConfigurationError, match="batch size 0"):
        rgan.HarmonizerConfig(path, batch_size=0)
    with pytest.raises(rgan.ConfigurationError, match="outside_domain: no 'noise'"):
        rgan.HarmonizerConfig(path, outside_domain=["noise"])
    with pytest.raises(rgan.UnknownEngineError):
        rgan.HarmonizerConfig(path, engine="none").open()


def test_a_harmonizer_cannot_be_pickled(path):
    with (
        rgan.Harmonizer.load(path, engine="identity") as harmonizer,
        pytest.raises(TypeError, match=r"send harmonizer\.config to the other process"),
    ):
        pickle.dumps(harmonizer)


@pytest.mark.parametrize(
    "value",
    [
        rgan.RunOptions(outside_domain=["kernel"], shard=rgan.Shard(1, 2)),
        rgan.HUWindow(-1000, 400),
        rgan.Report(environment={}),
        rgan.SeriesEntry("1.2", 0, "B40f", 3, "done"),
        rgan.FileEntry("a.dcm", "done"),
        make_domain_card(),
        rgan.InvalidSeriesError("PixelSpacing is missing"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_only_data_can_be_pickled(value):
    assert vars(copy(value)) == vars(value)


def test_a_model_can_be_pickled(path):
    model = rgan.HarmonizationModel.open(path)
    assert copy(model) == model


def test_threads_that_share_a_harmonizer_get_the_bits_of_one(path):
    hu = [images(count) for count in (1, 3, 5)]
    with rgan.Harmonizer.load(path, engine="onnxruntime", device="cpu", batch_size=2) as one:
        alone = [one(each, pixel_spacing=SPACING) for each in hu]
        calls = [lambda each=each: one(each, pixel_spacing=SPACING) for each in hu * 3]
        for made, expected in zip(call_at_once(calls), alone * 3, strict=True):
            assert np.array_equal(made, expected)


def test_threads_may_open_the_same_model(path):
    config = rgan.HarmonizerConfig(path, "onnxruntime", "cpu")
    expected = harmonize(config, images(), SPACING)
    for made in call_at_once([lambda: harmonize(config, images(), SPACING)] * 3):
        assert np.array_equal(made, expected)
