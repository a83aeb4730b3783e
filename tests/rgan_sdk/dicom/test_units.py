"""RescaleType US, unspecified: taken as HU where the pixels show it, or where the user says so."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
)
from support.dicom_phantoms import uid, write_ct
from support.native import scan_header, write_unchanged

from rgan_sdk.dicom.header import read_header
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.units import shows_air

SHOWN = "RescaleType US taken as HU: there is air near -1000"


def body(*, air: float = -1000, tissue: float = 40, noise: float = 15) -> np.ndarray:
    """Return HU of a disc in air."""
    y, x = np.mgrid[:64, :64] - 31.5
    hu = np.where(np.hypot(y, x) < 25, tissue, air)
    return hu + np.random.default_rng(0).normal(0, noise, hu.shape)


def write(folder: Path, number: int, hu: np.ndarray, *, syntax=ExplicitVRLittleEndian, **own):
    return write_ct(
        folder / str(number),
        np.rint(hu).astype(np.int16),
        syntax=syntax,
        **{
            "SOPInstanceUID": uid(1, 1, number + 1),
            "ImagePositionPatient": [0, 0, number],
            "RescaleIntercept": 0,
            "RescaleType": "US",
            **own,
        },
    )


@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, JPEGLSLossless],
)
def test_a_series_with_air_is_taken_with_a_note(tmp_path: Path, syntax: str):
    for number in range(3):
        write(tmp_path / "in", number, body(), syntax=syntax)
    (series,) = find_series(tmp_path / "in").series
    assert series.notes == (SHOWN,)
    for derived in write_unchanged(tmp_path / "in", tmp_path / "out"):
        assert derived.RescaleType == "HU"
        assert np.array_equal(derived.pixel_array, np.rint(body()))


def test_native_and_python_headers_agree(tmp_path: Path):
    paths = [
        write(tmp_path, number, body(), RescaleType=kind)
        for number, kind in enumerate(["US", "HU", None])
    ]
    headers = [read_header(path) for path in paths]
    assert [scan_header(path) for path in paths] == headers
    assert [header.rescale_type for header in headers] == ["US", "HU", ""]
    assert headers[0].image_type == ("ORIGINAL", "PRIMARY", "AXIAL")


@pytest.mark.parametrize(
    ("intercept", "slope", "hu"),
    [
        (1024, 1, body()),  # the numbers as the scanner stores them
        (0, 0.001, body()),
        (0, 1, body(air=0, tissue=1000)),  # density in mg/ml
        (0, 2, body()),
        (0, 1, body(air=7, tissue=7.4, noise=0.5)),  # effective atomic number
        (0, 1, np.where(np.arange(64) < 9, -1000.0, body(air=0, tissue=100))),  # only filled
        (0, 1, np.random.default_rng(0).uniform(-4096, 4096, (64, 64))),
    ],
)
def test_other_numbers_are_refused_with_the_way_out(
    tmp_path: Path, intercept: float, slope: float, hu: np.ndarray
):
    for number in range(2):
        write(tmp_path, number, hu, RescaleIntercept=intercept, RescaleSlope=slope)
    inventory = find_series(tmp_path)
    assert not inventory.series
    (failed,) = inventory.failed
    assert "RescaleType (0028,1054) is US" in failed.reason
    assert "--assume-hu of rgan-harmonize run and scan" in failed.reason
    (series,) = find_series(tmp_path, assume_hu=True).series
    assert series.notes == ("RescaleType US taken as HU, as --assume-hu says",)


def test_a_series_is_judged_as_a_whole(tmp_path: Path):
    """Slices within the body show no air; half of those looked at must."""
    for number in range(10):
        write(tmp_path, number, body(air=-1000 if number < 6 else 30))
    assert find_series(tmp_path).series[0].notes == (SHOWN,)
    for number in range(4, 6):
        write(tmp_path, number, body(air=30))
    assert not find_series(tmp_path).series


def test_one_slice_without_a_statement_is_enough_to_look(tmp_path: Path):
    for number, kind in enumerate(["HU", None, "US"]):
        write(tmp_path / "in", number, body(air=30), RescaleType=kind)
    assert not find_series(tmp_path / "in").series
    write(tmp_path / "in", 2, body())
    assert find_series(tmp_path / "in").series[0].notes == (SHOWN,)
    assert len(write_unchanged(tmp_path / "in", tmp_path / "out")) == 3


def test_padding_is_not_taken_for_air(tmp_path: Path):
    hu = body(air=100)
    hu[:20] = np.linspace(-1040, -960, 64).round()
    write(tmp_path, 0, hu, PixelPaddingValue=-1040, PixelPaddingRangeLimit=-960)
    assert not find_series(tmp_path).series


def test_a_slice_that_cannot_be_read_fails_the_series(tmp_path: Path):
    path = write(tmp_path, 0, body(), syntax=JPEGLSLossless)
    content = path.read_bytes()
    path.write_bytes(content[:-400] + bytes(392) + content[-8:])
    (failed,) = find_series(tmp_path).failed
    assert failed.reason.startswith("0: PixelData cannot be decoded")


@pytest.mark.parametrize(
    ("hu", "expected"),
    [
        (body(), True),
        (body(air=-960), True),
        (np.maximum(body(noise=30), -1024), True),
        (body(noise=40), True),
        (body(noise=0), False),  # a fill value
        (body(air=-1100), False),
        (body(air=-900), False),
        (np.full(0, -1000.0), False),
    ],
)
def test_what_air_is(hu: np.ndarray, expected: bool):
    assert shows_air(hu) is expected
