"""Arrays in, arrays out: padding, batching, cropping, and bad pixels."""

import numpy as np
import pytest
from support.models import blur, make_card, write_model

import rgan_sdk
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine
from rgan_sdk.errors import ConfigurationError, DeviceMemoryError, InferenceError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel


@pytest.fixture
def path(tmp_path):
    return write_model(tmp_path / "m.onnx", make_card(multiple=8))


def noise(*shape):
    return np.random.default_rng(0).normal(0, 300, shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (16, 24), (33, 8)])
def test_any_size_is_padded_by_its_edge_and_cropped(path, shape):
    hu = noise(3, *shape)
    with Harmonizer.load(path, device="cpu") as harmonizer:
        out = harmonizer(hu)
    below, right = -shape[0] % 8, -shape[1] % 8
    padded = np.pad(hu, ((0, 0), (0, below), (0, right)), mode="edge")
    expected = blur(padded, make_card())[:, : shape[0], : shape[1]]
    assert out.shape == hu.shape
    assert np.abs(out - expected).max() < 1e-3


def test_one_slice_and_a_stack_of_one_agree(path):
    hu = noise(20, 20)
    with Harmonizer.load(path, device="cpu") as harmonizer:
        assert (harmonizer(hu) == harmonizer(hu[np.newaxis])[0]).all()


def test_an_empty_stack_stays_empty(path):
    with Harmonizer.load(path, device="cpu") as harmonizer:
        assert harmonizer(noise(0, 16, 16)).shape == (0, 16, 16)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_input_that_is_not_finite_is_refused(path, value):
    hu = noise(16, 16)
    hu[3, 3] = value
    with (
        Harmonizer.load(path, device="cpu") as harmonizer,
        pytest.raises(InferenceError, match="NaN or infinite"),
    ):
        harmonizer(hu)


def test_other_shapes_are_refused(path):
    harmonizer = Harmonizer.load(path, engine="identity")
    with pytest.raises(InferenceError, match="expected"):
        harmonizer(noise(2, 1, 16, 16))


def test_a_constant_result_is_refused(path, monkeypatch):
    with Harmonizer.load(path, device="cpu") as harmonizer:
        monkeypatch.setattr(harmonizer.engine, "_infer", np.zeros_like)
        assert (harmonizer(np.zeros((16, 16), np.float32)) == 0).all()
        with pytest.raises(InferenceError, match="constant"):
            harmonizer(noise(16, 16))


def test_batch_size_must_be_positive(path):
    with pytest.raises(ConfigurationError, match="batch size 0"):
        Harmonizer.load(path, engine="identity", batch_size=0)


def test_the_public_names_are_there():
    for name in rgan_sdk.__all__:
        assert getattr(rgan_sdk, name) is not None
    assert not hasattr(rgan_sdk, "nothing_of_that_name")


class SmallMemoryEngine(OnnxRuntimeEngine):
    """Has room for some slices only, and for its free memory would choose eight."""

    default_batch_size = 8
    batch_invariant = False

    def __init__(self, model, room):
        super().__init__(model, "cpu")
        self.room, self.batches = room, []

    def _infer(self, hu):
        if len(hu) > self.room:
            raise DeviceMemoryError("too many slices")
        self.batches.append(len(hu))
        return super()._infer(hu)


@pytest.mark.parametrize(("room", "fitting"), [(8, 8), (7, 4), (3, 2), (1, 1)])
def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_lost(path, room, fitting):
    hu = noise(11, 16, 16)
    with Harmonizer.load(path, engine="onnxruntime", device="cpu") as harmonizer:
        expected = harmonizer(hu)
    engine = SmallMemoryEngine(HarmonizationModel.open(path), room)
    with Harmonizer(engine) as harmonizer:
        assert (harmonizer(hu) == expected).all()
        assert harmonizer.batch_size == 8
        assert harmonizer.fitting_batch_size == fitting
        assert set(engine.batches) == {fitting}  # also the last one, which is filled up


def test_without_room_for_one_slice_there_is_an_error(path):
    engine = SmallMemoryEngine(HarmonizationModel.open(path), 0)
    with Harmonizer(engine) as harmonizer, pytest.raises(DeviceMemoryError):
        harmonizer(noise(4, 16, 16))
