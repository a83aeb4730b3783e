"""Options that several commands share."""

import os

import pytest

from rgan_sdk.errors import ConfigurationError
from rgan_train.cli.options import files_by_name, split_model


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        ("lr=0.1/m.onnx", "", "lr=0.1/m.onnx"),
        ("mine=lr=0.1/m.onnx", "mine", "lr=0.1/m.onnx"),
        ("epoch=3-step=100.onnx", "", "epoch=3-step=100.onnx"),
        ("a=b=epoch=3-step=100.onnx", "a=b", "epoch=3-step=100.onnx"),
        ("=plain.onnx", "", "plain.onnx"),
        ("a=b=plain.onnx", "a=b", "plain.onnx"),
        ("lr=0.1=b40f-to-b70f", "lr=0.1", "b40f-to-b70f"),
        ("b40f-to-b70f", "", "b40f-to-b70f"),
        ("mine=nowhere.onnx", "", "mine=nowhere.onnx"),
        ("lr=0.1", "", "lr=0.1"),
    ],
)
def test_a_model_with_equals_signs(tmp_path, monkeypatch, text, name, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=0.1").mkdir()
    for file in ("lr=0.1/m.onnx", "epoch=3-step=100.onnx", "plain.onnx"):
        (tmp_path / file).touch()
    assert split_model(text) == (name, path)


def test_models_are_called_after_their_files():
    models = ["runs/first.fp16.onnx", "b40f-to-b70f", os.fsdecode(b"M\xfcller.onnx")]
    assert list(files_by_name(models)) == ["first.fp16", "b40f-to-b70f", "M?ller"]
    with pytest.raises(ConfigurationError, match="two models would be called 'first'"):
        files_by_name(["a/first.onnx", "b/first.onnx"])
