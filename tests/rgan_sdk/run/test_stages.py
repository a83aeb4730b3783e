"""The stages: batches over several series, back-pressure, and what goes wrong in between."""

import threading
from contextlib import closing

import numpy as np
import pytest
from support.dicom_phantoms import write_series
from support.models import make_series_card, write_model
from support.native import DERIVATION
from support.runs import write_inputs

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_sdk.errors import OutputError, ResourceError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.kernels import soft_tissue_noise
from rgan_sdk.run import stages as stages_module
from rgan_sdk.run.jobs import SeriesJob
from rgan_sdk.run.stages import RING, StageClock, Stages, _join


@pytest.fixture
def harmonizer(tmp_path):
    model = write_model(tmp_path / "m.onnx")
    with Harmonizer.load(model, engine="identity", device="cpu", batch_size=4) as harmonizer:
        yield harmonizer


@pytest.fixture
def series(tmp_path):
    """Three series of three slices, and one of two larger slices."""
    write_inputs(tmp_path / "in", series=3, slices=3, size=64)
    write_sample_series(tmp_path / "in" / "large", "B40f", slices=2, size=96, seed=9)
    found = find_series(tmp_path / "in").series
    return sorted(found, key=lambda series: (series.rows, series.series_instance_uid))


def jobs(series, folder):
    for one in series:
        job = SeriesJob(one, DERIVATION, folder / one.series_instance_uid)
        job.folder.mkdir(parents=True)
        yield job


def stages(harmonizer):
    return Stages([harmonizer], StageClock(), threads=2, durable=False, pictures=True)


def count_calls(harmonizer, monkeypatch):
    infer, shapes = harmonizer.engine._infer, []

    def counting(hu, pixel_spacing):
        shapes.append((hu.shape, hu.__array_interface__["data"][0]))
        return infer(hu, pixel_spacing)

    monkeypatch.setattr(harmonizer.engine, "_infer", counting)
    return shapes


def finish(running):
    with closing(running):
        return [job for progress in running for job in progress.finished]


def test_a_batch_spans_series_but_not_matrix_sizes(harmonizer, series, tmp_path, monkeypatch):
    calls = count_calls(harmonizer, monkeypatch)
    done = finish(stages(harmonizer).run(jobs(series, tmp_path / "out")))
    assert [shape[0] for shape, _ in calls] == [4, 4, 1, 2]
    assert [job.series for job in done] == series
    assert all(job.error is None and job.left == 0 for job in done)
    assert all(len(list(job.folder.iterdir())) == len(job.series.slices) for job in done)
    for job in done:
        assert np.array_equal(*job.middle)


def test_a_series_that_is_left_aside_is_not_read(harmonizer, series, tmp_path, monkeypatch):
    made = list(jobs(series, tmp_path / "out"))
    made[-1].fail(ValueError("a suspect kernel"))
    read, files = stages_module.read_batch, []

    def reading(reader, asked, hu):
        files.extend(asked)
        return read(reader, asked, hu)

    monkeypatch.setattr(stages_module, "read_batch", reading)
    done = finish(stages(harmonizer).run(made))
    assert len(done) == len(series)
    assert files == [file for one in series[:-1] for file in one.slices]
    assert not any(made[-1].folder.iterdir())


def test_a_batch_has_one_pixel_spacing(tmp_path, monkeypatch):
    for number, spacing in enumerate((0.7, 0.7, 0.8)):
        write_series(tmp_path / "in", 3, series=number, PixelSpacing=[spacing, spacing])
    path, calls = write_model(tmp_path / "m.onnx", make_series_card()), []
    with Harmonizer.load(path, engine="identity", device="cpu", batch_size=4) as harmonizer:
        monkeypatch.setattr(
            harmonizer.engine,
            "_infer",
            lambda hu, spacing: (calls.append((len(hu), spacing)), hu)[1],
        )
        finish(stages(harmonizer).run(jobs(find_series(tmp_path / "in").series, tmp_path / "out")))
    assert [(count, round(spacing, 6)) for count, spacing in calls] == [
        (4, 0.7),
        (2, 0.7),
        (3, 0.8),
    ]


def test_the_noise_of_three_slices_is_measured(harmonizer, tmp_path, monkeypatch):
    write_sample_series(tmp_path / "in", "B40f", slices=8, size=256, pixel_spacing=1.4)
    found, seen = find_series(tmp_path / "in").series, []

    def measure(hu, pixel_spacing):
        seen.append((pixel_spacing, soft_tissue_noise(hu, pixel_spacing)))
        return seen[-1][1]

    monkeypatch.setattr("rgan_sdk.run.stages.soft_tissue_noise", measure)
    measuring = stages(harmonizer)
    (done,) = finish(measuring.run(jobs(found, tmp_path / "out")))
    assert len(seen) == 3
    assert [spacing for spacing, _ in seen] == [1.4] * 3
    assert done.noise == [noise for _, noise in seen]
    assert all(5 < noise < 50 for noise in done.noise)


def measure_noise(harmonizer, series, folder, monkeypatch, error):
    def fail(hu, pixel_spacing):
        raise error

    monkeypatch.setattr("rgan_sdk.run.stages.soft_tissue_noise", fail)
    measuring = stages(harmonizer)
    return finish(measuring.run(jobs(series, folder)))


