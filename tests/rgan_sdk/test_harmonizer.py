"""Arrays in, arrays out: padding, batching, cropping, and bad pixels."""

import numpy as np
import pytest
from support.models import blur, make_card, make_domain_card, write_model
from support.threads import call_at_once

import rgan_sdk
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine
from rgan_sdk.errors import ConfigurationError, DeviceMemoryError, InferenceError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel

CARD = make_domain_card(multiple=8)
SPACING = 0.8


@pytest.fixture
def path(tmp_path):
    return write_model(tmp_path / "m.onnx", CARD)


def noise(*shape):
    return np.random.default_rng(0).normal(0, 300, shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (16, 24), (33, 8)])
def test_any_size_is_padded_by_its_edge_and_cropped(path, shape):
    hu = noise(3, *shape)
    with Harmonizer.load(path, device="cpu") as harmonizer:
        out = harmonizer(hu, pixel_spacing=SPACING)
    below, right = -shape[0] % 8, -shape[1] % 8
    padded = np.pad(hu, ((0, 0), (0, below), (0, right)), mode="edge")
    expected = blur(padded, CARD, SPACING)[:, : shape[0], : shape[1]]
    assert out.shape == hu.shape
    assert np.abs(out - expected).max() < 1e-3


def test_one_slice_and_a_stack_of_one_agree(path):
    hu = noise(20, 20)
    with Harmonizer.load(path, device="cpu") as harmonizer:
        assert (
            harmonizer(hu, pixel_spacing=SPACING)
            == harmonizer(hu[np.newaxis], pixel_spacing=SPACING)[0]
        ).all()


def test_an_empty_stack_stays_empty(path):
    with Harmonizer.load(path, device="cpu") as harmonizer:
        assert harmonizer(noise(0, 16, 16), pixel_spacing=SPACING).shape == (0, 16, 16)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_input_that_is_not_finite_is_refused(path, value):
    hu = noise(16, 16)
    hu[3, 3] = value
    with (
        Harmonizer.load(path, device="cpu") as harmonizer,
        pytest.raises(InferenceError, match="NaN or infinite"),
    ):
        harmonizer(hu, pixel_spacing=SPACING)


def test_other_shapes_are_refused(path):
    harmonizer = Harmonizer.load(path, engine="identity")
    with pytest.raises(InferenceError, match="expected"):
        harmonizer(noise(2, 1, 16, 16), pixel_spacing=SPACING)


def test_a_constant_result_is_refused(path, monkeypatch):
    with Harmonizer.load(path, device="cpu") as harmonizer:
        monkeypatch.setattr(harmonizer.engine, "_infer", lambda hu, _: np.zeros_like(hu))
        assert (harmonizer(np.zeros((16, 16), np.float32), pixel_spacing=SPACING) == 0).all()
        with pytest.raises(InferenceError, match="constant"):
            harmonizer(noise(16, 16), pixel_spacing=SPACING)


def test_the_pixel_spacing_decides_what_is_computed(path):
    hu = noise(16, 16)
    with Harmonizer.load(path, device="cpu") as harmonizer:
        for spacing in (0.6, np.float32(0.9)):
            out = harmonizer(hu, pixel_spacing=spacing)
            assert np.abs(out - blur(hu[np.newaxis], CARD, spacing)[0]).max() < 1e-3


def test_a_pixel_spacing_is_needed(path):
    harmonizer = Harmonizer.load(path, engine="identity", outside_domain=["spacing"])
    with pytest.raises(ConfigurationError, match=r"mm: harmonizer\(hu, pixel_spacing=0\.7\)"):
        harmonizer(HU)
    with pytest.raises(ConfigurationError, match="pixel_spacing must be Real or None, not str"):
        harmonizer(HU, pixel_spacing="0.7")
    with pytest.raises(InferenceError, match="a finite positive number"):
        harmonizer(HU, pixel_spacing=0)


@pytest.mark.parametrize("spacing", [0.599, 0.902, np.nan, np.inf, -0.7])
def test_a_pixel_spacing_outside_the_card_is_refused(path, spacing):
    harmonizer = Harmonizer.load(path, engine="identity", outside_domain=("kernel",))
    with pytest.raises(
        ConfigurationError, match=rf'from 0\.6 to 0\.9 mm, not for {spacing} mm.*"spacing"'
    ):
        harmonizer(HU, pixel_spacing=spacing)
    assert harmonizer.with_batch_size(2).outside_domain == ("kernel",)


