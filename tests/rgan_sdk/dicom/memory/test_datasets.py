"""Data sets in memory are judged as files are, and stay as they were."""

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    MPEG2MPML,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGExtended12Bit,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
)
from support.dicom_phantoms import ct_dataset, save, stored_values, uid, write_ct, write_series

from rgan_sdk.dicom.header import read_header
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.memory.datasets import collect_series, series_uid, take_slice
from rgan_sdk.errors import (
    ConfigurationError,
    DicomError,
    IneligibleError,
    InvalidSeriesError,
    UnreadableFileError,
)

SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    RLELossless,
    JPEGLSLossless,
]

FAULTS = [
    {"RescaleSlope": None, "RescaleIntercept": None},
    {"RescaleSlope": 0},
    {"RescaleType": "OD"},
    {"PixelSpacing": None},
    {"PixelSpacing": [0.7, -0.7]},
    {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
    {"ImagePositionPatient": None},
    {"SOPInstanceUID": None},
    {"SeriesInstanceUID": None},
    {"SOPClassUID": MRImageStorage},
    {"Modality": "MR"},
    {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
    {"BitsAllocated": 32},
    {"BitsStored": 13},
    {"PixelData": b"\0" * 100},
]


def look(dataset: Dataset) -> dict[int, int]:
    """Return which objects a data set holds: to read an element puts another in its place."""
    keys = list(dataset.keys())
    return {int(tag): id(dataset.get_item(tag, keep_deferred=True)) for tag in keys}


def reasons(path, dataset) -> list[tuple[type, str]]:
    """Return what is raised for a file and for the same data set in memory."""
    with pytest.raises(DicomError) as file:
        read_header(path)
    with pytest.raises(DicomError) as memory:
        take_slice(dataset, "datasets[0]")
    return [(each.type, str(each.value)) for each in (file, memory)]


@pytest.mark.filterwarnings("ignore:::pydicom")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: " ".join(fault))
def test_a_fault_has_the_message_of_the_file(tmp_path, fault):
    path = write_ct(tmp_path / "slice.dcm", **fault)
    (kind, reason), (same_kind, same_reason) = reasons(path, dcmread(path))
    assert issubclass(kind, same_kind)
    assert same_kind in (IneligibleError, InvalidSeriesError, UnreadableFileError)
    assert same_reason == f"datasets[0]: {reason}"


def test_pixels_that_cannot_be_decoded(tmp_path):
    path = write_ct(tmp_path / "slice.dcm")
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = MPEG2MPML
    with pytest.raises(UnreadableFileError, match=r"datasets\[4\]: .*MPEG2.*not supported"):
        take_slice(dataset, "datasets[4]")
    dataset = ct_dataset(stored_values(signed=True), bits_stored=12)
    save(path, dataset)
    dataset.file_meta.TransferSyntaxUID = JPEGExtended12Bit
    with pytest.raises(UnreadableFileError, match="holds no signed values"):
        take_slice(dataset, "datasets[4]")


@pytest.mark.parametrize("content", [None, b""])
def test_there_are_no_pixels(tmp_path, content):
    dataset = dcmread(write_ct(tmp_path / "slice.dcm"))
    dataset.PixelData = content
    with pytest.raises(UnreadableFileError, match=r"datasets\[0\]: .*PixelData"):
        take_slice(dataset, "datasets[0]")
    del dataset.PixelData
    with pytest.raises(UnreadableFileError, match="PixelData is missing"):
        take_slice(dataset, "datasets[0]")


def test_a_data_set_that_was_made_here_needs_a_transfer_syntax(tmp_path):
    dataset = ct_dataset()
    with pytest.raises(InvalidSeriesError, match=r"TransferSyntaxUID \(0002,0010\) is missing"):
        take_slice(dataset, "datasets[0]")
    dataset.file_meta = dcmread(write_ct(tmp_path / "slice.dcm")).file_meta
    dataset.file_meta.TransferSyntaxUID = "1.2.3"
    with pytest.raises(InvalidSeriesError, match="is not a transfer syntax"):
        take_slice(dataset, "datasets[0]")
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    (series,) = collect_series([dataset], assume_hu=False).series
    assert np.array_equal(series.slices[0].read().stored, stored_values())


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_it_is_the_series_of_the_files_and_nothing_changes(tmp_path, syntax):
    paths = write_series(tmp_path, syntax=syntax, PixelPaddingValue=7)
    datasets = [dcmread(path) for path in paths]
    before = [(look(dataset), look(dataset.file_meta)) for dataset in datasets]
    (found,) = find_series(tmp_path).series
    collected = collect_series(datasets, assume_hu=False)
    (series,) = collected.series
    assert collected.order == tuple(uid(1, 1, number) for number in (1, 2, 3))
    assert [file.sop_instance_uid for file in series.slices] == [
        file.sop_instance_uid for file in found.slices
    ]
    assert [str(file.path) for file in series.slices] == [f"datasets[{i}]" for i in (2, 1, 0)]
    for name in vars(found).keys() - {"slices"}:
        assert getattr(series, name) == getattr(found, name)
    for mine, file in zip(series.slices, found.slices, strict=True):
        assert mine.position == file.position
        for _ in range(2):
            read, expected = mine.read(), file.read()
            assert np.array_equal(read.hu, expected.hu)
            assert np.array_equal(read.stored, expected.stored)
            assert np.array_equal(read.padding, expected.padding)
            assert read.dataset == expected.dataset
    assert [(look(dataset), look(dataset.file_meta)) for dataset in datasets] == before


@pytest.mark.parametrize("is_read", [False, True])
def test_what_the_caller_does_afterwards_does_not_matter(tmp_path, is_read):
    (path,) = write_series(tmp_path, 1)
    dataset = dcmread(path)
    if is_read:  # then pydicom changes its elements in place
        assert len(str(dataset)) > 0
    (series,) = collect_series([dataset], assume_hu=False).series
    dataset.RescaleSlope = 2
    dataset.PixelData = b""
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    assert np.array_equal(series.slices[0].read().hu, stored_values() - np.float32(1024))


def test_what_was_left_in_the_file_is_read(tmp_path):
    (path,) = write_series(tmp_path, 1)
    dataset = dcmread(path, defer_size=10)
    (series,) = collect_series([dataset], assume_hu=False).series
    path.unlink()
    assert np.array_equal(series.slices[0].read().stored, stored_values())
    dataset = dcmread(write_ct(path), defer_size=10)
    path.unlink()
    with pytest.raises(UnreadableFileError, match=r"datasets\[0\]: .*defer_size"):
        collect_series([dataset], assume_hu=False)


def test_slices_that_do_not_belong_together(tmp_path):
    first = [dcmread(path) for path in write_series(tmp_path, 2, series=1)]
    second = [dcmread(path) for path in write_series(tmp_path, 2, series=2)]
    with pytest.raises(InvalidSeriesError, match="more than one SeriesInstanceUID; give one"):
        collect_series([*first, *second], assume_hu=False)
    with pytest.raises(InvalidSeriesError, match=r"occurs twice: datasets\[1\] and datasets\[2\]"):
        collect_series([*first, first[1]], assume_hu=False)
    with pytest.raises(InvalidSeriesError, match="a series without slices"):
        collect_series([], assume_hu=False)
    second[1].SeriesInstanceUID, second[1].StudyInstanceUID = uid(1, 1), uid(7)
    with pytest.raises(InvalidSeriesError, match="more than one study"):
        collect_series([first[0], second[1]], assume_hu=False)


@pytest.mark.parametrize("wrong", [None, "slice.dcm", np.zeros(3), b"", {}])
def test_something_else_than_a_data_set(tmp_path, wrong):
    right = dcmread(write_ct(tmp_path / "slice.dcm"))
    with pytest.raises(ConfigurationError, match=r"datasets\[1\] must be Dataset"):
        collect_series([right, wrong], assume_hu=False)


def test_units_that_are_not_stated_are_looked_at(tmp_path):
    (path,) = write_series(tmp_path, 1, RescaleType="US", RescaleIntercept=0)
    dataset = dcmread(path)
    with pytest.raises(InvalidSeriesError, match="RescaleType"):
        collect_series([dataset], assume_hu=False)
    (series,) = collect_series([dataset], assume_hu=True).series
    assert "as --assume-hu says" in series.notes[0]


def test_the_uid_of_what_cannot_be_read(tmp_path):
    dataset = dcmread(write_ct(tmp_path / "slice.dcm", PixelSpacing=None))
    assert series_uid([Dataset(), dataset]) == uid(1, 1)
    assert series_uid([Dataset()]) == ""
