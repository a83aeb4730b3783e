"""What a student is taught, and what its run remembers of its teacher."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from support.models import make_card, make_domain_card, write_model
from support.training import open_dataset, tiny_config, weights

from rgan_sdk.card import TrainingData, hash_series
from rgan_sdk.errors import ConfigurationError, OutputError, TrainingError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.hu import HUWindow
from rgan_sdk.model import HarmonizationModel
from rgan_train.config import Config
from rgan_train.evaluation.metrics.image_quality import psnr
from rgan_train.export.export import export_run, load_graph
from rgan_train.networks.graph import harmonize_slice
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset
from rgan_train.pairs.samples import SliceReader
from rgan_train.training import Job, RunFolder, fit
from rgan_train.training.distillation import StudentFolder, check_student, student_config, teach

READER = SliceReader(64)
COMPACT = ("method.name=compact", "compact.channels=4", "compact.layers=3")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A model file that blurs."""
    return HarmonizationModel.open(write_model(tmp_path_factory.mktemp("teacher") / "blur.onnx"))


@pytest.fixture
def job(scans, pairs_csv, teacher, tmp_path):
    def make(name, *assignments, teacher=teacher):
        run = StudentFolder(tmp_path / name, teacher)
        return Job(
            tiny_config(*COMPACT, *assignments), open_dataset(scans), read_pairs(pairs_csv), run
        )

    return make


def ignore(*reports):
    pass


def run_taught(work):
    taught, _ = teach(work, work.folder, ignore)
    fit(taught, ignore)
    return work.folder


def images(items, kind):
    return [getattr(READER.read(item), f"{kind}_hu") for item in items]


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_training_slices_have_the_teachers_output_as_target(job, teacher, weight):
    work = job("run", f"distillation.teacher_weight={weight}")
    calls = []
    taught, _ = teach(work, work.folder, lambda *call: calls.append(call))
    before, after = work.dataset, taught.dataset
    with Harmonizer.load(
        teacher.source, engine="onnxruntime", device="cpu", outside_domain=("spacing",)
    ) as harmonizer:
        outputs = [harmonizer(hu) for hu in images(before.train, "source")]
    real = images(before.train, "target")
    for got, output, target in zip(images(after.train, "target"), outputs, real, strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, weight * output + (1 - weight) * target, atol=1e-3)
        assert not np.allclose(got, target, atol=1)
    count = len(before.train) + len(before.validation)
    assert calls == [(number, count) for number in range(count + 1)]


def test_all_else_sees_the_real_target(job):
    work = job("run")
    taught, _ = teach(work, work.folder, ignore)
    before, after = work.dataset, taught.dataset
    assert (after.validation, after.test) == (before.validation, before.test)
    assert after.sha256() == before.sha256()
    count = len(before.train) + len(before.validation)
    assert f"mm on {count} of {count} slices" in after.notes[-1]
    sources = zip(images(after.train, "source"), images(before.train, "source"), strict=True)
    assert all(np.array_equal(*pair) for pair in sources)


def test_the_teachers_score_is_against_the_real_target(job, teacher):
    work = job("run", "distillation.teacher_weight=0.5")
    _, score = teach(work, work.folder, ignore)
    window = work.config.data.hu_range
    with Harmonizer.load(
        teacher.source, engine="onnxruntime", device="cpu", outside_domain=("spacing",)
    ) as harmonizer:
        figures = [
            psnr(harmonizer(sample.source_hu), sample.target_hu, window)
            for sample in map(READER.read, work.dataset.validation)
        ]
    assert score == pytest.approx(np.mean(figures), abs=1e-3)


def test_the_student_learns_what_the_teacher_does(job, teacher):
    steps = ("optimizer.learning_rate=0.005", "training.steps_per_epoch=250")
    work = job("run", "distillation.teacher_weight=1", *steps)
    run = run_taught(work)
    graph = load_graph(run, work.config, "last")
    with Harmonizer.load(
        teacher.source, engine="onnxruntime", device="cpu", outside_domain=("spacing",)
    ) as harmonizer:
        for hu in images(work.dataset.validation, "source"):
            wanted = harmonizer(hu, pixel_spacing=0.7)
            assert _distance(harmonize_slice(graph, hu, 0.7), wanted) < 0.85 * _distance(hu, wanted)


def _distance(hu, wanted):
    """Away from the edges, where the blurring teacher mixes in zeros."""
    return np.abs(hu - wanted)[2:-2, 2:-2].mean()