def test_noise_that_cannot_be_measured_fails_no_series(
    harmonizer, series, tmp_path, monkeypatch, caplog
):
    error = ValueError("a bug")
    done = measure_noise(harmonizer, series, tmp_path / "out", monkeypatch, error)
    assert [job.error for job in done] == [None] * 4
    assert [job.noise for job in done] == [[]] * 4
    assert "noise not measured: unexpected ValueError at test_stages.py" in caplog.text


def test_a_lack_of_memory_to_measure_noise_is_one(harmonizer, series, tmp_path, monkeypatch):
    done = measure_noise(harmonizer, series, tmp_path / "out", monkeypatch, MemoryError())
    assert all(isinstance(job.error, MemoryError) for job in done)


@pytest.mark.parametrize("hu", [np.nan, 40.0])
def test_slices_that_show_no_noise_are_harmonized(harmonizer, series, tmp_path, monkeypatch, hu):
    def measure(image, pixel_spacing):
        return soft_tissue_noise(np.full_like(image, hu), pixel_spacing)

    monkeypatch.setattr("rgan_sdk.run.stages.soft_tissue_noise", measure)
    measuring = stages(harmonizer)
    done = finish(measuring.run(jobs(series, tmp_path / "out")))
    assert [job.error for job in done] == [None] * 4
    assert all(noise < 1e-9 for job in done for noise in job.noise)


def test_several_engines_share_the_batches(harmonizer, series, tmp_path, monkeypatch):
    calls = count_calls(harmonizer, monkeypatch)
    with Harmonizer.load(tmp_path / "m.onnx", engine="identity", batch_size=4) as second:
        both_at_work = threading.Barrier(2, timeout=30)
        for each in (harmonizer, second):
            infer = each.engine._infer
            monkeypatch.setattr(
                each.engine,
                "_infer",
                lambda *given, infer=infer: (both_at_work.wait(), infer(*given))[1],
            )
        running = Stages([harmonizer, second], StageClock(), threads=2, durable=False)
        done = finish(running.run(jobs(series, tmp_path / "out")))
    assert len(calls) == 2  # of four batches
    assert sorted(job.series.series_instance_uid for job in done) == sorted(
        one.series_instance_uid for one in series
    )
    assert all(len(list(job.folder.iterdir())) == len(job.series.slices) for job in done)


def test_buffers_are_used_again(harmonizer, tmp_path, monkeypatch):
    write_inputs(tmp_path / "in", series=12, slices=3, size=64)
    calls = count_calls(harmonizer, monkeypatch)
    found = find_series(tmp_path / "in").series
    finish(stages(harmonizer).run(jobs(found, tmp_path / "out")))
    assert len(calls) == 9
    assert len({address for _, address in calls}) <= RING + 1


def test_a_slice_that_cannot_be_read_fails_its_series_only(harmonizer, series, tmp_path):
    victim = series[1].slices[1].path
    victim.write_bytes(victim.read_bytes()[:-100])
    done = finish(stages(harmonizer).run(jobs(series, tmp_path / "out")))
    assert [job.error is None for job in done] == [True, False, True, True]
    assert "changed during the run" in str(done[1].error)


def test_a_folder_that_is_gone_fails_its_series_only(harmonizer, series, tmp_path):
    work = list(jobs(series, tmp_path / "out"))
    work[0].folder.rmdir()
    done = finish(stages(harmonizer).run(work))
    assert isinstance(done[0].error, OutputError)
    assert all(job.error is None for job in done[1:])


def test_an_error_outside_of_any_series_surfaces(harmonizer, series, tmp_path):
    def broken():
        yield from jobs(series[:2], tmp_path / "out")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        finish(stages(harmonizer).run(broken()))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rgan-")]


def test_a_thread_that_cannot_be_started_leaves_none_behind(
    harmonizer, series, tmp_path, monkeypatch
):
    start = threading.Thread.start

    def refuse(thread):
        if thread.name == "rgan-write":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(ResourceError, match="starts no more threads; raise its limit"):
        finish(stages(harmonizer).run(jobs(series, tmp_path / "out")))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rgan-")]


def test_a_second_interrupt_waits_for_the_threads_too(monkeypatch):
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    join, interrupts = threading.Thread.join, iter([KeyboardInterrupt, KeyboardInterrupt])

    def interrupted(self):
        for interrupt in interrupts:
            raise interrupt
        release.set()
        join(self)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _join([thread])
    assert not thread.is_alive()


def test_no_thread_is_left_behind(harmonizer, series, tmp_path):
    with closing(stages(harmonizer).run(jobs(series, tmp_path / "out"))) as running:
        next(running)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rgan-")]


def test_the_busy_time_of_each_stage_is_measured(harmonizer, series, tmp_path):
    clock = StageClock()
    finish(Stages([harmonizer], clock, threads=1, durable=True).run(jobs(series, tmp_path / "out")))
    assert set(clock.busy) == {"read", "infer", "write"}
    assert min(clock.busy.values()) > 0
