"""A localizer that nothing marks as one does not fail the series that it is filed in."""

from pathlib import Path

import pytest
from support.dicom_phantoms import stored_values, uid, write_ct, write_series

from rgan_sdk.dicom.inventory import Inventory, find_series

NO_RESCALE = {"RescaleSlope": None, "RescaleIntercept": None}
SAGITTAL = [0, 1, 0, 0, 0, -1]


def with_image(folder: Path, **attributes: object) -> Inventory:
    """Find a series of three slices with one more image in it."""
    stored = attributes.pop("stored", None)
    write_series(folder, 3)
    own = {"SOPInstanceUID": uid(1, 1, 9), "ImagePositionPatient": [0, 0, 90]}
    write_ct(folder / "scout", stored, **{**own, **attributes})
    return find_series(folder)


@pytest.mark.parametrize(
    "unlike",
    [
        {"ImageOrientationPatient": SAGITTAL},
        {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1], "ImageType": None},
        {"ImageOrientationPatient": SAGITTAL, "PixelSpacing": None, "ImagePositionPatient": None},
        {"stored": stored_values(size=24)},
        {"PixelSpacing": [1, 1]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "SCOUT"]},
    ],
)
def test_a_scout_is_skipped_with_a_reason(tmp_path: Path, unlike: dict[str, object]):
    inventory = with_image(tmp_path, **NO_RESCALE, **unlike)
    assert [len(series.slices) for series in inventory.series] == [3]
    assert not inventory.failed
    (outcome,) = inventory.outcomes
    assert (outcome.path.name, outcome.status) == ("scout", "skipped")
    assert outcome.reason.startswith("no RescaleSlope, no RescaleIntercept, and unlike the slices")


@pytest.mark.parametrize(
    "damage",
    [
        {},
        {"RescaleIntercept": -1024, "ImageOrientationPatient": SAGITTAL},
        {"RescaleSlope": 1, "ImageOrientationPatient": SAGITTAL},
        {"ImageType": None},
        {"ImageType": ["ORIGINAL", "PRIMARY"]},
        {"ImageOrientationPatient": None, "PixelSpacing": None, "ImageType": None},
        {"ImageOrientationPatient": [1, 0.0002, 0, -0.0002, 1, 0]},
    ],
)
def test_a_damaged_slice_fails_its_series(tmp_path: Path, damage: dict[str, object]):
    inventory = with_image(tmp_path, **{**NO_RESCALE, **damage})
    assert not inventory.series
    (failed,) = inventory.failed
    assert failed.reason.startswith("scout: Rescale")
    assert len(failed.outcomes) == 4


def test_a_series_without_any_rescale_fails(tmp_path: Path):
    write_series(tmp_path, 2, **NO_RESCALE)
    write_series(tmp_path, 2, series=2)
    inventory = find_series(tmp_path)
    assert [failed.series_instance_uid for failed in inventory.failed] == [uid(1, 1)]
    assert [series.series_instance_uid for series in inventory.series] == [uid(1, 2)]


def test_a_scout_hides_no_other_fault(tmp_path: Path):
    write_ct(tmp_path / "flat", SOPInstanceUID=uid(1, 1, 8), RescaleSlope=0)
    inventory = with_image(tmp_path, **NO_RESCALE, ImageOrientationPatient=SAGITTAL)
    (failed,) = inventory.failed
    assert failed.reason == "flat: RescaleSlope is 0"
    assert [outcome.path.name for outcome in inventory.outcomes] == ["scout"]
