"""Series in memory: what comes out is what a run over folders writes."""

import gc
import io
import threading
import weakref
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)
from support.dicom_phantoms import stored_values, uid, write_series
from support.models import make_series_card, write_model
from support.padding import corners
from support.requirements import require_data
from support.runs import contents
from support.threads import call_at_once

import rgan_sdk as rgan
from rgan_sdk.dicom.read.kernel_guard import Verdict
from rgan_sdk.dicom.synthetic.sample import write_sample_series

TIME = datetime.fromtimestamp(1700000000, UTC)

pytestmark = pytest.mark.filterwarnings("ignore:::pydicom")


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture
def harmonizer(tmp_path):
    path = write_model(tmp_path / "m.onnx", make_series_card())
    with rgan.Harmonizer.load(path, engine="onnxruntime", device="cpu") as harmonizer:
        yield harmonizer


def read(paths) -> list[Dataset]:
    return [dcmread(path) for path in paths]


def as_files(datasets) -> dict[str, bytes]:
    """Return what the data sets are as files, by the path that a run gives them."""
    files = {}
    for dataset in datasets:
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        files[f"{dataset.SeriesInstanceUID}/{dataset.SOPInstanceUID}.dcm"] = buffer.getvalue()
    return files


class Recorder(rgan.SilentObserver):
    def __init__(self):
        self.calls = []

    def on_planned(self, series, slices):
        self.calls.append(("planned", series, slices))

    def on_started(self, series_instance_uid, slices):
        self.calls.append(("started", series_instance_uid, slices))

    def on_written(self, slices):
        self.calls.append(("written", slices))

    def on_finished(self, entry):
        self.calls.append(("finished", entry.series_instance_uid, entry.status))

    def find(self, name):
        return [call for call in self.calls if call[0] == name]