@pytest.mark.parametrize("spacing", [0.5995, 0.6, 0.9, 0.9008])
def test_rounded_pixel_spacings_are_inside_the_card(path, spacing):
    assert Harmonizer.load(path, engine="identity")(HU, pixel_spacing=spacing).shape == HU.shape


def test_a_pixel_spacing_outside_the_card_can_be_accepted(path):
    hu = noise(16, 16)
    with Harmonizer.load(path, device="cpu", outside_domain={"spacing"}) as harmonizer:
        out = harmonizer.with_batch_size(2)(hu, pixel_spacing=1.2)
    assert np.abs(out - blur(hu[np.newaxis], CARD, 1.2)[0]).max() < 1e-3


@pytest.mark.parametrize("spacing", [None, 0.7])
def test_a_model_that_states_no_pixel_spacings_must_be_accepted(tmp_path, spacing):
    old = write_model(tmp_path / "old.onnx", make_card())
    harmonizer = Harmonizer.load(old, engine="identity")
    with pytest.raises(ConfigurationError, match="format 1 and states no pixel spacings; accept"):
        harmonizer(HU, pixel_spacing=spacing)
    accepting = Harmonizer.load(old, engine="identity", outside_domain=("spacing",))
    assert accepting(HU, pixel_spacing=spacing).shape == HU.shape


@pytest.mark.parametrize("names", [("spacing", "thickness"), ["Spacing"], "spacing", 5, None])
def test_only_known_names_can_be_accepted(path, names):
    with pytest.raises(ConfigurationError, match="outside_domain"):
        Harmonizer.load(path, engine="identity", outside_domain=names)


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

    def _infer(self, hu, pixel_spacing):
        if len(hu) > self.room:
            raise DeviceMemoryError("too many slices")
        self.batches.append(len(hu))
        return super()._infer(hu, pixel_spacing)


@pytest.mark.parametrize(("room", "fitting"), [(8, 8), (7, 4), (3, 2), (1, 1)])
def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_lost(path, room, fitting):
    hu = noise(11, 16, 16)
    with Harmonizer.load(path, engine="onnxruntime", device="cpu") as harmonizer:
        expected = harmonizer(hu, pixel_spacing=SPACING)
    engine = SmallMemoryEngine(HarmonizationModel.open(path), room)
    with Harmonizer(engine) as harmonizer:
        assert (harmonizer(hu, pixel_spacing=SPACING) == expected).all()
        assert harmonizer.batch_size == 8
        assert harmonizer.fitting_batch_size == fitting
        assert set(engine.batches) == {fitting}  # also the last one, which is filled up


def test_without_room_for_one_slice_there_is_an_error(path):
    engine = SmallMemoryEngine(HarmonizationModel.open(path), 0)
    with Harmonizer(engine) as harmonizer, pytest.raises(DeviceMemoryError):
        harmonizer(noise(4, 16, 16), pixel_spacing=SPACING)


@pytest.mark.parametrize("engine", ["identity", "onnxruntime", "openvino"])
def test_threads_get_their_own_images(path, engine):
    images = [noise(5, 33, 20), noise(5, 33, 20)[::-1], noise(40, 17), noise(2, 8, 64)]
    with Harmonizer.load(path, engine=engine, device="cpu", batch_size=2) as harmonizer:
        alone = [harmonizer(hu, pixel_spacing=SPACING) for hu in images]
        together = call_at_once(
            [
                lambda hu=hu: [harmonizer(hu, pixel_spacing=SPACING) for _ in range(10)]
                for hu in images
            ]
        )
    for outputs, expected in zip(together, alone, strict=True):
        assert all(np.array_equal(output, expected) for output in outputs)


def test_threads_halve_the_batch_size_once_for_all_of_them(path):
    hu = noise(11, 16, 16)
    with Harmonizer.load(path, engine="onnxruntime", device="cpu") as harmonizer:
        expected = harmonizer(hu, pixel_spacing=SPACING)
    for _ in range(20):
        engine = SmallMemoryEngine(HarmonizationModel.open(path), 3)
        with Harmonizer(engine) as harmonizer:
            outputs = call_at_once([lambda: harmonizer(hu, pixel_spacing=SPACING)] * 4)
            assert harmonizer.fitting_batch_size == 2
            assert set(engine.batches) == {2}
        assert all(np.array_equal(output, expected) for output in outputs)


HU = noise(4, 16, 24)


