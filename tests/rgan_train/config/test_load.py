import pytest

from rgan_sdk.errors import ConfigurationError
from rgan_train.config import (
    Config,
    config_from_json,
    config_from_tables,
    differences,
    override_from_text,
    read_toml,
)


def test_json_round_trip():
    config = override_from_text(
        Config(), ["generator.widths=[4, 8]", "data.source_kernel=B 40", "training.flips=true"]
    )
    assert config_from_json(config.to_json()) == config
    assert config != Config()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_toml_with_a_byte_order_mark(tmp_path, encoding):
    path = tmp_path / "c.toml"
    path.write_text("[loss]\r\nl1_weight = 50\r\n", encoding=encoding, newline="")
    assert read_toml(path).loss.l1_weight == 50.0


def test_toml(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('[loss]\nadversarial = "lsgan"\nl1_weight = 50\n[data]\nwindow = [-500, 500]\n')
    config = read_toml(path)
    assert config.loss.adversarial == "lsgan"
    assert config.loss.l1_weight == 50.0
    assert config.data.window == (-500.0, 500.0)
    assert config.training == Config().training


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[loss]\nl2_weight = 1", "valid are l1_weight, adversarial_weight, adversarial"),
        ("[trainer]\nepochs = 1", "valid are method, data, generator"),
        ("training = 3", "training is a table"),
        ('[training]\nepochs = "many"', "training.epochs = 'many': must be of type int"),
        ("[training]\nepochs = true", "training.epochs"),
        ("[training]\nepochs = 0", "1 or more"),
        ('[generator]\nencoder = "resnet"', "vgg19 or vgg19-compact or none"),
        ("[generator]\nwidths = [4]", "generator.widths"),
        ("[data]\nwindow = [1, 2, 3]", "two numbers"),
        ("[data]\nwindow = [5, -5]", "lower below upper"),
        ("[loss]\nl1_weight = 0\nadversarial_weight = 0", "not both 0"),
        ("[loss", "cannot be read as TOML"),
        ("[loss]\n\nl1_weight = 5;\n", "semicolon out of line 3"),
        ("[training]\nepochs = 1; seed = 2\n", "semicolon out of line 2"),
        ('[data]\nname = "a;b"\nwindow = [1;2]\n', "semicolon out of line 3"),
        ('[data]\nsource_kernel = "Br40d\\3"\n', "backslash in line 2 between single quotes"),
    ],
)
def test_what_makes_no_sense_is_named(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message) as error:
        read_toml(path)
    assert "bad.toml" in str(error.value)


def test_a_kernel_of_several_values_is_written_plainly(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text("[data]\nsource_kernel = 'Br40d\\3'\n")
    config = read_toml(path)
    assert config.data.source_kernel == "Br40d\\3"
    assert override_from_text(Config(), ["data.source_kernel=Br40d\\3"]).data == config.data


def test_set_takes_strings_as_they_are():
    config = override_from_text(
        Config(), ["data.source_kernel=30", "training.precision=32-true", "data.train_slices=0-3"]
    )
    assert config.data.source_kernel == "30"
    assert config.data.train_slices == "0-3"


@pytest.mark.parametrize("text", ["epochs=3", "training.epochs", "training.epoch=3", "=", "a.b=1"])
def test_set_that_is_none(text):
    with pytest.raises(ConfigurationError):
        override_from_text(Config(), [text])


def test_later_assignments_win():
    config = override_from_text(Config(), ["training.epochs=3", "training.epochs=4"])
    assert config.training.epochs == 4


def test_differences_name_the_field():
    other = config_from_tables({"training": {"crop": 64}, "loss": {"adversarial": "lsgan"}})
    assert differences(Config(), other) == ["loss.adversarial", "training.crop"]
    assert differences(other, other) == []
