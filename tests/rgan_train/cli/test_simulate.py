"""From one series to a pair that trains, on phantoms and on a real scan."""

import numpy as np
import pytest
from pydicom import dcmread
from support.conformance import dcentvfy_errors, dciodvfy_errors
from support.dicom_phantoms import stored_values
from support.requirements import require_data
from support.training import open_dataset, tiny_config, train, write_scan

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.kernels.mtf import ASSUMED_MTFS
from rgan_train.simulation.kernel import simulate_slice

TO_B70F = ("--target-kernel", "B70f")


@pytest.fixture
def series(tmp_path):
    """One series of 12 slices with kernel B40f."""
    return write_scan(tmp_path / "series", "B40f", SeriesDescription="Chest", SeriesNumber=3)


def files(folder):
    return [dcmread(path) for path in sorted(folder.iterdir())]


def test_a_series_and_its_simulation_are_a_pair_that_loads(series, tmp_path):
    out = tmp_path / "new" / "simulated"
    done = train("simulate", series, out, *TO_B70F)
    assert done.exit_code == 0, done.output
    assert "wrote 12 slices" in done.output
    assert "is assumed" in done.output
    assert [path.name for path in out.parent.iterdir()] == ["simulated"]
    assert train("pair", series, out, "-o", tmp_path / "pairs.csv").exit_code == 0
    dataset = open_dataset(tmp_path, tiny_config().data)
    assert (dataset.source_kernel, dataset.target_kernel) == ("B40f", "B70f")
    assert len(dataset.train) == 7
    for pair in dataset.train:
        paths = (pair.source, pair.target)
        source, target = (read_slice(path).hu[16:48, 16:48] for path in paths)
        assert target.mean() == pytest.approx(source.mean(), abs=10)
        assert target.std() > source.std()


def test_it_is_marked_as_simulated(series, tmp_path):
    out = tmp_path / "out"
    mtf = ("--source-mtf", "3.5,6.5", "--target-mtf", "7,11", "--seed", "5")
    assert train("simulate", series, out, *TO_B70F, *mtf).exit_code == 0
    by_position = {item.ImagePositionPatient[2]: item for item in files(series)}
    simulated = files(out)
    assert len({item.SeriesInstanceUID for item in simulated}) == 1
    assert len({item.SOPInstanceUID for item in simulated}) == len(simulated) == len(by_position)
    for item in simulated:
        source = by_position[item.ImagePositionPatient[2]]
        for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PixelSpacing"):
            assert item[keyword].value == source[keyword].value
        for keyword in ("SeriesInstanceUID", "SOPInstanceUID"):
            assert item[keyword].value != source[keyword].value
        assert list(item.ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]
        assert item.ConvolutionKernel == "B70f"
        assert item.SeriesDescription == "Chest SIMULATED>B70f"
        assert item.ContentQualification == "RESEARCH"
        assert item.DerivationCodeSequence[0].CodeValue == "SIMULATED"
        assert item.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
        text = item.DerivationDescription
        assert text.startswith("SIMULATED, not reconstructed: convolution kernel B40f")
        assert "3.5 / 6.5 lp/cm changed to 7 / 11, noise of seed 5" in text


def test_the_seed_decides(series, tmp_path):
    def pixels(name, seed):
        assert train("simulate", series, tmp_path / name, *TO_B70F, "--seed", seed).exit_code == 0
        items = sorted(files(tmp_path / name), key=lambda item: item.ImagePositionPatient[2])
        return np.array([item.pixel_array for item in items])

    first = pixels("a", 1)
    assert np.array_equal(first, pixels("b", 1))
    assert not np.array_equal(first, pixels("c", 2))


