"""Two groups of different patients: what a network learns from."""

import pytest
from support.groups import write_series
from support.kernels import chests, exponential

from rgan_train.matching.groups import open_group
from rgan_train.matching.measurement import measure

SOFT, SHARP = exponential(3.5, 2.0), exponential(5.5, 2.0)
COUNT = 8


@pytest.fixture(scope="session")
def soft_and_sharp(tmp_path_factory):
    root = tmp_path_factory.mktemp("cohort")
    write_series(root / "soft", chests(SOFT, 0.8, COUNT, seed=1), "SOFT", 1)
    sharp = chests(SHARP, 0.7, COUNT, seed=2, noise=5.0)
    write_series(root / "sharp", sharp, "SHARP", 2, 0.7, SliceThickness=1)
    return root


@pytest.fixture(scope="session")
def sharpening(soft_and_sharp):
    return measure(
        open_group("source", [soft_and_sharp / "soft"]),
        open_group("target", [soft_and_sharp / "sharp"]),
    )
