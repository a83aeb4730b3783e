"""Batches of slices: threads that do not start, and errors that concern one slice."""

import threading

import numpy as np
import pytest
from pydicom.uid import JPEGLSLossless
from support.dicom_phantoms import uid, write_ct

from rgan_sdk import _core
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.batches import BatchReader
from rgan_sdk.dicom.read.pydicom_reader import read_slice


@pytest.fixture
def files(tmp_path):
    """Five compressed slices."""
    for number in range(5):
        attributes = {"SOPInstanceUID": uid(8, number), "ImagePositionPatient": [0, 0, number]}
        write_ct(tmp_path / f"{number}.dcm", syntax=JPEGLSLossless, **attributes)
    return find_series(tmp_path).series[0].slices


@pytest.mark.parametrize("started", [0, 1])
def test_decoding_goes_on_without_the_threads_that_do_not_start(files, monkeypatch, started):
    start, calls = threading.Thread.start, []

    def refuse(thread):
        calls.append(thread)
        if len(calls) > started:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    hu = np.zeros((5, 16, 16), np.float32)
    sources = BatchReader(4).read(files, hu)
    assert len(calls) == started + 1
    assert all(isinstance(source, _core.SourceSlice) for source in sources)
    assert np.array_equal(hu, [read_slice(file.path).hu for file in files])


def test_any_error_concerns_one_slice(files, monkeypatch):
    expected = np.stack([read_slice(file.path).hu for file in files])

    def fail(path, stamp):
        if path == files[2].path:
            raise ZeroDivisionError
        return read_slice(path, stamp)

    # Slices in a transfer syntax that the native reader does not know go to pydicom.
    monkeypatch.setattr(_core.SourceSlice, "is_encoded", False)
    monkeypatch.setattr("rgan_sdk.dicom.slices.table.read_slice", fail)
    hu = np.zeros((5, 16, 16), np.float32)
    sources = BatchReader(2).read(files, hu)
    bad = [index for index, source in enumerate(sources) if isinstance(source, Exception)]
    assert bad == [2]
    good = [0, 1, 3, 4]
    assert np.array_equal(hu[good], expected[good])