@pytest.mark.parametrize(
    ("syntax", "attributes"),
    [
        (ExplicitVRLittleEndian, {}),
        (ExplicitVRLittleEndian, {"PixelPaddingValue": 7, "PatientName": "Ä^Ö"}),
        (ImplicitVRLittleEndian, {"PixelPaddingValue": 7}),
        (ExplicitVRBigEndian, {}),
        (RLELossless, {}),
        (JPEGLSLossless, {}),
    ],
)
def test_the_files_of_a_run(harmonizer, tmp_path, syntax, attributes):
    stored = stored_values(signed=True, size=32)
    paths = write_series(
        tmp_path / "in", syntax=syntax, stored=stored, bits_stored=12, **attributes
    )
    rgan.harmonize_directory(tmp_path / "in", tmp_path / "out", harmonizer)
    derived = rgan.harmonize_datasets(read(paths), harmonizer)
    assert as_files(derived) == contents(tmp_path / "out")
    assert [each.SourceImageSequence[0].ReferencedSOPInstanceUID for each in derived] == [
        uid(1, 1, number) for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
@pytest.mark.parametrize("padding_hu", [0, 3000])
def test_declared_padding_looks_like_air_to_the_model(harmonizer, tmp_path, syntax, padding_hu):
    mask = corners(32)
    made = {}
    for value in (-2000, padding_hu):
        folder = tmp_path / str(value)
        stored = np.where(mask, value, 50).astype(np.int16)
        declared = {"RescaleIntercept": 0, "PixelPaddingValue": value}
        paths = write_series(folder, 1, syntax=syntax, stored=stored, **declared)
        rgan.harmonize_directory(folder, tmp_path / f"out {value}", harmonizer)
        (content,) = contents(tmp_path / f"out {value}").values()
        made[value] = dcmread(io.BytesIO(content)).pixel_array
        (derived,) = rgan.harmonize_datasets(read(paths), harmonizer)
        assert np.array_equal(derived.pixel_array, made[value])
    assert (made[-2000][~mask] != 50).any()
    assert np.array_equal(made[padding_hu][~mask], made[-2000][~mask])
    assert (made[padding_hu][mask] == padding_hu).all()


def test_the_files_of_a_run_on_real_scans(tmp_path):
    folder = require_data("pair_lungdx_A0002_siemens/B40f")
    paths = sorted(folder.iterdir())[10:13]
    (tmp_path / "in").mkdir()
    for path in paths:
        (tmp_path / "in" / path.name).write_bytes(path.read_bytes())
    with rgan.Harmonizer.load("b40f-to-b70f", engine="onnxruntime", device="cpu") as harmonizer:
        rgan.harmonize_directory(tmp_path / "in", tmp_path / "out", harmonizer)
        derived = as_files(rgan.harmonize_datasets(read(paths), harmonizer))
    written = contents(tmp_path / "out")
    assert derived.keys() == written.keys()
    for name, content in written.items():  # only the lengths of sequences are written differently
        left, right = dcmread(io.BytesIO(content)), dcmread(io.BytesIO(derived[name]))
        assert left == right
        assert left.file_meta == right.file_meta
        assert left.PixelData == right.PixelData


def test_slices_that_differ_make_several_series(harmonizer, tmp_path):
    (one,) = write_series(tmp_path / "in", 1)
    other = {"SOPInstanceUID": uid(1, 1, 9), "ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}
    (tmp_path / "in" / "1-0.dcm").rename(tmp_path / "in" / "first.dcm")
    (two,) = write_series(tmp_path / "in", 1, **other)
    datasets = read([two, one.with_name("first.dcm")])
    rgan.harmonize_directory(tmp_path / "in", tmp_path / "out", harmonizer)
    observer = Recorder()
    derived = rgan.harmonize_datasets(datasets, harmonizer, observer=observer)
    assert as_files(derived) == contents(tmp_path / "out")
    assert len({each.SeriesInstanceUID for each in derived}) == 2
    assert derived[0].ImageOrientationPatient == [0, 1, 0, 0, 0, -1]
    assert observer.calls[0] == ("planned", 2, 2)
    assert [each.datasets for each in rgan.harmonize_stream([datasets], harmonizer)] == [
        tuple(each for each in derived if each.SeriesInstanceUID == series)
        for series in (derived[1].SeriesInstanceUID, derived[0].SeriesInstanceUID)
    ]


@pytest.mark.parametrize(
    ("engine", "kernel"), [("onnxruntime", "B40f"), ("identity", "B40f"), ("onnxruntime", "B70f")]
)
def test_an_entry_says_what_the_report_of_a_run_says(tmp_path, engine, kernel):
    path = write_model(tmp_path / "m.onnx", make_series_card())
    folder = tmp_path / "in"
    paths = write_sample_series(folder, kernel, slices=4, size=256, pixel_spacing=1.4)
    with rgan.Harmonizer.load(path, engine=engine) as harmonizer:
        report = rgan.harmonize_directory(folder, tmp_path / "out", harmonizer)
        (result,) = rgan.harmonize_stream([read(paths)], harmonizer)
    assert result.entry == replace(report.series[0], output=None)
    done = kernel == "B40f"
    assert result.entry.processed is ((engine != "identity") if done else None)
    assert (result.entry.model is not None, result.entry.noise_hu is not None) == (done, done)


def test_a_series_that_is_left_aside_has_a_model(harmonizer, tmp_path, monkeypatch):
    suspect = Verdict("odd", True)
    for module in ("memory.harmonize", "jobs"):
        monkeypatch.setattr(f"rgan_sdk.run.{module}.judge_kernel", lambda series, card: suspect)
    paths = write_series(tmp_path / "in", 2)
    options = rgan.RunOptions(strict_kernel=True)
    report = rgan.harmonize_directory(tmp_path / "in", tmp_path / "out", harmonizer, options)
    (result,) = rgan.harmonize_stream([read(paths)], harmonizer, strict_kernel=True)
    assert result.entry == report.series[0]
    assert (result.entry.status, result.entry.model) == ("skipped", harmonizer.model.card.name)


def test_the_time_is_in_the_uids(harmonizer, tmp_path):
    datasets = read(write_series(tmp_path, 1))
    (now,) = rgan.harmonize_datasets(datasets, harmonizer)
    (same,) = rgan.harmonize_datasets(datasets, harmonizer, timestamp=TIME)
    (later,) = rgan.harmonize_datasets(
        datasets, harmonizer, timestamp=TIME.replace(year=TIME.year + 1)
    )
    assert now == same
    assert now.SOPInstanceUID != later.SOPInstanceUID
    with pytest.raises(rgan.ConfigurationError, match="time zone"):
        rgan.harmonize_datasets(datasets, harmonizer, timestamp=TIME.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"ConvolutionKernel": "B70f"}, "ConvolutionKernel .* is B70f, the target kernel already"),
        ({"PixelSpacing": [0.2, 0.2]}, "PixelSpacing .* is 0.2 mm; the model takes"),
        ({"PixelSpacing": [0.7, 0.8]}, "square"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"RescaleSlope": 0}, "RescaleSlope is 0"),
    ],
)
def test_what_does_not_fit_has_the_reason_of_a_run(harmonizer, tmp_path, attributes, words):
    paths = write_series(tmp_path / "in", 2, **attributes)
    report = rgan.harmonize_directory(tmp_path / "in", tmp_path / "out", harmonizer)
    status = report.files[0].status
    reason = report.series[0].reason if report.series else report.files[0].reason
    with pytest.raises(rgan.DicomError, match=words) as caught:
        rgan.harmonize_datasets(read(paths), harmonizer)
    assert str(caught.value).removeprefix("datasets[0]: ") == reason.removeprefix("1-0.dcm: ")
    assert isinstance(caught.value, rgan.IneligibleError) == (status == "skipped")
    (result,) = rgan.harmonize_stream([read(paths)], harmonizer)
    assert result.datasets == ()
    assert (result.entry.status, result.entry.reason) == (status, str(caught.value))
    assert result.entry.series_instance_uid == uid(1, 1)
    assert result.entry.slices == 2


