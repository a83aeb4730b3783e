"""``--method``, and what goes with it on the command line."""

from typing import get_args

import pytest
from support.training import train

from rgan_train.config import Config, MethodName, recommended_config
from rgan_train.methods import check_settings
from rgan_train.training.run_folder import RunFolder

DIRECTION = ("--set", "data.source_kernel=B40f", "--set", "data.target_kernel=B70f")


@pytest.mark.parametrize("name", get_args(MethodName))
def test_each_method_has_settings(name):
    config = recommended_config(name)
    assert config.method.name == name
    check_settings(config)
    assert "selection" not in config.curriculum.schedule or name == "radiomicgan"


def test_without_a_method_it_is_the_paper():
    assert recommended_config(None) == Config()
    assert Config().curriculum.schedule == "growing+selection"


def test_method_then_file_then_set(pairs_csv, tmp_path):
    toml = tmp_path / "small.toml"
    toml.write_text("[choe]\nchannels = 4\n[training]\nepochs = 9\ncrop = 32\n")
    command = ["fit", pairs_csv, "-o", tmp_path / "run", *DIRECTION, "--config", toml]
    command += ["--method", "choe", "--set", "training.epochs=1"]
    command += ["--set", "training.steps_per_epoch=2"]
    done = train(*command)
    assert done.exit_code == 0, done.output
    assert "choe: 1 process(es)" in done.output
    config = RunFolder(tmp_path / "run").config()
    assert (config.method.name, config.choe.channels) == ("choe", 4)
    assert (config.training.epochs, config.training.crop) == (1, 32)
    assert config.optimizer.schedule == "cosine"
    # The same command goes on, too.
    assert train(*command, "--resume").exit_code == 0


def test_a_fitted_method(pairs_csv, tmp_path):
    fitted = train("fit", pairs_csv, "-o", tmp_path / "run", "--method", "histogram", *DIRECTION)
    assert fitted.exit_code == 0, fitted.output
    assert "finished after 1 epochs" in fitted.output
    named = ("--data-name", "phantom", "--data-licence", "CC0-1.0")
    exported = train("export", tmp_path / "run", "-o", tmp_path / "curve.onnx", *named)
    assert exported.exit_code == 0, exported.output


def test_slices_too_small_for_the_filter(pairs_csv, tmp_path):
    refused = train("fit", pairs_csv, "-o", tmp_path / "run", "--method", "linear", *DIRECTION)
    assert refused.exit_code == 1
    assert "slices of at least 128x128" in refused.stderr


def test_no_such_method(pairs_csv, tmp_path):
    refused = train("fit", pairs_csv, "-o", tmp_path / "run", "--method", "cyclegan")
    assert refused.exit_code == 2
    assert "'radiomicgan'" in refused.stderr


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("loss.l1_weight=50", "loss.l1_weight: the method choe does not read it"),
        ("generator.widths=[8, 16]", "generator.widths: the method choe"),
        ("method.name=ganai", "--method choe: the configuration names ganai"),
    ],
)
def test_settings_that_would_be_ignored(pairs_csv, tmp_path, assignment, told):
    command = ("fit", pairs_csv, "-o", tmp_path / "run", "--method", "choe", *DIRECTION)
    refused = train(*command, "--set", assignment)
    assert refused.exit_code == 1
    assert told in refused.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["ganai", "stan_ct"])
def test_a_gan_without_adversarial_loss(pairs_csv, tmp_path, name):
    command = ("fit", pairs_csv, "-o", tmp_path / "run", "--method", name, *DIRECTION)
    refused = train(*command, "--set", "loss.adversarial_weight=0")
    assert refused.exit_code == 1
    assert f"{name} needs its discriminator" in refused.stderr
