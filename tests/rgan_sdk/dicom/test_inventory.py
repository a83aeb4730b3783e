import dataclasses
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import MRImageStorage
from support.dicom_phantoms import CANARY, uid, write_ct, write_series

from rgan_sdk.dicom.inventory import Inventory, find_series
from rgan_sdk.dicom.read import scanner
from rgan_sdk.dicom.series import Series, slice_normal
from rgan_sdk.errors import InvalidSeriesError


def places(inventory: Inventory) -> list[Path]:
    """Return every path of the inventory, once for each place that it is in."""
    paths = [file.path for series in inventory.series for file in series.slices]
    paths += [outcome.path for failed in inventory.failed for outcome in failed.outcomes]
    return paths + [outcome.path for outcome in inventory.outcomes]


def reasons(inventory: Inventory) -> dict[str, str]:
    outcomes = [o for failed in inventory.failed for o in failed.outcomes]
    return {o.path.name: f"{o.status}: {o.reason}" for o in [*outcomes, *inventory.outcomes]}


def test_slices_are_sorted_along_the_normal(tmp_path: Path):
    write_series(tmp_path, 4)
    (series,) = find_series(tmp_path).series
    assert [file.position for file in series.slices] == [-6.0, -4.0, -2.0, 0.0]
    assert [file.path.name for file in series.slices] == [f"1-{i}.dcm" for i in (3, 2, 1, 0)]
    assert series.slices[0].origin == (-10.0, -20.0, -6.0)


@pytest.mark.parametrize("angle", [0.3, -1.2, np.pi / 2])
def test_a_tilted_series_is_sorted_along_its_own_normal(tmp_path: Path, angle: float):
    cosine, sine = round(np.cos(angle), 9), round(np.sin(angle), 9)
    orientation = [1, 0, 0, 0, cosine, sine]
    normal = np.array([0, -sine, cosine])
    for index in range(5):
        # Slides within the plane as well, so that no single axis gives the order.
        origin = normal * 3 * index + np.array([7.0 * (-1) ** index, 0, 0])
        write_ct(
            tmp_path / f"{9 - index}",
            SOPInstanceUID=uid(1, 1, index),
            ImageOrientationPatient=orientation,
            ImagePositionPatient=[round(float(x), 6) for x in origin],
        )
    (series,) = find_series(tmp_path).series
    assert [file.path.name for file in series.slices] == ["9", "8", "7", "6", "5"]
    assert np.allclose(np.diff([file.position for file in series.slices]), 3)


def test_the_normal_is_row_direction_times_column_direction():
    assert slice_normal((1, 0, 0, 0, 1, 0)) == (0, 0, 1)
    assert slice_normal((0, 1, 0, 0, 0, -1)) == (-1, 0, 0)


@pytest.mark.parametrize(
    "difference",
    [
        {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]},
        {"PixelData": np.zeros((16, 20), np.uint16), "Columns": 20},
        {"FrameOfReferenceUID": uid(77)},
        {"ConvolutionKernel": "B70f"},
        {"ConvolutionKernel": ["B40f", "3"]},
        {"PixelSpacing": [0.8, 0.8]},
    ],
)
def test_one_series_uid_splits_where_its_slices_differ(
    tmp_path: Path, difference: dict[str, object]
):
    write_series(tmp_path, 2)
    write_ct(tmp_path / "other", **{"SOPInstanceUID": uid(1, 1, 9), **difference})
    inventory = find_series(tmp_path)
    assert [(series.group, len(series.slices)) for series in inventory.series] == [(0, 2), (1, 1)]
    assert {series.series_instance_uid for series in inventory.series} == {uid(1, 1)}


def test_the_noise_of_rounding_does_not_split_a_series(tmp_path: Path):
    write_series(tmp_path, 2)
    write_ct(
        tmp_path / "rounded",
        SOPInstanceUID=uid(1, 1, 9),
        ImageOrientationPatient=[1, 0.000002, 0, -0.000002, 1, 0],
        PixelSpacing=[0.700001, 0.700001],
    )
    assert len(find_series(tmp_path).series) == 1


def test_groups_do_not_depend_on_file_names(tmp_path: Path):
    for folder, names in (("a", "12"), ("b", "21")):
        for index, name in enumerate(names):
            kernel = f"K{index}"
            write_ct(
                tmp_path / folder / name,
                SOPInstanceUID=uid(1, 1, index),
                ConvolutionKernel=kernel,
            )
    groups = [
        [(series.group, series.convolution_kernel) for series in find_series(root).series]
        for root in (tmp_path / "a", tmp_path / "b")
    ]
    assert groups[0] == groups[1] == [(0, "K0"), (1, "K1")]


