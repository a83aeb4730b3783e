"""One bad slice in a batch: only its series fails, and the others get the pixels they should."""

from types import SimpleNamespace

import numpy as np
import pytest
from onnx import helper, numpy_helper
from pydicom import dcmread
from support.models import make_model, make_series_card, write_model
from support.native import DERIVATION
from support.runs import contents, harmonize, read_report, write_inputs

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.batches import BatchReader
from rgan_sdk.engines.base import Engine
from rgan_sdk.errors import DeviceMemoryError, InferenceError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import INPUT_NAME, OUTPUT_NAME, HarmonizationModel
from rgan_sdk.run.blame import harmonize_batch, read_batch
from rgan_sdk.run.jobs import BatchItem, SeriesJob

BAD, WORSE, FLAT = -2001, -2002, -2003


class MoodyEngine(Engine):
    """Gives other values in a batch of another size, and cannot bear some slices."""

    name = "moody"
    version = "1"

    def __init__(self, model, room=99, accidents=0):
        super().__init__(model, "cpu")
        self.room, self.accidents, self.batches = room, accidents, []

    def _infer(self, hu, pixel_spacing):
        if len(hu) > self.room:
            raise DeviceMemoryError("too many slices")
        self.batches.append(len(hu))
        if self.accidents > 0:
            self.accidents -= 1
            raise InferenceError("the device has hiccups")
        if WORSE in hu:
            raise ZeroDivisionError
        out = hu + np.float32(len(hu))
        out[hu == BAD] = np.nan
        out[(hu == FLAT).any(axis=(1, 2, 3))] = 0
        return out


@pytest.fixture
def make(tmp_path):
    model = HarmonizationModel.open(write_model(tmp_path / "m.onnx"))
    return lambda size=8, **mood: Harmonizer(MoodyEngine(model, **mood), size, ("spacing",))


@pytest.fixture
def jobs(tmp_path):
    """Four series of two slices."""
    write_inputs(tmp_path / "in", series=4, slices=2, size=64)
    found = find_series(tmp_path / "in").series
    return [SeriesJob(series, DERIVATION, tmp_path / "out") for series in found]


def items_of(jobs):
    return [BatchItem(job, file) for job in jobs for file in job.series.slices]


def images(*marks):
    """Return a slice of noise for each mark, which is one of its pixels; no mark is None."""
    hu = np.random.default_rng(0).normal(0, 300, (len(marks), 10, 14)).astype(np.float32)
    for index, mark in enumerate(marks):
        if mark is not None:
            hu[index, 3, 5] = mark
    return hu


@pytest.mark.parametrize(
    ("mark", "error"), [(BAD, InferenceError), (FLAT, InferenceError), (WORSE, ZeroDivisionError)]
)
@pytest.mark.parametrize("place", range(8))
def test_only_the_series_of_the_bad_slice_fails(make, jobs, mark, error, place):
    harmonizer, hu = make(), images(*[None] * 8)
    expected = harmonizer(hu)
    hu[place, 3, 5] = mark
    harmonize_batch(harmonizer, items_of(jobs), hu)
    for number, job in enumerate(jobs):
        if number == place // 2:
            assert isinstance(job.error, error)
        else:
            assert job.error is None
            both = slice(2 * number, 2 * number + 2)
            assert np.array_equal(hu[both], expected[both])
    assert set(harmonizer.engine.batches) == {8}


def test_the_message_names_the_file(make, jobs):
    hu = images(None, None, None, BAD, None, None, None, None)
    harmonize_batch(make(), items_of(jobs), hu)
    path = jobs[1].series.slices[1].path
    assert str(jobs[1].error) == f"{path}: moody on cpu: the output holds NaN or infinite values"


def test_several_bad_slices_fail_several_series(make, jobs):
    harmonizer, hu = make(), images(BAD, BAD, None, None, WORSE, None, None, FLAT)
    expected = harmonizer(images(*[None] * 8))
    harmonize_batch(harmonizer, items_of(jobs), hu)
    assert [job.error is None for job in jobs] == [False, True, False, False]
    assert np.array_equal(hu[2:4], expected[2:4])


