import numpy as np
import pytest

from rgan_sdk.dicom.read.padding import fill_padding, find_padding


def test_values_below_air_are_padding_whatever_the_file_says():
    hu = np.array([[-3024, -2048, -2000, -1500, -1024, -1000, 40]], np.float32)
    assert find_padding(hu).tolist() == [[True, True, True, False, False, False, False]]


def test_declared_padding_counts_too():
    hu = np.array([[-2000, -1024, 40]], np.float32)
    assert find_padding(hu, np.array([[False, True, False]])).tolist() == [[True, True, False]]


def test_padding_is_filled_from_the_nearest_pixel():
    hu = np.array([[0, 0, 0], [0, 1, 2], [3, 0, 4]], np.float32)
    padding = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0]], np.bool_)
    assert fill_padding(hu, padding).tolist() == [[1, 1, 2], [1, 1, 2], [3, 4, 4]]


@pytest.mark.parametrize("everywhere", [True, False])
def test_nothing_to_fill(everywhere):
    hu = np.ones((2, 2), np.float32)
    assert fill_padding(hu, np.full((2, 2), everywhere)) is hu
