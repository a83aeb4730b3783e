"""Derived objects say that their source was compressed with loss, also where it says nothing."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
)
from support.conformance import violations
from support.dicom_phantoms import stored_values, uid, write_ct
from support.native import DERIVATION, write_unchanged

from rgan_sdk import _core
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.batches import BatchReader
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.write.writer import write_derived

pytest.importorskip(
    "imagecodecs", reason="imagecodecs is not installed; pip install 'rgan-sdk[codecs]'"
)

SIZE = 64  # JPEG 2000 has too many resolutions for less
METHODS = [
    (JPEGBaseline8Bit, 8, "ISO_10918_1"),
    (JPEGExtended12Bit, 12, "ISO_10918_1"),
    (JPEGLSNearLossless, 12, "ISO_14495_1"),
]


def write_source(path: Path, syntax: UID, bits: int = 12, **attributes: object) -> Path:
    number = int(path.stem)
    own = {"SOPInstanceUID": uid(1, 1, number), "ImagePositionPatient": [0, 0, number]}
    stored = stored_values(bits_allocated=8 if bits == 8 else 16, bits_stored=bits, size=SIZE)
    return write_ct(path, stored, syntax=syntax, bits_stored=bits, **own, **attributes)


def stated(dataset: Dataset) -> tuple[object, object]:
    return dataset.get("LossyImageCompression"), dataset.get("LossyImageCompressionMethod")


@pytest.mark.parametrize("header", [{}, {"LossyImageCompression": "00"}])
@pytest.mark.parametrize(("syntax", "bits", "method"), METHODS)
def test_a_loss_that_the_transfer_syntax_tells_is_stated(
    tmp_path: Path, syntax: UID, bits: int, method: str, header: dict[str, str]
):
    paths = [write_source(tmp_path / "in" / str(i), syntax, bits, **header) for i in range(2)]
    for derived in write_unchanged(tmp_path / "in", tmp_path / "out"):
        assert stated(derived) == ("01", method)
    source = read_slice(paths[0])
    write_derived(source, source.hu, DERIVATION, tmp_path / "derived")
    assert violations(paths[0], tmp_path / "derived", DERIVATION) == []


def test_each_slice_states_its_own_loss(tmp_path: Path):
    syntaxes = [JPEGLSLossless, JPEGLSNearLossless, JPEGLSLossless]
    for number, syntax in enumerate(syntaxes):
        write_source(tmp_path / "in" / str(number), syntax)
    derived = write_unchanged(tmp_path / "in", tmp_path / "out")
    none = (None, None)
    assert [stated(each) for each in derived] == [none, ("01", "ISO_14495_1"), none]


@pytest.mark.parametrize("method", [None, "ISO_14495_1", "OURS"])
def test_what_is_stated_stays_and_is_written_natively(tmp_path: Path, method: str | None):
    header = {"LossyImageCompression": "01", "LossyImageCompressionMethod": method}
    write_source(tmp_path / "in" / "0", JPEGLSNearLossless, **header)
    (derived,) = write_unchanged(tmp_path / "in", tmp_path / "out")
    assert stated(derived) == ("01", method)
    (series,) = find_series(tmp_path / "in").series
    (source,) = BatchReader(1).read(series.slices, np.empty((1, SIZE, SIZE), np.float32))
    assert isinstance(source, _core.SourceSlice)


def test_a_method_that_is_stated_alone_stays(tmp_path: Path):
    write_source(tmp_path / "in" / "0", JPEGExtended12Bit, LossyImageCompressionMethod="OURS")
    (derived,) = write_unchanged(tmp_path / "in", tmp_path / "out")
    assert stated(derived) == ("01", "OURS")


@pytest.mark.parametrize("syntax", [JPEG2000, JPEG2000Lossless])
def test_jpeg_2000_is_no_sign_of_a_loss(tmp_path: Path, syntax: UID):
    """Its frames may be reversible in any of its transfer syntaxes."""
    path = write_source(tmp_path / "in" / "0", JPEG2000Lossless)
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path)
    (derived,) = write_unchanged(tmp_path / "in", tmp_path / "out")
    assert stated(derived) == (None, None)
