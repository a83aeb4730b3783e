"""``rgan_harmonize_stored`` gives the stored values that a run in Python writes."""

import ctypes
import shutil

import numpy as np
import pytest
from pydicom import dcmread
from support.dicom_phantoms import ct_dataset, save, stored_values
from support.librgan import LIBRARY, Engine, LibraryError, Model, check
from support.librgan_stored import INT16, UINT16, format_of, harmonize_stored, make_format
from support.models import make_model, make_series_card
from support.requirements import require_data

import rgan_sdk as rgan
from rgan_sdk.model import HarmonizationModel

BLUR = make_model(make_series_card()).SerializeToString()


@pytest.fixture(scope="module")
def engine():
    with Model(BLUR) as model, Engine(model) as opened:
        yield opened


def cells(dataset):
    """Return the pixel cells of a file as they are there, ``[1, H, W]``."""
    dtype = "<i2" if dataset.PixelRepresentation else "<u2"
    shape = 1, dataset.Rows, dataset.Columns
    return np.frombuffer(dataset.PixelData, dtype).reshape(shape)


def run_in_python(source, model, tmp_path):
    """Return pairs of a file and of what a run makes of it, and how many pixels it clipped."""
    with rgan.Harmonizer.load(model, engine="onnxruntime", device="cpu") as harmonizer:
        report = rgan.harmonize_directory(source, tmp_path / "out", harmonizer)
    assert [series.status for series in report.series] == ["done"], report.series
    written = sorted(
        map(dcmread, (tmp_path / "out").rglob("*.dcm")), key=lambda found: found.InstanceNumber
    )
    sources = sorted(map(dcmread, source.rglob("*.dcm")), key=lambda found: found.InstanceNumber)
    return list(zip(sources, written, strict=True)), report.series[0].clips


HU_LIKE, RAW = (-500, 500), (500, 1500)
CASES = {  # bits stored, most stored values, attributes
    "signed": (16, HU_LIKE, {"RescaleIntercept": 0}),
    "unsigned": (16, RAW, {}),
    "12 bits": (12, RAW, {}),
    "12 bits, signed": (12, HU_LIKE, {"RescaleIntercept": 0}),
    "slope": (16, HU_LIKE, {"RescaleSlope": 0.37, "RescaleIntercept": -3.3}),
    "negative slope": (12, RAW, {"RescaleSlope": -0.5, "RescaleIntercept": 900}),
    "odd intercept": (16, RAW, {"RescaleIntercept": -1023}),
    "clipped": (8, (60, 128), {"RescaleIntercept": 0, "PixelSpacing": [1.4, 1.4]}),
}
PADDINGS = {  # PixelPaddingValue and its limit, as shares of the range of most values
    "none": (),
    "value": (0.5,),
    "range": (0.55, 0.45),
    "beside the image": (-0.05,),
}


def make_slice(case, padding):
    bits, values, attributes = CASES[case]
    stored = stored_values(signed=values is not RAW, bits_stored=bits, size=30)
    stored[4:] = np.random.default_rng(1).integers(*values, (26, 30))
    shares = [int(values[0] + share * (values[1] - values[0])) for share in PADDINGS[padding]]
    keywords = ("PixelPaddingValue", "PixelPaddingRangeLimit")
    declared = dict(zip(keywords, shares, strict=False))
    if shares:
        stored[10:13] = shares[0]
    return ct_dataset(stored, bits_stored=bits, **attributes, **declared)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("case", CASES)
def test_bits_are_those_of_python(case, padding, engine, tmp_path):
    save(tmp_path / "in" / "1.dcm", make_slice(case, padding))
    path = tmp_path / "model.onnx"
    path.write_bytes(BLUR)
    ((source, written),), clips = run_in_python(tmp_path / "in", path, tmp_path)
    found, clipped = harmonize_stored(
        engine, cells(source), format_of(source), source.PixelSpacing[0]
    )
    assert np.array_equal(found, cells(written))
    assert not np.array_equal(found, cells(source))
    assert clipped == clips
    assert (clips > 0) or (case != "clipped" and padding != "range")