def test_what_the_harmonizer_accepts_is_accepted(tmp_path):
    path = write_model(tmp_path / "m.onnx", make_series_card())
    datasets = read(write_series(tmp_path, 2, ConvolutionKernel="B70f"))
    with rgan.Harmonizer.load(path, engine="identity", outside_domain=["kernel"]) as harmonizer:
        (result,) = rgan.harmonize_stream([datasets], harmonizer)
    assert result.entry.outside == ("kernel",)
    assert "outside the model's stated domain" in " ".join(result.entry.notes)
    assert "Outside the model's stated domain: kernel" in result.datasets[0].DerivationDescription


def test_a_suspect_kernel(harmonizer, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "rgan_sdk.run.memory.harmonize.judge_kernel", lambda series, card: Verdict("odd", True)
    )
    datasets = read(write_series(tmp_path, 2))
    (result,) = rgan.harmonize_stream([datasets], harmonizer)
    assert (result.entry.status, result.entry.notes[-1]) == ("done", "odd")
    with pytest.raises(rgan.IneligibleError, match="odd"):
        rgan.harmonize_datasets(datasets, harmonizer, strict_kernel=True)


def break_slice(harmonizer, monkeypatch, value):
    """Let the engine return NaN for the slice of this one value."""
    infer = harmonizer.engine._infer

    def breaking(hu, pixel_spacing):
        return np.where(hu == value, np.float32(np.nan), infer(hu, pixel_spacing))

    monkeypatch.setattr(harmonizer.engine, "_infer", breaking)


def test_a_slice_that_cannot_be_computed_is_named(harmonizer, tmp_path, monkeypatch):
    good = read(write_series(tmp_path, 2, series=1))
    bad = read(write_series(tmp_path, 2, series=2))
    bad[1].PixelData = np.full((16, 16), 500, np.uint16).tobytes()
    break_slice(harmonizer, monkeypatch, 500 - 1024)
    with pytest.raises(rgan.InferenceError, match=r"datasets\[1\]: "):
        rgan.harmonize_datasets(bad, harmonizer)
    results = list(rgan.harmonize_stream([bad, good], harmonizer))
    assert [each.entry.status for each in results] == ["failed", "done"]
    assert [len(each.datasets) for each in results] == [0, 2]


def test_a_stream_goes_on_after_a_bad_series(harmonizer, tmp_path):
    one, two = (read(write_series(tmp_path, 2, series=number)) for number in (1, 2))
    bad = read(write_series(tmp_path, 2, series=3, PixelSpacing=None))
    observer = Recorder()
    results = list(rgan.harmonize_stream(iter([one, bad, [], two]), harmonizer, observer=observer))
    assert [each.entry.status for each in results] == ["done", "failed", "failed", "done"]
    assert [each.entry.series_instance_uid for each in results] == [
        uid(1, 1),
        uid(1, 3),
        "",
        uid(1, 2),
    ]
    assert results[1].entry.reason == "datasets[0]: PixelSpacing is missing"
    assert as_files(results[3].datasets) == as_files(rgan.harmonize_datasets(two, harmonizer))
    assert observer.find("planned") == []
    assert observer.find("started") == [("started", uid(1, 1), 2), ("started", uid(1, 2), 2)]
    assert [call[2] for call in observer.find("finished")] == ["done", "failed", "failed", "done"]


