"""Regions that the user gives, on the test slices of a pair."""

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread
from support.boxes import write_boxes
from support.dicom_phantoms import uid
from support.training import list_pairs, write_pair_of_scans

from rgan_sdk.errors import ConfigurationError
from rgan_train.config import DataConfig
from rgan_train.evaluation.regions.given_regions import read_box_regions, read_mask_regions
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset
from rgan_train.pairs.find import open_pairs

DIRECTION = DataConfig(source_kernel="B40f", target_kernel="B70f")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    root = write_pair_of_scans(tmp_path_factory.mktemp("scans"))
    return read_pairs(list_pairs(root))


@pytest.fixture(scope="module")
def dataset(pairs):
    return load_dataset(pairs, DIRECTION, needed=("test",))


def write_mask(path, voxels, pairs):
    """Write a label map on the grid of the first pair."""
    series = open_pairs(pairs)[0][0]
    image = SimpleITK.GetImageFromArray(voxels.astype(np.uint8))
    rows, columns = series.pixel_spacing
    image.SetSpacing([columns, rows, series.slices[1].position - series.slices[0].position])
    image.SetOrigin(series.slices[0].origin)
    SimpleITK.WriteImage(image, str(path))
    return path


def test_a_mask_gives_regions_on_test_slices(pairs, dataset, tmp_path):
    voxels = np.zeros((12, 64, 64), np.bool_)
    voxels[2:11, 10:20, 30:35] = True  # the test slices are 9 to 11
    path = write_mask(tmp_path / "tumour.nii.gz", voxels, pairs)
    rois, notes = read_mask_regions([path], pairs, dataset)
    assert [roi.slice_number for roi in rois] == [0, 1]
    assert len(dataset.test) == 3
    assert all(np.array_equal(roi.mask, voxels[9]) for roi in rois)
    assert notes == []


@pytest.mark.parametrize("way", [("B40f", "B70f"), ("B70f", "B40f")])
def test_positions_of_both_series_may_round_differently(tmp_path, way):
    root = write_pair_of_scans(tmp_path)
    for folder, shift in (("1-B40f", 0.624), ("1-B70f", 0.626)):
        for path in (root / folder).iterdir():
            dataset = dcmread(path)
            dataset.ImagePositionPatient[2] = round(dataset.ImagePositionPatient[2] + shift, 3)
            dataset.save_as(path)
    pairs = read_pairs(list_pairs(root))
    config = DataConfig(source_kernel=way[0], target_kernel=way[1])
    dataset = load_dataset(pairs, config, needed=("test",))
    mask = write_mask(tmp_path / "m.nrrd", np.ones((12, 64, 64), np.bool_), pairs)
    rois, _ = read_mask_regions([mask], pairs, dataset)
    assert len(rois) == len(dataset.test)


def test_a_mask_that_reaches_no_test_slice(pairs, dataset, tmp_path):
    voxels = np.zeros((12, 64, 64), np.bool_)
    voxels[2] = True
    path = write_mask(tmp_path / "tumour.nrrd", voxels, pairs)
    with pytest.raises(ConfigurationError, match=r"tumour.nrrd: no mask reaches a test slice"):
        read_mask_regions([path], pairs, dataset)


def test_a_mask_on_another_grid(pairs, dataset, tmp_path):
    path = write_mask(tmp_path / "small.nrrd", np.ones((12, 65, 64), np.bool_), pairs)
    with pytest.raises(ConfigurationError, match=r"small.nrrd"):
        read_mask_regions([path], pairs, dataset)


def test_masks_of_several_pairs(tmp_path):
    root = write_pair_of_scans(tmp_path, number=1)
    write_pair_of_scans(tmp_path, number=2)
    pairs = read_pairs(list_pairs(root))
    dataset = load_dataset(pairs, DIRECTION, needed=("test",))
    with pytest.raises(ConfigurationError, match="2 are listed"):
        read_mask_regions([tmp_path / "mask.nii"], pairs, dataset)


def test_structures_of_several_files_are_chosen(pairs, dataset, tmp_path):
    voxels = np.zeros((12, 64, 64), np.uint8)
    voxels[9, 10:20, 30:35], voxels[9, 30:40, 30:35] = 3, 4
    paths = [write_mask(tmp_path / name, voxels, pairs) for name in ("a.nrrd", "b.nii")]
    rois, _ = read_mask_regions(paths, pairs, dataset, ["3"])
    assert [roi.group for roi in rois] == ["label 3", "label 3"]
    with pytest.raises(ConfigurationError, match="no mask file has a structure 'GTV'; they have: "):
        read_mask_regions(paths, pairs, dataset, ["label 4", "GTV"])
    with pytest.raises(ConfigurationError, match="give a mask"):
        read_mask_regions([], pairs, dataset, ["GTV"])


def test_no_masks(pairs, dataset):
    assert read_mask_regions([], pairs, dataset) == ([], [])


def test_boxes_of_test_slices(dataset, tmp_path):
    write_boxes(tmp_path / f"{uid(1, 1, 2, 11)}.xml", (10, 20, 30, 40))  # slice 10
    write_boxes(tmp_path / f"{uid(1, 1, 1, 3)}.xml", (0, 0, 5, 5))  # trained on
    (roi,) = read_box_regions(tmp_path, dataset)
    assert (roi.group, roi.slice_number, roi.pixels) == ("box", 1, 400)
    assert roi.mask[20:40, 10:30].all()


def test_no_boxes(dataset, tmp_path):
    with pytest.raises(ConfigurationError, match=r"no SOPInstanceUID\.xml of a test slice"):
        read_box_regions(tmp_path, dataset)
