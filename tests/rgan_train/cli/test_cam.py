import numpy as np
import pytest
import torch
from PIL import Image
from support.training import settings, train

from rgan_train.cam import judge_slice
from rgan_train.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def run(pairs_csv, tmp_path_factory):
    path = tmp_path_factory.mktemp("cam") / "run"
    done = train("fit", pairs_csv, "-o", path, *settings(["training.epochs=1"]))
    assert done.exit_code == 0, done.output
    return path


def test_a_picture(run, tmp_path):
    shown = train("cam", run, "-o", tmp_path / "cam.png", "--window", "-1200,300")
    assert shown.exit_code == 0, shown.output
    assert "of the pixels are hot (above th_fail = 0.5)" in shown.output
    pixels = np.asarray(Image.open(tmp_path / "cam.png").convert("RGB"), int)
    assert pixels.shape[1] > 1500
    colored = np.abs(pixels[..., 0] - pixels[..., 2]) > 100
    assert colored.mean() > 0.005


def test_where_it_goes_by_default(run):
    assert train("cam", run).exit_code == 0
    assert (run / "cam.png").stat().st_size > 10_000


def test_what_is_shown_is_the_run_s_own_judgement(run):
    judged = judge_slice(RunFolder(run), 0, "last")
    assert judged.cam.shape == judged.source.shape == judged.target.shape == (64, 64)
    assert (judged.cam.min(), judged.cam.max()) == (0, pytest.approx(1))
    assert not np.array_equal(judged.harmonized, judged.source)
    assert torch.is_grad_enabled()


def test_no_such_slice(run):
    refused = train("cam", run, "--slice", "7")
    assert refused.exit_code == 1
    assert "the run has 1 validation slices" in refused.stderr


def test_a_run_without_a_discriminator(pairs_csv, tmp_path):
    plain = settings(["training.epochs=1", "loss.adversarial_weight=0"])
    assert train("fit", pairs_csv, "-o", tmp_path / "run", *plain).exit_code == 0
    refused = train("cam", tmp_path / "run")
    assert refused.exit_code == 1
    assert "trained no discriminator" in refused.stderr


def test_not_a_run(tmp_path):
    refused = train("cam", tmp_path)
    assert refused.exit_code == 1
    assert "holds no training run" in refused.stderr
