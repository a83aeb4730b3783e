import dataclasses
import json

import pytest

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.hu import HUWindow
from rgan_train.config import Config, DataConfig, DomainConfig, TrainingConfig


def test_the_defaults_are_the_paper():
    config = Config()
    assert config.optimizer.learning_rate == 1e-4
    assert config.optimizer.beta1 == 0.5
    assert config.training.epochs == 30
    assert config.training.crop == 0
    assert config.data.window == (-1024.0, 1000.0)
    assert (config.generator.encoder, config.generator.output) == ("vgg19", "direct")
    assert config.generator.stem_channels == 0


def test_each_table_and_key_is_in_the_json():
    tables = json.loads(Config().to_json())
    assert list(tables) == [field.name for field in dataclasses.fields(Config)]
    assert list(tables["data"]) == [field.name for field in dataclasses.fields(DataConfig)]


def test_the_window_is_a_range_of_hu():
    assert DataConfig(window=(-500.0, 500.0)).hu_range == HUWindow(-500.0, 500.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_jitter": 0.5}, "training.kernel_jitter = 0.5: must be 0 or more, below 0.5"),
        ({"source_mtf": (3.5,)}, "two numbers, or empty"),
        ({"max_minutes": -1.0}, "training.max_minutes = -1.0: must be 0 or more"),
    ],
)
def test_values_are_checked_at_construction(changes, message):
    with pytest.raises(ConfigurationError, match=message):
        TrainingConfig(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"finest": 0.2}, "domain.finest = 0.2: must be from 0.25 to 1"),
        ({"finest": 1.1}, "domain.finest = 1.1: must be from 0.25 to 1"),
        ({"coarsest": 1.0}, "domain.coarsest = 1.0: must be above 1, at most 4"),
        ({"native_share": 1.5}, "domain.native_share = 1.5: must be from 0 to 1"),
        ({"added_noise": -1.0}, "domain.added_noise = -1.0: must be 0 or more"),
    ],
)
def test_a_domain_that_makes_no_sense(changes, message):
    with pytest.raises(ConfigurationError, match=message):
        DomainConfig(**changes)