def test_a_failure_that_does_not_come_again_harms_nobody(make, jobs):
    hu = images(*[None] * 8)
    expected = make()(hu)
    harmonize_batch(make(accidents=1), items_of(jobs), hu)
    assert all(job.error is None for job in jobs)
    assert np.array_equal(hu, expected)


def test_a_device_that_is_gone_fails_each_series_after_few_tries(make, jobs):
    harmonizer = make(accidents=99)
    harmonize_batch(harmonizer, items_of(jobs), images(*[None] * 8))
    assert all("hiccups" in str(job.error) for job in jobs)
    assert len(harmonizer.engine.batches) == 1 + len(jobs)


@pytest.mark.parametrize("place", range(8))
def test_a_lack_of_memory_halves_the_batch_and_blames_nobody(make, jobs, place):
    """What was computed before the bad slice came must not be computed once more."""
    harmonizer, hu = make(room=3), images(*[None] * 8)
    expected = make(size=2)(hu)
    hu[place, 3, 5] = BAD
    harmonize_batch(harmonizer, items_of(jobs), hu)
    assert [job.error is None for job in jobs] == [number != place // 2 for number in range(4)]
    assert harmonizer.fitting_batch_size == 2
    others = [index for index in range(8) if index // 2 != place // 2]
    assert np.array_equal(hu[others], expected[others])
    assert set(harmonizer.engine.batches) == {2}


def test_without_room_for_one_slice_all_fail(make, jobs):
    harmonize_batch(make(room=0), items_of(jobs), images(*[None] * 8))
    assert all(isinstance(job.error, DeviceMemoryError) for job in jobs)


def test_reading_blames_single_files_too(jobs):
    files = [item.file for item in items_of(jobs)]
    hu, expected = np.zeros((8, 64, 64), np.float32), np.zeros((8, 64, 64), np.float32)
    reader = BatchReader(2)
    reader.read(files, expected)

    def read(some, out):
        if files[3] in some:
            raise ZeroDivisionError
        return reader.read(some, out)

    sources = read_batch(SimpleNamespace(read=read), files, hu)
    assert [isinstance(source, Exception) for source in sources] == [i == 3 for i in range(8)]
    others = [0, 1, 2, 4, 5, 6, 7]
    assert np.array_equal(hu[others], expected[others])


def write_delicate_model(path):
    """Write a model that makes NaN of pixels of 1234 HU: there it divides nothing by nothing."""
    model = make_model(make_series_card())
    model.graph.node[-1].output[0] = "blurred_hu"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1234), "delicate"))
    model.graph.node.extend(
        [
            helper.make_node("Sub", [INPUT_NAME, "delicate"], ["difference"]),
            helper.make_node("Div", ["zero", "difference"], ["nothing"]),
            helper.make_node("Add", ["blurred_hu", "nothing"], [OUTPUT_NAME]),
        ]
    )
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("slices", [[0], [1, 2]])
def test_a_run_fails_one_patient_only(tmp_path, monkeypatch, engine, slices):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    model = write_delicate_model(tmp_path / "m.onnx")
    write_inputs(tmp_path / "in", series=4, slices=3, size=64)
    report = tmp_path / "report.json"

    def run(out):
        options = ("--engine", engine, "--device", "cpu", "--batch-size", "8", "--report", report)
        result = harmonize("run", tmp_path / "in", out, "--model", model, *options)
        return result.exit_code, read_report(report)

    assert run(tmp_path / "good")[0] == 0
    names = [sorted((tmp_path / "in" / "2").iterdir())[index] for index in slices]
    for path in names:
        dataset = dcmread(path)
        stored = dataset.pixel_array.copy()
        stored[9, 9] = 1234 - int(dataset.RescaleIntercept)
        dataset.PixelData = stored.tobytes()
        dataset.save_as(path)
    code, told = run(tmp_path / "out")
    assert code == 3
    assert told["summary"]["series"] == {"done": 3, "skipped": 0, "failed": 1}
    (reason,) = [one["reason"] for one in told["series"] if one["status"] == "failed"]
    assert reason.startswith(f"2/{names[0].name}: ")
    assert "NaN or infinite" in reason
    good, others = contents(tmp_path / "good"), contents(tmp_path / "out")
    assert len(others) == 9
    assert all(good[name] == content for name, content in others.items())