def test_padding_that_does_not_fit_bits_stored(engine, tmp_path):
    stored = stored_values(size=30)
    stored[:5] = 63536  # as -2000 in 16 bits
    dataset = ct_dataset(stored, bits_stored=12, PixelPaddingValue=63536)
    save(tmp_path / "in" / "1.dcm", dataset)
    path = tmp_path / "model.onnx"
    path.write_bytes(BLUR)
    ((source, written),), clips = run_in_python(tmp_path / "in", path, tmp_path)
    found, clipped = harmonize_stored(engine, cells(source), format_of(source))
    assert np.array_equal(found, cells(written))
    assert (found[0, :5] == 63536).all()
    assert clipped == clips


@pytest.mark.parametrize(("kernel", "name"), [("B40f", "b40f-to-b70f"), ("B70f", "b70f-to-b40f")])
def test_a_real_scan(kernel, name, tmp_path):
    files = sorted((require_data("pair_lungdx_A0002_siemens") / kernel).glob("*.dcm"))[:3]
    (tmp_path / "in").mkdir()
    for path in files:
        shutil.copy(path, tmp_path / "in")
    pairs, clips = run_in_python(tmp_path / "in", name, tmp_path)
    stored = np.concatenate([cells(source) for source, _ in pairs])
    expected = np.concatenate([cells(written) for _, written in pairs])
    first = pairs[0][0]
    with Model(HarmonizationModel.open(name).content) as model, Engine(model) as engine:
        found, clipped = harmonize_stored(
            engine, stored, format_of(first), first.PixelSpacing[0], any_spacing=True
        )
    assert np.array_equal(found, expected)
    assert clipped == clips


def slices(count=2, dtype=np.int16):
    return np.random.default_rng(0).integers(-1000, 900, (count, 20, 30)).astype(dtype)


def test_it_is_as_harmonizing_hu(engine):
    stored = slices()
    found, clips = harmonize_stored(engine, stored, make_format())
    assert np.array_equal(found, np.rint(engine.harmonize(stored.astype(np.float32), 0.7)))
    assert clips == 0


def test_in_place(engine):
    stored = slices()
    stored_format = make_format(has_padding=1, padding_value=-1000, padding_limit=-900)
    expected, _ = harmonize_stored(engine, stored, stored_format)
    found, _ = harmonize_stored(engine, stored, stored_format, out=stored)
    assert found is stored
    assert np.array_equal(stored, expected)


def test_padding_looks_like_air_to_the_model(engine):
    made = []
    for value in (-2000, 500):
        stored = np.full((1, 20, 30), 50, np.int16)
        stored[:, :5] = value
        stored_format = make_format(has_padding=1, padding_value=value, padding_limit=value)
        found, _ = harmonize_stored(engine, stored, stored_format)
        assert (found[:, :5] == value).all()
        made.append(found[:, 5:])
    assert (made[0][:, 0] < 0).all()
    assert np.array_equal(*made)


def test_no_bits_are_all_bits(engine):
    stored = slices(dtype=np.uint16)
    all_bits, _ = harmonize_stored(engine, stored, make_format(UINT16, bits_stored=16))
    found, _ = harmonize_stored(engine, stored, make_format(UINT16))
    assert np.array_equal(found, all_bits)


def test_no_slices(engine):
    assert harmonize_stored(engine, slices(0), make_format())[1] == 0


def test_what_does_not_fit_is_clipped_and_counted(engine):
    stored = abs(slices() // 8)
    at_most = make_format(bits_stored=8)
    computed = np.rint(engine.harmonize(stored.astype(np.float32), 1.4))
    found, clips = harmonize_stored(engine, stored, at_most, 1.4)
    assert np.array_equal(found, computed.clip(-128, 127))
    assert clips == ((computed < -128) | (computed > 127)).sum() > 0


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"size": 8}, r"set size to sizeof\(rgan_stored_format\)"),
        ({"type": 0}, "type must be RGAN_INT16 or RGAN_UINT16"),
        ({"type": 3}, "type must be"),
        ({"bits_stored": -1}, "bits_stored must be from 1 to 16"),
        ({"bits_stored": 17}, "bits_stored must be from 1 to 16"),
        ({"slope": 0}, "slope must be set to RescaleSlope"),
        ({"slope": np.nan}, "slope must be set"),
        ({"slope": np.inf}, "slope must be set"),
        ({"slope": 1e36}, "slope must be set"),
        ({"intercept": np.nan}, "intercept must be finite"),
        ({"intercept": -np.inf}, "intercept must be finite"),
        ({"intercept": 3e38}, "intercept must be finite"),
        ({"has_padding": 1, "padding_value": 32768}, "must be numbers of the type"),
        ({"has_padding": 1, "padding_limit": -32769}, "must be numbers of the type"),
        ({"type": UINT16, "has_padding": 1, "padding_value": -1}, "must be numbers of the type"),
    ],
)
def test_formats_that_make_no_sense(engine, members, message):
    stored_format = make_format()
    for name, value in members.items():
        setattr(stored_format, name, value)
    stored = slices()
    out = np.full_like(stored, 7)
    with pytest.raises(LibraryError, match=f"INVALID_ARGUMENT: format: .*{message}"):
        harmonize_stored(engine, stored, stored_format, out=out)
    assert (out == 7).all()