def test_series_with_slices_at_one_position_are_kept(tmp_path: Path):
    write_series(tmp_path, 3, spacing=0)
    (series,) = find_series(tmp_path).series
    assert [file.sop_instance_uid for file in series.slices] == [uid(1, 1, i) for i in (1, 2, 3)]


def test_thickness_is_stated_only_where_it_is_one(tmp_path: Path):
    write_series(tmp_path, 2)
    assert find_series(tmp_path).series[0].slice_thickness == 2.0
    write_ct(tmp_path / "thick", SOPInstanceUID=uid(1, 1, 9), SliceThickness=5)
    assert find_series(tmp_path).series[0].slice_thickness is None


def test_an_identical_duplicate_is_skipped_and_names_the_file_kept(tmp_path: Path):
    first, *_ = write_series(tmp_path / "a", 2)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "copy").write_bytes(first.read_bytes())
    inventory = find_series(tmp_path)
    assert len(inventory.series[0].slices) == 2
    assert reasons(inventory) == {"copy": "skipped: identical duplicate of a/1-0.dcm"}


def test_one_uid_for_different_content_fails_every_series_it_touches(tmp_path: Path):
    write_series(tmp_path, 2)
    write_series(tmp_path, 2, series=2)
    write_series(tmp_path, 2, series=3)
    write_ct(tmp_path / "x", SeriesInstanceUID=uid(1, 2), SOPInstanceUID=uid(1, 1, 1), KVP=90)
    inventory = find_series(tmp_path)
    assert [series.series_instance_uid for series in inventory.series] == [uid(1, 3)]
    assert [len(failed.outcomes) for failed in inventory.failed] == [2, 3]
    for failed in inventory.failed:
        assert "stands for different content in 1-0.dcm and x; what differs: " in failed.reason
        assert all(outcome.status == "failed" for outcome in failed.outcomes)


def test_an_unreadable_slice_fails_its_series_and_no_other(tmp_path: Path):
    _, broken, _ = write_series(tmp_path, 3)
    write_series(tmp_path, 3, series=2)
    broken.write_bytes(broken.read_bytes()[:-100])
    inventory = find_series(tmp_path)
    assert [series.series_instance_uid for series in inventory.series] == [uid(1, 2)]
    (failed,) = inventory.failed
    assert failed.reason.startswith("1-1.dcm: truncated: PixelData holds 412 of 512 bytes")
    assert reasons(inventory)["1-1.dcm"].startswith("failed: truncated")
    assert reasons(inventory)["1-0.dcm"].startswith("failed: its series failed: 1-1.dcm: truncated")


def test_an_invalid_slice_fails_its_series(tmp_path: Path):
    write_series(tmp_path, 2)
    write_ct(tmp_path / "flat", SOPInstanceUID=uid(1, 1, 9), RescaleSlope=0)
    (failed,) = find_series(tmp_path).failed
    assert failed.reason == "flat: RescaleSlope is 0"
    assert len(failed.outcomes) == 3


def test_a_localizer_in_the_series_fails_nothing(tmp_path: Path):
    write_series(tmp_path, 2)
    write_ct(
        tmp_path / "scout",
        SOPInstanceUID=uid(1, 1, 9),
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
    )
    inventory = find_series(tmp_path)
    assert len(inventory.series[0].slices) == 2
    assert reasons(inventory) == {"scout": "skipped: localizer"}


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [("PatientID", "more than one patient"), ("StudyInstanceUID", "more than one study")],
)
def test_a_series_of_two_patients_or_studies_fails(tmp_path: Path, attribute: str, reason: str):
    write_series(tmp_path, 2)
    write_ct(tmp_path / "x", **{"SOPInstanceUID": uid(1, 1, 9), attribute: uid(8)})
    (failed,) = find_series(tmp_path).failed
    assert failed.reason.endswith(reason)
    assert len(failed.outcomes) == 3


def test_a_folder_without_anything_gives_an_empty_inventory(tmp_path: Path):
    assert find_series(tmp_path) == Inventory((), (), ())


def test_each_file_is_reported_to_the_caller(tmp_path: Path):
    write_series(tmp_path, 3)
    (tmp_path / "text").write_text("text")
    (tmp_path / "link").symlink_to("text")
    seen: list[int] = []
    find_series(tmp_path, seen.append)
    assert sum(seen) == 5


