from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from support.padding import corners, pad_files
from support.training import open_dataset, write_pair_of_scans

from rgan_sdk.dicom.read import batches
from rgan_sdk.dicom.read import pydicom_reader as dicom_reader
from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_sdk.errors import TrainingError
from rgan_train.pairs.samples import SliceReader, WholeSlices


@pytest.fixture(scope="module")
def dataset(scans):
    return open_dataset(scans)


def test_memory_is_bounded(dataset):
    reader = SliceReader(cache_mb=0)
    reader.read(dataset.train[0])
    assert reader.cached_bytes == 0
    reader = SliceReader(cache_mb=1)
    for item in dataset.train:
        reader.read(item)
    assert reader.cached_bytes == 2 * len(dataset.train) * 64 * 64 * 4


def test_nan_in_a_slice(dataset, monkeypatch):
    monkeypatch.setattr(batches, "read_hu", lambda path, shape: np.full(shape, np.nan, np.float32))
    with pytest.raises(TrainingError, match=r"00\.dcm: has NaN"):
        SliceReader(1).read(dataset.train[0])


def test_a_slice_that_cannot_be_read_is_named_with_its_folder(tmp_path):
    item = open_dataset(write_pair_of_scans(tmp_path, size=16)).train[0]
    item.source.write_bytes(item.source.read_bytes()[:-100])
    with pytest.raises(TrainingError) as caught:
        SliceReader(1).read(item)
    assert str(caught.value).startswith(f"{item.source}: PixelData cannot be decoded")


def test_source_and_target_are_read_from_their_files(dataset):
    files = dataset.train[0]
    sample = SliceReader(1).read(files)
    for hu, path in zip(sample, (files.source, files.target), strict=True):
        assert hu.dtype == np.float32
        assert np.array_equal(hu, dicom_reader.read_slice(path).hu)
    assert not np.array_equal(*sample)


def test_threads_share_one_bounded_cache(dataset):
    slices, reader = dataset.train * 30, SliceReader(cache_mb=1)
    reader._limit = 5 * 64 * 64 * 4
    held = []

    def read(files):
        sample = reader.read(files)
        held.append(reader.cached_bytes)
        return sample

    with ThreadPoolExecutor(4) as pool:
        samples = list(pool.map(read, slices))
    assert max(held) <= reader._limit + 4 * 64 * 64 * 4
    assert reader.cached_bytes == sum(hu.nbytes for hu in reader._cache.values()) <= reader._limit
    for files, sample in zip(slices, samples, strict=True):
        assert all(map(np.array_equal, sample, SliceReader(0).read(files)))


def test_a_slice_of_another_size(dataset):
    with pytest.raises(TrainingError, match=r"\(64, 64\) pixels, expected \(32, 64\)"):
        SliceReader(1).read(replace(dataset.train[0], rows=32))


def test_a_target_that_is_kept_as_an_array(dataset, tmp_path):
    hu = np.arange(64 * 64, dtype=np.float32).reshape(64, 64)
    np.save(tmp_path / "target.npy", hu)
    files = replace(dataset.train[0], target=tmp_path / "target.npy")
    assert np.array_equal(SliceReader(1).read(files).target_hu, hu)


def test_whole_slices_are_read_when_asked_for(dataset):
    reader = SliceReader(10)
    slices = WholeSlices(dataset.train, reader)
    assert (len(slices), reader.cached_bytes) == (len(dataset.train), 0)
    part = slices[2:4]
    assert (len(part), reader.cached_bytes) == (2, 0)
    assert np.array_equal(part[0].source_hu, reader.read(dataset.train[2]).source_hu)
    assert reader.cached_bytes == 2 * 64 * 64 * 4


@pytest.mark.parametrize("folders", ["*", "1-B40f", "1-B70f"])
@pytest.mark.parametrize(
    ("hu", "attributes"),
    [(-2000, {"PixelPaddingValue": -2000}), (-3024, {}), (200, {"PixelPaddingValue": 200})],
)
def test_padding_of_either_image_is_alike_in_both(tmp_path, folders, hu, attributes):
    root = write_pair_of_scans(tmp_path)
    item = open_dataset(root).train[0]
    plain = SliceReader(1).read(item)
    padding = corners(64)
    for folder in root.glob(folders):
        pad_files(folder, padding, hu, **attributes)
    sample = SliceReader(1).read(item)
    for found, before in zip(sample, plain, strict=True):
        assert (found[sample.padding] == PADDING_HU).all()
        assert np.array_equal(found[~sample.padding], before[~sample.padding])
    assert (sample.padding >= padding).all()
    assert (hu == 200) or np.array_equal(sample.padding, padding)
