"""What has moved can still be imported from its earlier place, and says where it is now."""

import importlib

import pytest

from rgan_sdk.dicom import inventory
from rgan_train.evaluation.regions.masks import read


def test_what_has_moved_is_found_at_its_earlier_place():
    with pytest.warns(DeprecationWarning, match=r"rgan_sdk\.dicom\.inventory"):
        from rgan_sdk.dicom.series import find_series
    assert find_series is inventory.find_series
    with pytest.warns(DeprecationWarning, match=r"regions\.masks\.read"):
        moved = importlib.reload(importlib.import_module("rgan_train.evaluation.masks"))
    assert moved.read_masks is read.read_masks
