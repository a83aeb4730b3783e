"""``rgan-train measure``: from series to a table, pictures and files."""

import csv
import json

import numpy as np
import pydicom
import pytest
import SimpleITK
from PIL import Image
from support.dicom_phantoms import uid
from support.lungs import DISTANCE_MM, PIXEL_MM, make_chest, write_chest
from support.training import train


@pytest.fixture(scope="module")
def chest():
    return make_chest()


@pytest.fixture(scope="module")
def scan(chest, tmp_path_factory):
    return write_chest(tmp_path_factory.mktemp("scan"), chest[0])


def write_labels(path, labels):
    image = SimpleITK.GetImageFromArray(labels.astype(np.uint8))
    image.SetSpacing((PIXEL_MM, PIXEL_MM, DISTANCE_MM))
    image.SetOrigin((-120, -120, 0))
    SimpleITK.WriteImage(image, str(path))
    return path


def test_a_table_a_file_and_a_picture(scan, tmp_path):
    out = tmp_path / "new" / "lung.csv"
    done = train("measure", scan, "-o", out)
    assert done.exit_code == 0, done.output
    assert "LAA-950" in done.output
    assert "off protocol" not in done.output
    assert "note: " not in done.output
    with out.open() as file:
        (row,) = csv.DictReader(file)
    assert row["series"] == uid(1, 1, 1)
    assert row["status"] == "measured"
    assert float(row["laa_950"]) == pytest.approx(20, abs=0.3)
    assert float(row["laa_910"]) == pytest.approx(30, abs=0.3)
    assert float(row["perc15_hu"]) == -970
    assert float(row["mean_hu"]) == pytest.approx(-882, abs=0.3)
    with Image.open(tmp_path / "new" / "lung-masks" / f"{row['series']}.png") as picture:
        colours = {colour for _, colour in picture.getcolors(1 << 20)}
    assert {(0, 200, 0), (230, 0, 0)} <= colours  # the lungs' border and the airways


def test_what_was_harmonized_is_measured_too(scan, tmp_path):
    for path in scan.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.SeriesDescription = "CHEST RGAN>SHARP"
        dataset.save_as(tmp_path / path.name)
    done = train("measure", tmp_path)
    assert done.exit_code == 0, done.output


def test_a_given_mask_is_taken_as_it_is(scan, chest, tmp_path):
    left = chest[1].copy()
    left[..., 96:] = False
    labels = np.where(left, 2, np.where(chest[1], 3, 0))
    mask = write_labels(tmp_path / "lungs.nii.gz", labels)
    out = tmp_path / "lung.json"
    done = train("measure", scan, "--mask", mask, "--structure", "2", "-o", out)
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text())
    assert found["mask"] == str(mask)
    (row,) = found["series"]
    assert row["volume_ml"] == pytest.approx(left.sum() * PIXEL_MM**2 * DISTANCE_MM / 1000)
    assert row["laa_950"] == pytest.approx(100 * np.mean(chest[0][left] < -950))
    assert row["mean_hu"] == pytest.approx(chest[0][left].mean(dtype=float))


@pytest.mark.parametrize(
    ("uneven", "note"),
    [
        (
            dict.fromkeys(range(6, 11)),
            "slices are 5.00 to 30.00 mm apart: the volume",
        ),
        ({6: 30.02}, None),  # 4.98 to 5.02 mm, as rounded positions may be
    ],
)
def test_slices_that_are_missing_are_noted(scan, tmp_path, uneven, note):
    for number, path in enumerate(sorted(scan.iterdir())):
        position = uneven.get(number, DISTANCE_MM * number)
        if position is not None:
            dataset = pydicom.dcmread(path)
            dataset.ImagePositionPatient[2] = position
            dataset.save_as(tmp_path / path.name)
    done = train("measure", tmp_path)
    assert done.exit_code == 0, done.output
    if note:
        assert f"note: {uid(1, 1, 1)}: {note} counts 5.00 mm for each" in done.output
    else:
        assert "note: " not in done.output


def test_what_fails_does_not_stop_the_others(scan, chest, tmp_path):
    solid = np.where(chest[1], np.float32(40), chest[0])
    write_chest(tmp_path / "solid", solid, series=2, ProtocolName="Expiration")
    (tmp_path / "broken.dcm").write_bytes((tmp_path / "solid" / "2-00.dcm").read_bytes()[:3000])
    done = train("measure", tmp_path / "absent", tmp_path / "solid", scan, "-o", tmp_path / "a.csv")
    assert done.exit_code == 3
    assert f"failed: {uid(1, 1, 2)}: no lung was found" in done.output
    assert "cannot be searched" in done.output
    assert "a.csv: 1 measured, 2 failed; masks in " in done.output
    with (tmp_path / "a.csv").open() as file:
        status = [row["status"] for row in csv.DictReader(file)]
    assert status == ["failed", "failed", "measured"]


def test_a_mask_of_another_scan_fails_by_name(scan, chest, tmp_path):
    mask = write_labels(tmp_path / "lungs.nrrd", chest[1][:, ::2, ::2])
    image = SimpleITK.ReadImage(str(mask))
    image.SetOrigin((500, 500, 0))
    SimpleITK.WriteImage(image, str(mask))
    done = train("measure", scan, "--mask", mask)
    assert done.exit_code == 3
    assert "lungs.nrrd: " in done.output


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("-o", "lung.txt"), "lung.txt: name the file .csv or .json"),
        (("--structure", "lung"), "give a mask"),
    ],
)
def test_refusals(scan, more, message):
    done = train("measure", scan, *more)
    assert done.exit_code == 1
    assert message in done.output


def test_a_folder_without_series_is_named_and_the_others_go_on(scan, tmp_path):
    (tmp_path / "empty").mkdir()
    done = train("measure", tmp_path / "empty", scan)
    assert done.exit_code == 3
    assert f"failed: {tmp_path / 'empty'}: no CT series" in done.output
    assert "LAA-950" in done.output


def test_a_failed_file_is_named_with_its_folder(scan, tmp_path):
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(next(scan.iterdir()).read_bytes()[:300])
    assert f"failed: {broken}: " in train("measure", tmp_path).output
