"""Batches of slices: threads that do not start, and errors that concern one slice."""

import threading

import numpy as np
import pytest
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, RLELossless
from support.dicom_phantoms import stored_values, uid, write_ct

from rgan_sdk import _core
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.batches import BatchReader, read_hu
from rgan_sdk.dicom.read.padding import PADDING_HU, find_padding
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.errors import UnreadableFileError


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


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEGLSLossless])
@pytest.mark.parametrize("signed", [False, True])
def test_hu_and_padding_of_one_slice_are_those_that_pydicom_gives(tmp_path, syntax, signed):
    stored = stored_values(signed=signed)
    declared = {"PixelPaddingValue": int(stored[0, 0]), "PixelPaddingRangeLimit": int(stored[1, 2])}
    path = write_ct(tmp_path / "x", stored, syntax=syntax, **declared)
    source = read_slice(path)
    padding = find_padding(source.hu, source.padding)
    assert 0 < padding.sum() < padding.size
    expected = np.where(padding, PADDING_HU, source.hu)
    assert np.array_equal(read_hu(path, source.hu.shape), expected)
    assert np.array_equal(read_hu(path, (3, 4)), expected)


def test_one_slice_that_cannot_be_read(tmp_path):
    with pytest.raises(UnreadableFileError, match="absent"):
        read_hu(tmp_path / "absent", (16, 16))


def test_padding_is_marked_in_a_slice_of_the_same_size_only(tmp_path):
    path = write_ct(tmp_path / "x", stored_values())
    hu = np.empty((1, *read_slice(path).hu.shape), np.float32)
    (native,) = _core.read_batch([(bytes(path), None)], hu, _core.ThreadPool(1))
    with pytest.raises(ValueError, match="must have its size"):
        native.fill_padding(hu[0, 1:], 0.0)