def test_slopes_up_to_the_limit(engine):
    limit = float(np.finfo(np.float32).max) / 2
    stored = np.zeros((1, 8, 8), np.int16)
    harmonize_stored(engine, stored, make_format(slope=limit / 65536))
    harmonize_stored(engine, stored, make_format(intercept=limit))


def test_memory_that_overlaps_or_is_not_aligned(engine):
    memory = np.zeros(3 * 600 + 1, np.int16)
    stored = memory[:1200].reshape(2, 20, 30)
    with pytest.raises(LibraryError, match="INVALID_ARGUMENT: out overlaps with stored"):
        harmonize_stored(engine, stored, make_format(), out=memory[30:][:1200])
    odd = memory.view(np.uint8)[1:][:2400]
    with pytest.raises(LibraryError, match="stored and out must be aligned"):
        harmonize_stored(engine, stored, make_format(), out=odd)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": None}, "engine must not be NULL"),
        ({"stored": None}, "stored and out must not be NULL"),
        ({"out": None}, "stored and out must not be NULL"),
        ({"stored_format": None}, "format must not be NULL"),
        ({"rows": 0}, "rows and columns must be positive"),
        ({"columns": 0}, "rows and columns must be positive"),
        ({"rows": 2**20, "columns": 2**20}, "a slice has too many pixels"),
        ({"slices": 2**62}, "there are too many slices"),
    ],
)
def test_arguments_that_make_no_sense(engine, arguments, message):
    memory = np.zeros((2, 4, 4), np.int16)
    given = {
        "engine": engine.pointer,
        "stored": memory[0].ctypes.data,
        "slices": 1,
        "rows": 4,
        "columns": 4,
        "stored_format": ctypes.byref(make_format()),
        "pixel_spacing": 0.7,
        "out": memory[1].ctypes.data,
        "clips": None,
        "options": None,
    }
    check(LIBRARY.rgan_harmonize_stored(*given.values()))
    with pytest.raises(LibraryError, match=f"INVALID_ARGUMENT: {message}"):
        check(LIBRARY.rgan_harmonize_stored(*(given | arguments).values()))


def test_the_spacing_is_mandatory(engine):
    for spacing in (0.0, -1.0, np.nan):
        with pytest.raises(LibraryError, match="INVALID_ARGUMENT: pixel_spacing must be"):
            harmonize_stored(engine, slices(), make_format(), spacing)
    with pytest.raises(LibraryError, match="OUTSIDE_DOMAIN"):
        harmonize_stored(engine, slices(), make_format(), 20)
    harmonize_stored(engine, slices(), make_format(), 20, any_spacing=True)


def test_stopping_leaves_the_others_as_they_were(engine):
    stored = slices(4)
    expected, _ = harmonize_stored(engine, stored, make_format())
    out, calls = np.full_like(stored, 7), []

    def progress(done, total):
        calls.append((done, total))
        return done < 2

    with pytest.raises(LibraryError, match="CANCELLED: stopped by the progress function"):
        harmonize_stored(engine, stored, make_format(), out=out, progress=progress)
    assert calls == [(1, 4), (2, 4)]
    assert np.array_equal(out[:2], expected[:2])
    assert (out[2:] == 7).all()
    stop = ctypes.c_void_p()
    check(LIBRARY.rgan_stop_create(ctypes.byref(stop)))
    LIBRARY.rgan_stop_request(stop)
    with pytest.raises(LibraryError, match="CANCELLED: stopped, as the caller asked"):
        harmonize_stored(engine, stored, make_format(INT16), stop=stop)
    LIBRARY.rgan_stop_release(stop)
