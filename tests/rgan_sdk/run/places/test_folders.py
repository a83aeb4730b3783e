"""Folders of series in INPUT."""

from pathlib import PurePosixPath

from rgan_sdk.dicom.inventory import FailedSeries, FileOutcome, Inventory
from rgan_sdk.run.places.folders import series_folders


def test_a_series_that_is_gone_has_no_folder(tmp_path):
    """As in a list of series whose folder was removed."""
    there = FileOutcome(tmp_path / "a" / "b" / "1.dcm", "failed", "broken")
    failed = FailedSeries("1.2", "broken", (there,)), FailedSeries("1.3", "no such folder", ())
    found = series_folders(tmp_path, Inventory((), failed, ()))
    assert found == {("1.2", 0): PurePosixPath("a/b")}
