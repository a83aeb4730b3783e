"""Slices in lossy JPEG: decoded as they are, refused where they are damaged."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit
from support.dicom_phantoms import write_ct
from support.native import DERIVATION

from rgan_sdk.dicom.read.lossy_jpeg import check_lossy_jpeg
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.write.writer import write_derived
from rgan_sdk.errors import UnreadableFileError

imagecodecs = pytest.importorskip(
    "imagecodecs", reason="imagecodecs is not installed; pip install 'rgan-sdk[codecs]'"
)


def phantom(bits: int, *, rows: int = 61, columns: int = 75) -> np.ndarray:
    """Return stored values of a noisy disc, in a matrix that is no multiple of eight."""
    y, x = np.mgrid[:rows, :columns]
    disc = np.where(np.hypot(y - rows / 2, x - columns / 2) < 25, 0.3, 0.05)
    noise = np.random.default_rng(0).normal(0, 0.005, disc.shape)
    return ((disc + noise).clip(0, 1) * ((1 << bits) - 1)).astype("u1" if bits == 8 else "u2")


@pytest.mark.parametrize(
    ("syntax", "bits"), [(JPEGExtended12Bit, 12), (JPEGExtended12Bit, 8), (JPEGBaseline8Bit, 8)]
)
def test_a_slice_is_within_the_loss(tmp_path: Path, syntax: str, bits: int):
    stored = phantom(bits)
    lossy = {"LossyImageCompression": "01", "LossyImageCompressionMethod": "ISO_10918_1"}
    path = write_ct(tmp_path / "x", stored, syntax=syntax, bits_stored=bits, **lossy)
    source = read_slice(path)
    assert source.stored.dtype == stored.dtype
    assert np.abs(source.stored.astype(int) - stored).max() <= 5
    assert np.array_equal(source.hu, source.stored.astype(np.float32) - 1024)
    write_derived(source, source.hu, DERIVATION, tmp_path / "derived")
    derived = dcmread(tmp_path / "derived")
    assert np.array_equal(derived.pixel_array, source.stored)
    assert derived.LossyImageCompression == "01"
    assert derived.LossyImageCompressionMethod == "ISO_10918_1"


@pytest.mark.parametrize(("frame_bits", "bits_stored"), [(12, 11), (8, 12)])
def test_a_frame_of_other_bits_than_the_header_says_is_refused(
    tmp_path: Path, frame_bits: int, bits_stored: int
):
    frame = imagecodecs.jpeg8_encode(phantom(frame_bits), level=98, bitspersample=frame_bits)
    path = write_ct(tmp_path / "x", phantom(12), syntax=JPEGExtended12Bit, bits_stored=12)
    dataset = dcmread(path)
    dataset.PixelData = encapsulate([frame])
    dataset.BitsStored, dataset.HighBit = bits_stored, bits_stored - 1
    dataset.save_as(path)
    with pytest.raises(UnreadableFileError, match=r"not JPEG Extended .* as the header says"):
        read_slice(path)


def test_a_cut_frame_is_refused(tmp_path: Path):
    path = write_ct(tmp_path / "x", phantom(12), syntax=JPEGExtended12Bit, bits_stored=12)
    dataset = dcmread(path)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([frame[: len(frame) * 2 // 3] + b"\xff\xd9"])
    dataset.save_as(path)
    with pytest.raises(UnreadableFileError, match="damaged"):
        read_slice(path)


def check(image: bytes) -> None:
    check_lossy_jpeg(image, imagecodecs.jpeg8_decode(image), imagecodecs.jpeg8_decode)


def jpeg(stored: np.ndarray, **options: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(stored).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("level", [50, 75, 90, 98, 100])
@pytest.mark.parametrize("size", [(8, 8), (61, 75), (256, 256)])
def test_whole_frames_pass(level: int, size: tuple[int, int]):
    stored = phantom(12, rows=size[0], columns=size[1])
    for image in (stored, np.zeros_like(stored)):
        check(imagecodecs.jpeg8_encode(image, level=level, bitspersample=12))


@pytest.mark.parametrize("blocks", [0, 1, 7, 1000])
def test_restart_intervals_are_checked_one_by_one(blocks: int):
    image = jpeg(phantom(8, rows=200, columns=200), quality=95, restart_marker_blocks=blocks)
    check(image)
    middle = len(image) * 2 // 3
    with pytest.raises(ValueError, match=r"(more|less) data"):
        check(image[:middle] + image[middle + 150 :])


def test_fill_bytes_do_no_harm():
    image = jpeg(phantom(8), quality=95)
    check(image[:-2] + b"\xff\xff" + image[-2:])


def test_missing_and_left_over_data_are_told():
    image = jpeg(phantom(8), quality=95)
    with pytest.raises(ValueError, match="less data"):
        check(image[:-22] + image[-2:])
    with pytest.raises(ValueError, match="more data"):
        check(image[:-2] + bytes(20) + image[-2:])
    with pytest.raises(ValueError, match="a marker"):
        check(image[:-2] + b"\xff\x01" + image[-2:])
    with pytest.raises(ValueError, match="not sequential"):
        check(jpeg(phantom(8), progressive=True))
