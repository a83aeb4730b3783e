"""The Python in docs/python.md runs as it stands."""

import re
from pathlib import Path

import pytest

from rgan_sdk.dicom.synthetic.sample import write_sample_series

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()


def snippets():
    return re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    for kernel in ("B40f", "B70f"):
        write_sample_series(tmp_path / "scans" / kernel, kernel, slices=3, size=64)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_series(workplace, capsys):
    exec(snippets()[0], {})
    assert capsys.readouterr().out == "3 Harmonized from convolution kernel B40f to B70f by \n"
    assert len(list(workplace.glob("*.dcm"))) == 3


def test_many_series(workplace, capsys):
    exec(snippets()[1], {})
    first, second = capsys.readouterr().out.splitlines()
    assert first.rstrip() == "done 3"
    assert second.startswith("skipped 0 ConvolutionKernel (0018,1210) is B70f, the target")
    assert len(snippets()) == 2


def test_the_table_of_observers_is_complete():
    from rgan_sdk import Observer

    methods = {name for name in vars(Observer) if name.startswith("on_")}
    assert set(re.findall(r"^\| `(on_\w+)\(", PAGE, re.MULTILINE)) == methods