def test_a_resumed_run_asks_the_teacher_for_what_is_missing_only(job):
    whole, parts = job("whole", "training.epochs=3"), job("parts", "training.epochs=2")
    run_taught(whole)
    run_taught(parts)
    resumed = replace(parts, config=whole.config, resume=True)
    count = len(parts.dataset.train) + len(parts.dataset.validation)
    calls = []
    teach(resumed, parts.folder, lambda *call: calls.append(call))
    assert calls == [(count, count)]
    parts.folder.teacher_output("train", 2).unlink()
    taught, _ = teach(resumed, parts.folder, lambda *call: calls.append(call))
    assert calls[1:] == [(count - 1, count), (count, count)]
    fit(taught, ignore)
    first, second = weights(whole.folder.path), weights(parts.folder.path)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_run_knows_its_teacher(job, teacher, tmp_path):
    work = job("run")
    run = run_taught(work)
    recorded = run.provenance()["teacher"]
    assert (recorded["name"], recorded["sha256"]) == ("test-blur", teacher.sha256)
    assert "the model is of format 1 and states none" in recorded["notes"][0]
    other = write_model(tmp_path / "other.onnx", make_card(version="2.0.0"))
    stranger = StudentFolder(run.path, HarmonizationModel.open(other))
    with pytest.raises(TrainingError, match="started with another teacher than"):
        teach(replace(work, resume=True), stranger, ignore)


def test_a_run_without_a_teacher_gets_none_later(job):
    work = job("run")
    fit(replace(work, folder=RunFolder(work.folder.path)), ignore)
    with pytest.raises(TrainingError, match=r"another teacher than .*, or with none"):
        teach(replace(work, resume=True), work.folder, ignore)


def test_a_run_that_is_there_is_left_alone(job):
    work = job("run")
    run_taught(work)
    shutil.rmtree(work.folder.path / "teacher")
    with pytest.raises(TrainingError, match="holds a run already"):
        teach(work, work.folder, ignore)
    assert not (work.folder.path / "teacher").exists()


def test_data_of_both_are_named_once(job, tmp_path):
    own = TrainingData("phantom", "CC0-1.0", "")
    file = write_model(tmp_path / "teacher.onnx", make_card(training_data=(own,)))
    run = run_taught(job("run", teacher=HarmonizationModel.open(file)))
    assert export_run(run, tmp_path / "m.onnx").card.training_data == (own,)


def test_series_that_the_teacher_knows_are_on_the_students_card(job, tmp_path):
    known = make_domain_card(series_seen=(hash_series("1.2.3"),))
    file = write_model(tmp_path / "teacher.onnx", known)
    run = run_taught(job("run", teacher=HarmonizationModel.open(file)))
    card = export_run(run, tmp_path / "m.onnx").card
    assert len(card.series_seen) == 3
    assert card.has_seen("1.2.3")


def test_the_teacher_sets_kernels_and_range():
    card = make_card(window=HUWindow(-1032.0, 2008.0))
    data = student_config(card).data
    assert (data.source_kernel, data.target_kernel) == ("B40f", "B70f")
    assert data.window == (-1024.0, 2000.0)
    assert student_config(make_card(source_kernels=("B30f", "B40f"))).data.source_kernel == ""


def test_one_of_several_source_kernels(scans, pairs_csv):
    card = make_card(source_kernels=("b30f", "b40f"))
    config, pairs = student_config(card), read_pairs(pairs_csv)
    check_student(config, card, pairs)
    assert load_dataset(pairs, config.data).source_kernel == "B40f"


@pytest.mark.parametrize(
    ("source", "target"), [("B70f", "B40f"), ("B40f", "B80f"), ("B30f", "B70f")]
)
def test_another_direction_than_the_teachers(pairs_csv, source, target):
    data = replace(Config().data, source_kernel=source, target_kernel=target)
    config = replace(student_config(make_card()), data=data)
    with pytest.raises(ConfigurationError, match="test-blur was made for B40f to B70f; leave"):
        check_student(config, make_card(), read_pairs(pairs_csv))


def test_pairs_of_other_kernels(pairs_csv):
    card = make_card(source_kernels=("UB",), target_kernel="YA")
    with pytest.raises(TrainingError, match=r"made for UB to YA, and no pair .* B40f / B70f"):
        check_student(student_config(card), card, read_pairs(pairs_csv))


def test_a_folder_that_takes_no_files(job, tmp_path):
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(OutputError, match=r"00000\.npy: cannot be written"):
        teach(job("run"), job("run").folder, ignore)