@pytest.mark.parametrize(
    ("make_out", "message"),
    [
        (lambda hu: np.empty((4, 24, 16), np.float32), "must be float32"),
        (lambda hu: np.empty((4 * 16, 24), np.float32), "must be float32"),
        (lambda hu: np.empty((1, 4, 16, 24), np.float32), "must be float32"),
        (lambda hu: np.empty((5, 16, 24), np.float32), "must be float32"),
        (lambda hu: np.empty(hu.shape, np.float64), "not float64"),
        (lambda hu: np.empty(hu.shape, np.int16), "not int16"),
        (lambda hu: np.empty(hu.shape, ">f4"), "not >f4"),
        (lambda hu: np.broadcast_to(np.float32(0), hu.shape), "cannot be written to"),
        (lambda hu: hu[::-1], "shares memory with hu"),
        (lambda hu: hu[:, :, ::-1], "shares memory with hu"),
        (lambda hu: hu.tolist(), "must be ndarray, not list"),
        (lambda hu: "out", "must be ndarray, not str"),
    ],
)
def test_an_out_that_will_not_do_is_refused(path, make_out, message):
    hu = HU.copy()
    with (
        Harmonizer.load(path, engine="onnxruntime", device="cpu") as harmonizer,
        pytest.raises(ConfigurationError, match=message),
    ):
        harmonizer(hu, make_out(hu), pixel_spacing=SPACING)
    assert np.array_equal(hu, HU)


def test_an_out_that_is_shifted_against_the_input_is_refused(path):
    both = noise(5, 16, 24)
    with (
        Harmonizer.load(path, engine="onnxruntime", device="cpu") as harmonizer,
        pytest.raises(ConfigurationError, match="shares memory"),
    ):
        harmonizer(both[:-1], both[1:], pixel_spacing=SPACING)


@pytest.mark.parametrize("engine", ["identity", "onnxruntime"])
@pytest.mark.parametrize(
    "make_out",
    [
        lambda hu: hu,
        lambda hu: hu[:],
        np.empty_like,
        lambda hu: np.empty((4, 24, 16), np.float32).transpose(0, 2, 1),
        lambda hu: np.empty((8, 16, 48), np.float32)[::2, :, 1::2],
        lambda hu: np.empty(hu.shape, np.float32)[::-1, ::-1],
    ],
)
def test_an_out_of_any_strides_is_filled(path, engine, make_out):
    hu = HU.copy()
    out = make_out(hu)
    with Harmonizer.load(path, engine=engine, device="cpu", batch_size=3) as harmonizer:
        expected = harmonizer(HU, pixel_spacing=SPACING)
        assert harmonizer(hu, out, pixel_spacing=SPACING) is out
        assert np.array_equal(out, expected)
        one = make_out(HU.copy())[0]
        assert np.array_equal(harmonizer(HU[0], one, pixel_spacing=SPACING), expected[0])


@pytest.mark.parametrize("engine", ["identity", "onnxruntime"])
def test_views_between_each_other_do_not_overlap(path, engine):
    both = np.zeros((4, 16, 48), np.float32)
    both[:, :, ::2] = HU
    with Harmonizer.load(path, engine=engine, device="cpu") as harmonizer:
        harmonizer(both[:, :, ::2], both[:, :, 1::2], pixel_spacing=SPACING)
        assert np.array_equal(both[:, :, 1::2], harmonizer(HU, pixel_spacing=SPACING))


@pytest.mark.parametrize(
    "hu",
    [
        None,
        "an image",
        b"an image",
        5,
        {},
        object(),
        [[1.0, 2.0], [3.0]],
        [["-1000", "40"]],
        np.ones((16, 16), bool),
        np.ones((16, 16), complex),
        np.full((16, 16), "40"),
        np.full((16, 16), 40, object),
        np.zeros((16, 0)),
        np.zeros((2, 1, 16, 16)),
    ],
)
def test_what_is_no_image_is_refused(path, hu):
    with (
        Harmonizer.load(path, engine="identity") as harmonizer,
        pytest.raises(InferenceError, match="expected"),
    ):
        harmonizer(hu, pixel_spacing=SPACING)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float16, np.float64, ">i2", list])
def test_all_numbers_are_converted(path, kind):
    hu = np.arange(-1000, 1000, 5).reshape(20, 20)
    given = hu.tolist() if kind is list else hu.astype(kind)
    with Harmonizer.load(path, engine="onnxruntime", device="cpu") as harmonizer:
        assert np.array_equal(
            harmonizer(given, pixel_spacing=SPACING),
            harmonizer(hu.astype(np.float32), pixel_spacing=SPACING),
        )
