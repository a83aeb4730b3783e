"""Files from the tests of other projects: a data set in memory ends as its file does."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread
from support.requirements import require_data

from rgan_sdk.dicom.header import read_header
from rgan_sdk.dicom.memory.datasets import take_slice
from rgan_sdk.dicom.read.pydicom_reader import convert_dataset, read_slice
from rgan_sdk.errors import DicomError

NO_PIXELS = "PixelData is missing"


def outcome(call, *arguments):
    try:
        return call(*arguments)
    except DicomError as error:
        return f"{type(error).__name__} {error}"


def look(dataset):
    keys = list(dataset.keys())
    return [id(dataset.get_item(tag, keep_deferred=True)) for tag in keys]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_each_ends_as_its_file_does():
    taken = refused = 0
    for path in sorted(require_data("odd_and_malformed").rglob("*")):
        try:
            dataset = dcmread(path)
        except Exception:  # so nobody has it in memory
            continue
        before = look(dataset)
        expected, found = outcome(read_header, path), outcome(take_slice, dataset, str(path))
        assert look(dataset) == before
        if isinstance(expected, str):
            found = found.replace(f"{path}: ", "", 1)
            assert found == expected or (NO_PIXELS in found and NO_PIXELS in expected)
            refused += 1
            continue
        own = found.dataset
        assert replace(found, stamp=expected.stamp) == expected
        expected, found = outcome(read_slice, path), outcome(convert_dataset, own, path)
        if isinstance(expected, str):
            assert found == expected
        else:
            assert np.array_equal(found.hu, expected.hu)
            assert np.array_equal(found.stored, expected.stored)
            taken += 1
    assert taken > 40
    assert refused > 250