def make_messy_tree(root: Path) -> None:
    write_series(root / "study" / "good", 5)
    write_series(root / "study" / "good", 2, series=2)
    write_series(root / "bad.dcm", 3, series=3, RescaleSlope=None)
    write_ct(root / "mr", SOPInstanceUID=uid(9, 1), SOPClassUID=MRImageStorage)
    (root / "notes.dcm").write_text(f"{CANARY}^PATIENT was here")
    (root / "empty").write_bytes(b"")
    (root / "random").write_bytes(b"\0" * 128 + b"DICM" + random.Random(0).randbytes(500))
    good = root / "study" / "good" / "1-0.dcm"
    (root / "copy of good.dcm").write_bytes(good.read_bytes())
    (root / "cut").write_bytes(good.read_bytes()[:250])
    (root / "link").symlink_to(good)
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "fifo.dcm")


def test_every_file_of_a_messy_tree_is_in_exactly_one_place(tmp_path: Path):
    make_messy_tree(tmp_path)
    everything = sorted(
        path for path in tmp_path.rglob("*") if path.is_symlink() or not path.is_dir()
    )
    inventory = find_series(tmp_path)
    assert sorted(places(inventory)) == everything
    assert [len(series.slices) for series in inventory.series] == [5, 2]
    assert [len(failed.outcomes) for failed in inventory.failed] == [3]
    told = reasons(inventory)
    assert told["random"].startswith("failed")
    assert told["cut"].startswith("failed")
    assert told["fifo.dcm"] == "skipped: not a regular file"


def test_the_inventory_is_the_same_for_each_search(tmp_path: Path):
    make_messy_tree(tmp_path)
    assert find_series(tmp_path) == find_series(tmp_path)


def make_broken_copies(root: Path) -> None:
    whole = write_ct(root / "whole").read_bytes()
    for cut in range(140, len(whole), 37):
        (root / f"cut-{cut}").write_bytes(whole[:cut])
    name = f"{CANARY}^PATIENT".encode()
    for index, bad in enumerate((b"CANARY^P\xff\xfe", b"\\CANARY\\\\", b"CANARY=C=C=C=C")):
        (root / f"bad-{index}").write_bytes(whole.replace(name, bad[:14].ljust(14)))
    (root / "charset").write_bytes(whole.replace(b"ISO_IR 100", b"CANARY 100"))


def test_nothing_that_the_search_tells_holds_patient_data(tmp_path: Path):
    make_messy_tree(tmp_path)
    make_broken_copies(tmp_path)
    program = """
import logging, pathlib, sys
logging.basicConfig(level=0)
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.errors import DicomError
root = pathlib.Path(sys.argv[1])
inventory = find_series(root)
print(inventory)
for path in root.iterdir():
    try:
        if path.is_file():
            print(str(read_slice(path).dataset.PatientName)[:0])
    except DicomError as error:
        print(error)
"""
    command = [sys.executable, "-W", "always", "-c", program, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Inventory(" in run.stdout
    assert CANARY not in run.stdout + run.stderr


def test_a_series_is_valid_from_construction(tmp_path: Path):
    write_series(tmp_path, 3)
    (series,) = find_series(tmp_path).series
    for slices in ((), series.slices[::-1], (series.slices[0], series.slices[0])):
        with pytest.raises(InvalidSeriesError):
            dataclasses.replace(series, slices=slices)
    assert isinstance(dataclasses.replace(series, slices=series.slices[:2]), Series)


def test_a_series_has_the_image_type_that_all_its_slices_have(tmp_path: Path):
    projection = ["DERIVED", "SECONDARY", "AXIAL", "ct_som5 mip "]
    write_series(tmp_path, 2, ImageType=projection)
    write_ct(tmp_path / "one.dcm", SOPInstanceUID=uid(1, 1, 9), ImageType=[*projection, "HEAD"])
    (series,) = find_series(tmp_path).series
    assert series.image_type == ("DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MIP")


def test_the_order_does_not_depend_on_how_fast_files_are_read(tmp_path: Path, monkeypatch):
    for number in range(4):
        (tmp_path / f"b{number}.txt").write_text("text")
        (tmp_path / f"a{number}").symlink_to("nowhere")
        (tmp_path / f"c{number}").symlink_to("nowhere")
    found = find_series(tmp_path).outcomes
    monkeypatch.setattr(scanner, "FEWEST", 1)
    monkeypatch.setattr(scanner, "MOST", 1)
    assert find_series(tmp_path).outcomes == found
    assert len(found) == 12