def test_a_stream_holds_one_series_at_a_time(harmonizer, tmp_path):
    paths = [write_series(tmp_path, 2, series=number) for number in range(1, 5)]
    taken = []

    def source():
        for each in paths:
            datasets = read(each)
            taken.append(weakref.ref(datasets[0]))
            yield datasets
            del datasets

    for count, result in enumerate(rgan.harmonize_stream(source(), harmonizer), 1):
        assert result.entry.status == "done"
        assert len(taken) == count
        gc.collect()
        assert sum(dataset() is not None for dataset in taken) <= 1
    assert len(taken) == 4


def test_what_is_told_and_in_what_order(harmonizer, tmp_path):
    observer = Recorder()
    rgan.harmonize_datasets(read(write_series(tmp_path)), harmonizer, observer=observer)
    assert observer.calls == [
        ("planned", 1, 3),
        ("started", uid(1, 1), 3),
        ("written", 1),
        ("written", 1),
        ("written", 1),
        ("finished", uid(1, 1), "done"),
    ]


class Setter(Recorder):
    """Sets the event when something is told for the first time."""

    def __init__(self, name, cancel):
        super().__init__()
        self.name, self.cancel = name, cancel

    def on_started(self, series_instance_uid, slices):
        self._set("on_started")

    def on_written(self, slices):
        self._set("on_written")

    def on_finished(self, entry):
        self._set("on_finished")

    def _set(self, name):
        if name == self.name:
            self.cancel.set()


def our_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("rgan-")]


@pytest.mark.parametrize("name", ["on_started", "on_written", "on_finished"])
def test_cancelled(harmonizer, tmp_path, name):
    datasets, cancel = read(write_series(tmp_path)), threading.Event()
    with pytest.raises(rgan.CancelledError, match="as the caller has asked"):
        rgan.harmonize_datasets(datasets, harmonizer, observer=Setter(name, cancel), cancel=cancel)
    stream = rgan.harmonize_stream([datasets], harmonizer, cancel=cancel)
    with pytest.raises(rgan.CancelledError):
        next(stream)
    assert our_threads() == []
    cancel.clear()
    assert len(rgan.harmonize_datasets(datasets, harmonizer, cancel=cancel)) == 3


def test_an_observer_that_raises_stops_it(harmonizer, tmp_path):
    class Angry(rgan.SilentObserver):
        def on_written(self, slices):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        rgan.harmonize_datasets(read(write_series(tmp_path)), harmonizer, observer=Angry())
    assert our_threads() == []


def test_a_stream_that_is_closed_leaves_no_thread(harmonizer, tmp_path):
    datasets = read(write_series(tmp_path))
    stream = rgan.harmonize_stream(iter([datasets] * 3), harmonizer)
    assert next(stream).entry.status == "done"
    stream.close()
    assert our_threads() == []


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("harmonizer", None),
        ("timestamp", 5),
        ("observer", print),
        ("cancel", True),
        ("workers", 0),
        ("assume_hu", "no"),
        ("strict_kernel", 1),
    ],
)
def test_arguments_of_a_wrong_type(harmonizer, name, wrong):
    arguments = {"harmonizer": harmonizer, name: wrong}
    for call in (rgan.harmonize_datasets, rgan.harmonize_stream):
        with pytest.raises(rgan.ConfigurationError, match=name):
            call([], **arguments)
    with pytest.raises(rgan.ConfigurationError, match="series must be Iterable"):
        rgan.harmonize_stream(5, harmonizer)
    with pytest.raises(rgan.ConfigurationError, match=r"series\[0\] must be Iterable"):
        next(rgan.harmonize_stream([5], harmonizer))
    with pytest.raises(rgan.ConfigurationError, match="datasets must be Iterable"):
        rgan.harmonize_datasets(5, harmonizer)


def test_threads_share_a_harmonizer_and_the_data_sets(harmonizer, tmp_path):
    write_sample_series(tmp_path / "large", "B40f", slices=4, size=64)
    inputs = [
        read(write_series(tmp_path, 4, series=1)),
        read(sorted((tmp_path / "large").iterdir())),
    ]
    alone = [as_files(rgan.harmonize_datasets(each, harmonizer)) for each in inputs]
    calls = [lambda each=each: rgan.harmonize_datasets(each, harmonizer) for each in inputs * 2]
    assert [as_files(derived) for derived in call_at_once(calls)] == alone * 2
