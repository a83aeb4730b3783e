"""docs/python.md has all of the interface that it is about. Its programs run in tests/docs."""

import re
from pathlib import Path

from rgan_sdk import Observer

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()


def test_the_table_of_observers_is_complete():
    methods = {name for name in vars(Observer) if name.startswith("on_")}
    assert set(re.findall(r"^\| `(on_\w+)\(", PAGE, re.MULTILINE)) == methods