def test_values_stay_in_range_and_off_the_padding(tmp_path):
    attributes = {"PixelPaddingValue": 0, "ConvolutionKernel": "B40f"}
    write_scan(tmp_path / "series", "B40f", slices=1, **attributes)
    (path,) = (tmp_path / "series").iterdir()
    item = dcmread(path)
    stored = stored_values(size=64)
    item.PixelData = stored.tobytes()
    item.save_as(path)
    assert train("simulate", tmp_path / "series", tmp_path / "out", *TO_B70F).exit_code == 0
    (simulated,) = files(tmp_path / "out")
    assert np.array_equal(simulated.pixel_array == 0, stored == 0)
    assert simulated.pixel_array.max() == 4095


def test_it_adds_no_dicom_error(series, tmp_path):
    out = tmp_path / "out"
    assert train("simulate", series, out, *TO_B70F).exit_code == 0
    source, simulated = (next(folder.iterdir()) for folder in (series, out))
    assert dciodvfy_errors(simulated) <= dciodvfy_errors(source)
    assert not dcentvfy_errors([*series.iterdir(), *out.iterdir()])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (TO_B70F[:1], 2, "requires an argument"),
        ((*TO_B70F, "--source-mtf", "7"), 2, "not two numbers"),
        ((*TO_B70F, "--source-mtf", "7,5"), 2, "below the second"),
        (("--target-kernel", "b40F"), 1, "the series itself has kernel B40f"),
        (("--target-kernel", "LUNG"), 1, "give --target-mtf F50,F10"),
        (("--target-kernel", 17 * "A", "--target-mtf", "3,5"), 1, "1 to 16 ASCII characters"),
    ],
)
def test_what_makes_no_sense_is_refused(series, tmp_path, arguments, code, message):
    done = train("simulate", series, tmp_path / "out", *arguments)
    assert done.exit_code == code
    assert message in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["series"]


def test_an_output_folder_is_new_and_outside(series, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").touch()
    refused = train("simulate", series, tmp_path / "full", *TO_B70F)
    assert refused.exit_code == 1
    assert "is not empty" in refused.stderr
    inside = train("simulate", series, series / "out", *TO_B70F)
    assert inside.exit_code == 1
    assert "choose one outside" in inside.stderr
    (tmp_path / "empty").mkdir()
    assert train("simulate", series, tmp_path / "empty", *TO_B70F).exit_code == 0


def test_a_failure_leaves_nothing_and_tells_no_patient(series, tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rgan_sdk.dicom.synthetic.simulated.write_file", full)
    done = train("simulate", series, tmp_path / "out", *TO_B70F)
    assert done.exit_code == 1
    assert "No space left on device" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["series"]
    assert "CANARY" not in done.output


def test_a_folder_holds_one_whole_series(series, tmp_path):
    other = write_scan(series, "B70f", series=2, slices=1)
    several = train("simulate", other, tmp_path / "out", *TO_B70F)
    assert "2 CT series; give a folder that holds exactly one" in several.stderr
    broken = write_scan(tmp_path / "broken", "B40f", slices=2)
    first = min(broken.iterdir())
    first.write_bytes(first.read_bytes()[:-100])
    assert first.name in train("simulate", broken, tmp_path / "out", *TO_B70F).stderr
    nameless = write_scan(tmp_path / "nameless", "", slices=1)
    mtf = ("--source-mtf", "3,5")
    done = train("simulate", nameless, tmp_path / "out", *TO_B70F, *mtf)
    assert "has no ConvolutionKernel" in done.stderr


def test_a_real_scan_comes_closer_to_the_other_kernel():
    scan = require_data("pair_lungdx_A0002_siemens")
    series = {item.convolution_kernel: item for item in find_series(scan).series}
    soft, sharp = (read_slice(series[name].slices[9].path).hu for name in ("B40f", "B70f"))
    spacing = series["B40f"].pixel_spacing
    simulated = simulate_slice(sharp, spacing, ASSUMED_MTFS["B70f"], ASSUMED_MTFS["B40f"], 0)
    error, before = (np.mean((hu.astype(float) - soft) ** 2) for hu in (simulated, sharp))
    assert 10 * np.log10(before / error) > 10  # dB of PSNR; 14 where this was written
