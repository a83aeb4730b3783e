"""Whole series, without the command line."""

import pytest
from support.training import write_scan

from rgan_sdk.errors import ConfigurationError, InvalidSeriesError, OutputError
from rgan_sdk.kernels.mtf import KernelMTF
from rgan_train.simulation import KernelChange, open_series, simulate_series

CHANGE = KernelChange(KernelMTF(3.5, 6.5), KernelMTF(7, 11), "B70f", seed=4)


@pytest.fixture
def series(tmp_path):
    return open_series(write_scan(tmp_path / "series", "B40f", slices=3, size=16))


def test_a_change_says_what_it_does():
    expected = "MTF 50 % / 10 % at 3.5 / 6.5 lp/cm changed to 7 / 11, noise of seed 4"
    assert str(CHANGE) == expected


def test_each_slice_is_reported(series, tmp_path):
    calls = []
    clamped = simulate_series(series, tmp_path / "out", CHANGE, lambda: calls.append(1))
    assert len(calls) == len(list((tmp_path / "out").iterdir())) == 3
    assert sum(clamped) == clamped.air  # noise below -1024 HU
    assert open_series(tmp_path / "out").convolution_kernel == "B70f"


def test_the_same_kernel_is_no_change(series, tmp_path):
    same = KernelChange(CHANGE.source, CHANGE.target, "b40F")
    with pytest.raises(ConfigurationError, match="the series itself has kernel B40f"):
        simulate_series(series, tmp_path / "out", same)


def test_the_folder_of_the_series_is_left_alone(series, tmp_path):
    with pytest.raises(OutputError, match="choose one outside"):
        simulate_series(series, tmp_path / "series" / "out", CHANGE)


def test_a_series_without_a_kernel(tmp_path):
    nameless = open_series(write_scan(tmp_path / "series", "", slices=1, size=16))
    with pytest.raises(InvalidSeriesError, match="has no ConvolutionKernel, so it would not"):
        simulate_series(nameless, tmp_path / "out", CHANGE)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_exactly_one_series(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidSeriesError, match="no CT series; give a folder"):
        open_series(tmp_path / "empty")
    with pytest.raises(InvalidSeriesError, match="cannot be searched"):
        open_series(tmp_path / "nowhere")
