"""``rgan-harmonize kernel``: what is printed and drawn, and what is left aside."""

import numpy as np
import pydicom
import pytest
from PIL import Image
from support.dicom_phantoms import CANARY, uid
from support.kernels import chests, exponential, write_chests
from support.qa_phantoms import scan, write_scan
from support.runs import harmonize

from rgan_sdk.cli.kernel_plot import COLOURS


@pytest.fixture(scope="module")
def soft(tmp_path_factory):
    hu = chests(exponential(3.5, 1.8), 0.7, 4, seed=1)
    return write_chests(tmp_path_factory.mktemp("soft"), 1, "SOFT", hu)


@pytest.fixture(scope="module")
def sharp(tmp_path_factory):
    hu = chests(exponential(8, 3), 0.7, 4, seed=2)
    return write_chests(tmp_path_factory.mktemp("sharp"), 2, "SHARP", hu)


@pytest.fixture(scope="module")
def air(tmp_path_factory):
    return write_chests(tmp_path_factory.mktemp("air"), 3, "AIR", np.full((4, 64, 64), -1000.0))


def test_frequencies_and_noise_are_printed(soft, sharp):
    result = harmonize("kernel", soft, sharp)
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert "kernel SOFT" in lines
    assert "slices 4 of 0.700 mm pixels" in lines
    half = next(line for line in lines if line.startswith("MTF 50 %"))
    assert 3 < float(half.split()[3]) < 4.2
    assert "MTF 50 % beyond Nyquist (7.1 lp/cm)" in lines
    assert any(line.startswith("noise, soft tissue ") and " HU (" in line for line in lines)
    assert "noise, fat can't be told" in lines


def test_what_was_harmonized_is_measured_too(soft, tmp_path):
    for path in soft.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.SeriesDescription = "CHEST RGAN>SHARP"
        dataset.save_as(tmp_path / path.name)
    result = harmonize("kernel", tmp_path)
    assert result.exit_code == 0, result.output
    assert "4 of 0.700 mm pixels" in result.output


def test_all_curves_are_in_one_picture(soft, sharp, tmp_path):
    picture = tmp_path / "kernels.png"
    assert harmonize("kernel", soft, sharp, "--plot", picture).exit_code == 0
    with Image.open(picture) as drawn:
        assert drawn.format == "PNG"
        found = {colour for _, colour in drawn.getcolors(drawn.width * drawn.height)}
    assert {"#{:02x}{:02x}{:02x}".format(*colour) for colour in found} >= set(COLOURS[:2])
    refused = harmonize("kernel", soft, "--plot", tmp_path / "kernels.jpg")
    assert refused.exit_code == 2
    assert "must end in .png" in refused.output


def test_what_cannot_be_measured_is_named_and_the_rest_goes_on(soft, air, tmp_path):
    broken = write_chests(tmp_path, 4, "BROKEN", np.zeros((1, 64, 64)))
    file = next(broken.iterdir())
    file.write_bytes(file.read_bytes()[:-100])
    result = harmonize("kernel", air, soft, broken)
    assert result.exit_code == 0, result.output
    assert f"series {uid(1, 3)}: the series can't tell its kernel" in result.output
    assert file.name in result.output
    assert CANARY not in result.output


def test_files_with_one_reason_are_counted(tmp_path):
    hu = np.zeros((3, 64, 64))
    folder = write_chests(tmp_path, 5, "NONE", hu)
    for file in folder.iterdir():
        dataset = pydicom.dcmread(file)
        del dataset.SeriesInstanceUID
        dataset.save_as(file)
    result = harmonize("kernel", folder)
    assert result.exit_code == 1
    assert result.output.count("SeriesInstanceUID") == 1
    assert "and 2 more: " in result.output


def test_a_folder_that_is_not_there_does_not_stop_the_others(soft, tmp_path):
    result = harmonize("kernel", soft, tmp_path / "gone", "--plot", tmp_path / "k.png")
    assert result.exit_code == 0, result.output
    assert f"{tmp_path / 'gone'}: cannot be searched (No such file or directory)" in result.output
    assert (tmp_path / "k.png").exists()


def test_nothing_measured_is_an_error(air, tmp_path):
    result = harmonize("kernel", air)
    assert result.exit_code == 1
    assert "no kernel measured" in result.output
    assert "take more slices of the body" in result.output
    assert "no CT series" in harmonize("kernel", tmp_path).output


def test_a_folder_without_series_is_named_with_the_reason(soft, tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    result = harmonize("kernel", soft, tmp_path)
    assert result.exit_code == 0, result.output
    assert f"{tmp_path}: no CT series (1 of 1 files: not DICOM)" in result.output


def test_a_phantom_shows_its_mtf_and_a_patient_is_refused_as_one(soft, tmp_path):
    write_scan(tmp_path / "qa", scan(exponential(3.5, 1.8)), "SOFT", 5)
    result = harmonize("kernel", "--phantom", tmp_path / "qa", soft, "--plot", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert "sections measured 6 of a rod, 3 of a wire" in lines
    half = next(line for line in lines if line.startswith("MTF 50 %"))
    assert float(half.split()[3]) == pytest.approx(3.5, abs=0.1)
    assert f"series {uid(1, 1)}: no insert of 4 slice(s) tells the kernel" in result.output
    assert (tmp_path / "a.png").exists()
    assert CANARY not in result.output
