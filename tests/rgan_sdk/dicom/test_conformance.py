"""Derived objects of real scans against their sources: dicom3tools and the project's table."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from support.conformance import dcentvfy_errors, dciodvfy_errors, violations
from support.dicom_phantoms import ct_dataset, save, uid
from support.native import DERIVATION
from support.requirements import require_data

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_sdk.dicom.write.derivation import derived_series_uid
from rgan_sdk.dicom.write.writer import write_derived

SLICES = 3

pytestmark = pytest.mark.filterwarnings("ignore:::pydicom")


def derive_all(sources: list[Path], folder: Path) -> list[Path]:
    """Write derived objects of changed pixels, some of them beyond what can be stored."""
    targets = []
    for index, path in enumerate(sources):
        source = read_slice(path)
        hu = source.hu + np.float32(3.5)
        hu[hu.shape[0] // 2, hu.shape[1] // 2] = 1e6
        targets.append(folder / f"{index}.dcm")
        assert write_derived(source, hu, DERIVATION, targets[-1]).clips >= 1
    return targets


def check(sources: list[Path], folder: Path) -> None:
    targets = derive_all(sources, folder)
    for source, target in zip(sources, targets, strict=True):
        assert violations(source, target, DERIVATION) == []
        assert dciodvfy_errors(target) - dciodvfy_errors(source) == set()
    assert dcentvfy_errors([*sources, *targets]) - dcentvfy_errors(sources) == set()
    (before,) = find_series(sources[0].parent).series
    assert {dcmread(path).SeriesInstanceUID for path in targets} == {
        derived_series_uid(before.series_instance_uid, DERIVATION)
    }


def linked(files: list[Path], folder: Path) -> list[Path]:
    folder.mkdir()
    copies = [folder / f"{index}.dcm" for index in range(len(files))]
    for file, copy in zip(files, copies, strict=True):
        copy.write_bytes(file.read_bytes())
    return copies


@pytest.mark.parametrize(
    "name",
    [
        "pair_lungdx_A0002_siemens/B40f",
        "pair_philips_headphantom_step2/UB",
        "lidc_idri_0001_ge_standard",
        "4d_lung_113_HM10395",
    ],
)
def test_derived_objects_of_real_scans_conform(tmp_path: Path, name: str):
    (series,) = find_series(require_data(name)).series
    files = [file.path for file in series.slices[:SLICES]]
    (tmp_path / "derived").mkdir()
    check(linked(files, tmp_path / "source"), tmp_path / "derived")


def test_derived_objects_of_a_jpeg_2000_scan_conform(tmp_path: Path):
    """Its anonymisation has emptied the UIDs, so these are filled in first."""
    folder = require_data("totalsegmentator_example") / "example_ct_dicom"
    sources = []
    for index, path in enumerate(sorted(folder.glob("CT.*"))[:SLICES]):
        dataset = dcmread(path)
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid(1), uid(1, 1)
        sources.append(tmp_path / "source" / str(index))
        sources[-1].parent.mkdir(exist_ok=True)
        dataset.save_as(sources[-1])
    (tmp_path / "derived").mkdir()
    check(sources, tmp_path / "derived")


def test_derived_objects_of_the_sample_conform(tmp_path: Path):
    sources = write_sample_series(tmp_path / "source", "B40f", slices=SLICES, size=64)
    (tmp_path / "derived").mkdir()
    check(sources, tmp_path / "derived")


def test_derived_objects_of_odd_scans_conform(tmp_path: Path):
    for series in find_series(require_data("odd_and_malformed")).series:
        files = [file.path for file in series.slices[:SLICES]]
        targets = derive_all(files, tmp_path)
        for source, target in zip(files, targets, strict=True):
            assert violations(source, target, DERIVATION) == []
            assert dciodvfy_errors(target) - dciodvfy_errors(source) == set()


def test_dicom3tools_can_find_errors(tmp_path: Path):
    a = save(tmp_path / "a", ct_dataset(Modality=None))
    b = save(tmp_path / "b", ct_dataset(SOPInstanceUID=uid(8), PatientID="someone else"))
    assert dciodvfy_errors(a) != set()
    assert dcentvfy_errors([a, b]) != set()
