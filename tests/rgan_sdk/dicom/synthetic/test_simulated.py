from datetime import UTC, datetime

import pytest
from support.dicom_phantoms import CANARY, ct_dataset, save

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.synthetic.simulated import Simulation, simulated_header, write_simulated_series
from rgan_sdk.errors import ConfigurationError, InvalidSeriesError

WHEN = datetime(2024, 5, 6, tzinfo=UTC)
SIMULATION = Simulation("SOFT", "MTF changed", "rgan-sdk 1", WHEN)


@pytest.mark.parametrize(
    "name", ["A", "STANDARD PLUS 12", "I70f 3", "Br40d\\3", "Br40d\\3\\SIXTEEN LETTERS."]
)
def test_names_of_kernels(name):
    assert Simulation(name, "", "", WHEN).target_kernel == name


@pytest.mark.parametrize(
    "name",
    ["", " A", "A ", "Br40d \\3", "Br40d\\", "seventeen letters", "A\n", "ä", "A\\" * 32 + "A"],
)
def test_names_that_are_no_kernel(name):
    with pytest.raises(ConfigurationError, match="1 to 16 ASCII"):
        Simulation(name, "", "", WHEN)


def test_a_time_needs_its_zone():
    with pytest.raises(ConfigurationError, match="time zone"):
        Simulation("SOFT", "", "", datetime(2024, 5, 6))


def test_uids_are_those_of_source_and_simulation(tmp_path):
    source = read_slice(save(tmp_path / "a.dcm", ct_dataset())).dataset
    other = Simulation("SOFT", "MTF changed otherwise", "rgan-sdk 1", WHEN)
    uids = [simulated_header(source, item).SOPInstanceUID for item in (SIMULATION, other)]
    assert simulated_header(source, SIMULATION).SOPInstanceUID == uids[0] != uids[1]
    assert simulated_header(source, SIMULATION, group=1).SOPInstanceUID not in uids


def test_a_simulated_series_is_found_and_a_long_description_fits(tmp_path):
    save(tmp_path / "in" / "a.dcm", ct_dataset(SeriesDescription="Chest " * 10))
    (series,) = find_series(tmp_path / "in").series
    write_simulated_series(series, tmp_path / "out", SIMULATION, lambda file, source: source.hu)
    (found,) = find_series(tmp_path / "out").series
    assert found.convolution_kernel == "SOFT"
    text = read_slice(found.slices[0].path).dataset.SeriesDescription
    assert text.endswith(" SIMULATED>SOFT")
    assert len(text) <= 64


def test_a_kernel_of_several_values_is_written_as_such(tmp_path):
    simulation = Simulation("Br40d\\3", "MTF changed", "rgan-sdk 1", WHEN)
    save(tmp_path / "in" / "a.dcm", ct_dataset(ConvolutionKernel=["Br64d", "3"]))
    (series,) = find_series(tmp_path / "in").series
    write_simulated_series(series, tmp_path / "out", simulation, lambda file, source: source.hu)
    (found,) = find_series(tmp_path / "out").series
    assert found.convolution_kernel == "Br40d\\3"
    dataset = read_slice(found.slices[0].path).dataset
    assert dataset.ConvolutionKernel == ["Br40d", "3"]
    assert dataset.SeriesDescription == "Chest SIMULATED>Br40d/3"
    assert "kernel Br64d\\3 made to look like Br40d\\3." in dataset.DerivationDescription


def test_a_header_that_cannot_be_carried_over_names_the_file(tmp_path):
    save(tmp_path / "in" / "a.dcm", ct_dataset(SeriesNumber=None))
    (series,) = find_series(tmp_path / "in").series

    def break_header(file, source):
        source.dataset.SOPInstanceUID = CANARY
        return source.hu

    with pytest.raises(InvalidSeriesError, match=r"a\.dcm: SOPInstanceUID") as caught:
        write_simulated_series(series, tmp_path / "out", SIMULATION, break_header)
    assert CANARY not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
