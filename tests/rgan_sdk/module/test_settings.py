"""Settings come from ``task.json`` or from the command line; whatever is not known is refused."""

import json
import re
from pathlib import Path

import pytest
from support.mercure import PATIENT, write_input

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.module.settings import KINDS, ModuleSettings, read_task


def test_one_model_is_enough():
    settings = ModuleSettings.parse({"model": "b40f-to-b70f"})
    assert settings == ModuleSettings(model=("b40f-to-b70f",))
    assert settings.device == ("auto",)


def test_json_and_the_command_line_say_the_same():
    values = {
        "model": ["a.onnx", "b.onnx"],
        "target_kernel": "B70f",
        "engine": "onnxruntime",
        "device": ["cuda:0", "cuda:1"],
        "include_target": True,
        "outside_domain": ["spacing", "kernel"],
        "strict_kernel": True,
        "assume_hu": False,
    }
    texts = {
        "model": "a.onnx,b.onnx",
        "target_kernel": "B70f",
        "engine": "onnxruntime",
        "device": "cuda:0, cuda:1",
        "include_target": "true",
        "outside_domain": "spacing,kernel",
        "strict_kernel": "True",
        "assume_hu": "false",
    }
    assert set(values) == set(KINDS)
    settings = ModuleSettings.parse(values)
    assert settings == ModuleSettings.parse(texts)
    options = settings.options
    assert options.outside_domain == {"spacing", "kernel"}
    assert (options.include_target, options.strict_kernel, options.assume_hu) == (True, True, False)


def test_the_page_has_settings_that_are_valid_and_names_them_all():
    page = (Path(__file__).parents[3] / "docs" / "containers.md").read_text()
    shown = [json.loads(text) for text in re.findall(r'^\{"model".*\}$', page, re.MULTILINE)]
    assert [len(ModuleSettings.parse(values).model) for values in shown] == [1, 2]
    table = page.partition("| setting |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(KINDS)


@pytest.mark.parametrize("values", [{}, {"target_kernel": "B70f"}, {"model": []}])
def test_no_model_is_chosen_for_a_site(values):
    with pytest.raises(ConfigurationError, match=r"no model is named.*b40f-to-b70f, b70f-to-b40f"):
        ModuleSettings.parse(values)


def test_unknown_settings_are_named_and_the_known_listed():
    with pytest.raises(ConfigurationError) as caught:
        ModuleSettings.parse({"model": "a", "sigma": 7, "kernle": "B70f"})
    assert str(caught.value) == (
        "unknown settings: kernle, sigma; there are model, target_kernel, engine, device, "
        "include_target, outside_domain, strict_kernel, assume_hu"
    )


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("model", 7, "7 is neither a text nor a list of texts"),
        ("model", ["a", None], "None is no text"),
        ("model", "a,,b", "'' is no text"),
        ("target_kernel", ["B70f"], "['B70f'] is no text"),
        ("device", {"cuda": 0}, "{'cuda': 0} is neither a text nor a list of texts"),
        ("include_target", "yes", "'yes' is neither true nor false"),
        ("strict_kernel", 1, "1 is neither true nor false"),
    ],
)
def test_values_of_another_type_are_refused(name, value, wrong):
    with pytest.raises(ConfigurationError) as caught:
        ModuleSettings.parse({"model": "a", name: value})
    assert str(caught.value) == f"setting {name}: {wrong}"


def test_an_unknown_domain_is_refused():
    settings = ModuleSettings.parse({"model": "a", "outside_domain": "age"})
    with pytest.raises(ConfigurationError, match="outside_domain: no 'age'; valid are kernel"):
        _ = settings.options


def test_settings_are_those_of_the_task(tmp_path):
    assert read_task(tmp_path) == {}
    write_input(tmp_path, {"model": "a"})
    assert read_task(tmp_path) == {"model": "a"}


@pytest.mark.parametrize("process", [{}, None, {"settings": {}}, {"settings": None}])
def test_a_task_may_have_no_settings(tmp_path, process):
    (tmp_path / "task.json").write_text(json.dumps({"process": process}))
    assert read_task(tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (f'{{"patient": "{PATIENT}", ', "cannot be read as JSON"),
        (b"\xff\xfe\x00", "cannot be read as JSON"),
        (json.dumps([PATIENT]), "'process' must be an object"),
        (json.dumps({"process": [{"settings": {"model": PATIENT}}]}), "'process' must be an"),
        (json.dumps({"process": {"settings": [PATIENT]}}), "'settings' must be an object"),
    ],
)
def test_a_task_of_another_form_is_refused_without_a_word_of_it(tmp_path, content, wrong):
    path = tmp_path / "task.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError) as caught:
        read_task(tmp_path)
    assert str(caught.value).startswith(f"{path}: {wrong}")
    assert PATIENT not in str(caught.value)
