"""``rgan-train distill``, end to end on a phantom and in its refusals."""

import pytest
from support.models import make_card, write_model
from support.training import settings, train

from rgan_sdk.model import HarmonizationModel
from rgan_train.config import DomainConfig
from rgan_train.training.run_folder import RunFolder

SMALL = (
    "data.name=phantom",
    "data.licence=CC0-1.0",
    "compact.channels=4",
    "compact.layers=3",
    "training.crop=32",
    "training.batch_size=2",
    "training.steps_per_epoch=3",
    "training.epochs=2",
)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("teacher") / "blur.onnx")


def distill(model, pairs, run, *arguments, set_=SMALL):
    return train("distill", model, pairs, "-o", run, *settings(base=set_), *arguments)


def test_from_a_teacher_to_a_students_student(teacher, pairs_csv, tmp_path):
    done = distill(teacher, pairs_csv, tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert "teacher test-blur: validation PSNR" in done.output
    assert "compact: 1 process(es)" in done.output
    assert "best validation PSNR" in done.output
    exported = train("export", tmp_path / "run", "-o", tmp_path / "student.onnx")
    assert exported.exit_code == 0, exported.output
    card = HarmonizationModel.open(tmp_path / "student.onnx").card
    assert (card.source_kernels, card.target_kernel) == (("B40f",), "B70f")
    assert [data.name for data in card.training_data] == ["phantom", "none"]

    again = distill(tmp_path / "student.fp16.onnx", pairs_csv, tmp_path / "again")
    assert again.exit_code == 0, again.output
    used = HarmonizationModel.open(tmp_path / "student.fp16.onnx").sha256
    assert RunFolder(tmp_path / "again").provenance()["teacher"]["sha256"] == used


def test_file_set_and_resume(teacher, pairs_csv, tmp_path):
    toml = tmp_path / "student.toml"
    toml.write_text("[method]\nname = 'choe'\n[choe]\nchannels = 4\nlayers = 2\n")
    small = [text for text in SMALL if not text.startswith("compact.")]
    run = tmp_path / "run"
    assert distill(teacher, pairs_csv, run, "--config", toml, set_=small).exit_code == 0
    resumed = distill(teacher, pairs_csv, run, "--resume", set_=["training.epochs=3"])
    assert resumed.exit_code == 0, resumed.output
    assert "epoch 3:" in resumed.output
    assert "epoch 2:" not in resumed.output
    config = RunFolder(run).config()
    assert config.choe.channels == 4
    assert config.domain == DomainConfig()  # as recommended for choe, not for compact


def test_another_method_by_set_starts_from_its_own_settings(teacher, pairs_csv, tmp_path):
    small = [text for text in SMALL if not text.startswith("compact.")]
    choe = ("method.name=choe", "choe.channels=4", "choe.layers=2", "training.epochs=1")
    done = distill(teacher, pairs_csv, tmp_path / "run", set_=[*small, *choe])
    assert done.exit_code == 0, done.output
    assert RunFolder(tmp_path / "run").config().optimizer.learning_rate == 1e-3


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("data.source_kernel=B70f", "test-blur was made for B40f to B70f"),
        ("loss.l1_weight=50", "loss.l1_weight: the method compact does not read it"),
        ("distillation.teacher_weight=2", "distillation.teacher_weight = 2.0: must be from 0 to 1"),
    ],
)
def test_settings_that_make_no_sense(teacher, pairs_csv, tmp_path, assignment, told):
    refused = distill(teacher, pairs_csv, tmp_path / "run", "--set", assignment)
    assert refused.exit_code == 1
    assert told in refused.stderr
    assert not (tmp_path / "run").exists()


def test_no_model(pairs_csv, tmp_path):
    file = tmp_path / "broken.onnx"
    file.write_bytes(b"not a model")
    refused = distill(file, pairs_csv, tmp_path / "run")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "broken.onnx: not an ONNX" in refused.stderr
    assert "no such model file" in distill("nowhere", pairs_csv, tmp_path / "run").stderr


def test_pairs_of_other_kernels(pairs_csv, tmp_path):
    card = make_card(source_kernels=("UB",), target_kernel="YA")
    other = write_model(tmp_path / "philips.onnx", card)
    refused = distill(other, pairs_csv, tmp_path / "run")
    assert refused.exit_code == 1
    assert "made for UB to YA, and no pair has these kernels" in refused.stderr


def test_fit_has_no_teacher(pairs_csv, tmp_path):
    command = ("fit", pairs_csv, "-o", tmp_path / "run", "--method", "compact")
    refused = train(*command, "--set", "distillation.teacher_weight=0.25")
    assert refused.exit_code == 1
    assert "distillation.teacher_weight: the method compact does not read it" in refused.stderr


def test_help():
    shown = train("distill", "--help")
    assert shown.exit_code == 0
    assert "rgan-train distill b40f-to-b70f.onnx pairs.csv" in shown.output
