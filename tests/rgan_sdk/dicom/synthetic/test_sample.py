from pathlib import Path

import numpy as np
import pytest
from support.conformance import dcentvfy_errors, dciodvfy_errors
from support.models import make_card, make_domain_card

from rgan_sdk.card import Range, SpacingRange
from rgan_sdk.dicom.header import read_header
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.synthetic.sample import write_sample_for, write_sample_series
from rgan_sdk.errors import ConfigurationError, OutputError
from rgan_sdk.kernels import soft_tissue_noise


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_sample_series(tmp_path_factory.mktemp("sample"), "Br40d", slices=4, size=256)


def test_a_sample_is_one_series_of_the_kernel(sample: list[Path]):
    inventory = find_series(sample[0].parent)
    (series,) = inventory.series
    assert (inventory.failed, inventory.outcomes) == ((), ())
    assert [file.path for file in series.slices] == sample
    assert series.convolution_kernel == "Br40d"
    assert np.allclose(np.diff([file.position for file in series.slices]), 5)
    assert (series.rows, series.columns) == (256, 256)


def test_a_sample_looks_like_a_thorax_in_hu(sample: list[Path]):
    hu = read_slice(sample[2]).hu
    height, width = hu.shape
    air = hu[:20, :20]
    lung = hu[int(height * 0.36) : int(height * 0.42), int(width * 0.22) : int(width * 0.26)]
    heart = hu[int(height * 0.38) : int(height * 0.46), int(width * 0.48) : int(width * 0.56)]
    assert np.median(air) == pytest.approx(-1000, abs=15)
    assert np.median(lung) == pytest.approx(-850, abs=25)
    assert np.median(heart) == pytest.approx(60, abs=15)
    assert hu.max() > 400
    assert hu.min() >= -1024


def test_the_noise_is_correlated(sample: list[Path]):
    hu = read_slice(sample[2]).hu
    height, width = hu.shape
    heart = hu[int(height * 0.38) : int(height * 0.46), int(width * 0.48) : int(width * 0.56)]
    noise = heart - heart.mean()
    neighbours = np.mean(noise[:, 1:] * noise[:, :-1]) / noise.var()
    assert 10 < noise.std() < 30
    assert 0.2 < neighbours < 0.9


def test_a_sample_is_the_same_for_the_same_seed_only(tmp_path: Path):
    def write(name: str, seed: int) -> bytes:
        paths = write_sample_series(tmp_path / name, "B40f", slices=1, size=64, seed=seed)
        return paths[0].read_bytes()

    assert write("a", 1) == write("b", 1)
    assert write("c", 1) != write("d", 2)


def test_a_sample_replaces_nothing(tmp_path: Path):
    (tmp_path / "slice-001.dcm").write_text("precious")
    with pytest.raises(OutputError, match="not empty"):
        write_sample_series(tmp_path, "B40f", slices=1, size=64)
    assert (tmp_path / "slice-001.dcm").read_text() == "precious"


@pytest.mark.parametrize(
    ("domain", "spacing", "thickness"),
    [
        ({"pixel_spacing": SpacingRange(0.63, 0.9, 0.65), "thickness_seen": (8.0,)}, 0.742188, 8),
        ({"pixel_spacing": SpacingRange(0.4, 0.56, 0.45), "thickness_seen": (0.8, 3.0)}, 0.45, 3),
        ({"pixel_spacing": SpacingRange(0.8, 0.9, 5 / 6), "thickness_seen": ()}, 0.8333333333, 8),
    ],
)
def test_a_sample_lies_in_the_domain_of_a_model(tmp_path, domain, spacing, thickness):
    card = make_domain_card(source_kernels=("Br40d\\3",), **domain)
    header = read_header(write_sample_for(card, tmp_path, slices=1)[0])
    assert header.convolution_kernel == "Br40d\\3"
    assert header.pixel_spacing == (spacing, spacing)
    assert header.slice_thickness == thickness
    assert header.manufacturer == ""


@pytest.mark.parametrize("noise", [Range(9.0, 13.0), Range(35.0, 55.0)])
def test_a_sample_has_no_more_noise_than_its_model_states(tmp_path, noise):
    card = make_domain_card(source_kernels=("B40f",), noise_hu=noise)
    source = read_slice(write_sample_for(card, tmp_path, slices=1)[0])
    measured = soft_tissue_noise(source.hu, source.dataset.PixelSpacing[0])
    assert noise.min < measured < noise.max


def test_a_sample_for_a_model_without_a_domain_is_380_mm_wide(tmp_path):
    header = read_header(write_sample_for(make_card(), tmp_path, slices=1)[0])
    assert header.pixel_spacing[0] * header.columns == pytest.approx(380, abs=1e-3)


def test_a_sample_names_no_person(sample: list[Path]):
    dataset = read_slice(sample[0]).dataset
    assert "SYNTHETIC" in str(dataset.PatientName)
    assert "SYNTHETIC" in dataset.PatientID


def test_a_sample_conforms(sample: list[Path]):
    assert [dciodvfy_errors(path) for path in sample] == [set()] * len(sample)
    assert dcentvfy_errors(sample) == set()


@pytest.mark.parametrize("arguments", [{"slices": 0}, {"size": 16}])
def test_a_sample_without_content_is_refused(tmp_path: Path, arguments: dict[str, int]):
    with pytest.raises(ConfigurationError):
        write_sample_series(tmp_path, "B40f", **arguments)


def test_a_sample_that_cannot_be_written_says_so(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        write_sample_series(tmp_path / "file" / "sample", "B40f", slices=1, size=64)
