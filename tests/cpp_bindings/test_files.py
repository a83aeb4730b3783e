"""``rgan_scan`` and ``rgan_read_batch`` find what Python's native reader finds."""

import ctypes
import os
from collections import Counter

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless
from support import native
from support.dicom_phantoms import stored_values, uid, write_ct, write_series
from support.librgan import LIBRARY, Engine, LibraryError, Model, check
from support.librgan_files import TEXTS, Batch, Headers, SliceHeader, Stamp, as_array
from support.models import make_model, make_series_card
from support.padding import corners, pad_files
from support.requirements import data_root, require_data

import rgan_sdk as rgan
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.batches import hide_padding
from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_sdk.dicom.stamp import Stamp as FileStamp

NUMBERS = ("rows", "columns")
SEQUENCES = ("pixel_spacing", "orientation", "position")


def outcome(call):
    """Return the status of a call and its text; "OK" and None if it succeeds."""
    try:
        call()
    except LibraryError as error:
        return error.status, error.text
    return "OK", None


def compare(path):
    """Compare both readers on a file, and return what became of it."""
    (head,) = native.scan(path)
    with Headers(path) as headers:
        status, text = outcome(headers.get)
        assert text == (head.problem and f"{path}: {head.problem}")
        if status != "OK":
            return status
        header = headers.get()
        for name in TEXTS:
            assert getattr(header, name).decode("ascii") == getattr(head, name), name
        for name in NUMBERS:
            assert getattr(header, name) == getattr(head, name), name
        for name in SEQUENCES:
            assert tuple(getattr(header, name)) == tuple(getattr(head, name)), name
        assert header.slice_thickness == (head.slice_thickness or 0)
        stamp = header.stamp
        assert (stamp.file_size, stamp.modified_ns, stamp.inode) == head.stamp
        return compare_pixels(path, header)


def compare_pixels(path, header):
    source, hu = native.read(path, header.rows, header.columns)
    with Batch(path, rows=header.rows, columns=header.columns, stamps=[header.stamp]) as batch:
        status, text = outcome(batch.check)
        assert text == (source.problem and f"{path}: {source.problem}")
        if status == "OK":
            hide_padding(source, hu)
            assert np.array_equal(batch.hu[0], hu)
        else:
            assert np.isnan(batch.hu).all()
        return status


@pytest.mark.parametrize(
    ("series", "least"),
    [("pair_lungdx_A0002_siemens", 60), ("lidc_idri_0001_ge_standard", 133)],
)
def test_real_series_are_as_in_python(series, least):
    files = sorted(require_data(series).rglob("*.dcm"))
    found = Counter(map(compare, files))
    assert found["OK"] >= least, found


def test_odd_and_malformed_files_are_as_in_python():
    require_data("odd_and_malformed")
    files = [path for path in sorted(data_root().glob("odd_*/**/*")) if path.is_file()]
    found = Counter(map(compare, files))
    assert found.keys() <= {"OK", "SLICE_FORMAT", "NOT_FOUND"}, found
    assert found["OK"] >= 10, found
    assert found["SLICE_FORMAT"] >= 100, found


def test_a_header_says_how_pixels_are_stored(tmp_path):
    write_ct(
        tmp_path / "1.dcm",
        stored_values(signed=True, size=8),
        bits_stored=12,
        RescaleSlope=0.5,
        RescaleIntercept=-3.25,
        PixelPaddingValue=-2000,
        PixelPaddingRangeLimit=-1990,
    )
    with Headers(tmp_path / "1.dcm") as headers:
        header = headers.get()
        assert (header.bits_allocated, header.bits_stored, header.is_signed) == (16, 12, 1)
        assert (header.slope, header.intercept) == (0.5, -3.25)
        assert (header.has_padding, header.padding_low, header.padding_high) == (1, -2000, -1990)
        assert header.sop_instance_uid.decode() == uid(1, 1, 1)


def test_what_is_absent_is_empty_or_zero(tmp_path):
    write_ct(tmp_path / "1.dcm", ConvolutionKernel=None, SliceThickness=None)
    with Headers(tmp_path / "1.dcm") as headers:
        header = headers.get()
        assert header.convolution_kernel == b""
        assert header.slice_thickness == 0
        assert (header.has_padding, header.padding_low, header.padding_high) == (0, 0, 0)


@pytest.mark.parametrize("threads", [0, 1, 5])
def test_files_are_in_the_order_of_their_paths(threads, tmp_path):
    files = write_series(tmp_path, 6)
    files.insert(2, tmp_path / "none.dcm")
    with Headers(*files, threads=threads) as headers:
        for index, path in enumerate(files):
            if index == 2:
                with pytest.raises(LibraryError, match=r"NOT_FOUND: .*none.dcm: cannot be read"):
                    headers.get(index)
            else:
                assert headers.get(index).position[2] == -2 * int(path.stem[-1])
    with Batch(*files, rows=16, columns=16, threads=threads) as batch:
        for index, path in enumerate(files):
            if index == 2:
                with pytest.raises(LibraryError, match=r"NOT_FOUND: .*none.dcm: cannot be read"):
                    batch.check(index)
                assert np.isnan(batch.hu[index]).all()
            else:
                batch.check(index)
                assert np.array_equal(batch.hu[index], native.read(path, 16, 16)[1])


@pytest.mark.parametrize("value", [-2000, -1024, 0, 900])
def test_a_padded_series_is_harmonized_as_in_python(value, tmp_path):
    size = 32
    tissue = np.random.default_rng(1).integers(1030, 1300, (size, size)).astype(np.uint16)
    files = write_series(tmp_path / "in", 3, stored=tissue, bits_stored=12)
    padding = corners(size)
    pad_files(tmp_path / "in", padding, value, PixelPaddingValue=value)
    content = make_model(make_series_card()).SerializeToString()
    (tmp_path / "model.onnx").write_bytes(content)
    with rgan.Harmonizer.load(
        tmp_path / "model.onnx", engine="onnxruntime", device="cpu"
    ) as harmonizer:
        rgan.harmonize_directory(tmp_path / "in", tmp_path / "out", harmonizer)
    written = {
        found.InstanceNumber: found.pixel_array
        for found in map(dcmread, (tmp_path / "out").rglob("*.dcm"))
    }
    with Headers(*files) as headers, Batch(*files, rows=size, columns=size) as batch:
        spacing = float(np.mean(headers.get().pixel_spacing))
        with Model(content) as model, Engine(model) as engine:
            found = engine.harmonize(batch.hu, spacing)
    assert (found[:, padding] == PADDING_HU).all()
    for number, hu in enumerate(found, start=1):
        image = ~padding & (np.rint(hu) != value)  # the writer moves what looks like padding
        assert np.array_equal(np.rint(hu[image]), written[number][image])
        assert not np.array_equal(hu[image], batch.hu[number - 1][image])


def test_no_files():
    with Headers() as headers, Batch(rows=4, columns=4) as batch:
        with pytest.raises(LibraryError, match="index must be below the number of files"):
            headers.get(0)
        with pytest.raises(LibraryError, match="index must be below the number of files"):
            batch.check(0)


def test_links_and_folders_are_not_read(tmp_path):
    (tmp_path / "link.dcm").symlink_to(write_ct(tmp_path / "1.dcm"))
    with Headers(tmp_path / "link.dcm", tmp_path) as headers:
        for index in range(2):
            with pytest.raises(LibraryError, match=r"NOT_FOUND: .*not a regular file"):
                headers.get(index)


def test_a_frame_that_needs_a_decoder(tmp_path):
    path = write_ct(
        tmp_path / "1.dcm", stored_values(size=64), bits_stored=12, syntax=JPEG2000Lossless
    )
    assert compare(path) == "SLICE_FORMAT"
    with Batch(path, rows=64, columns=64) as batch:
        with pytest.raises(LibraryError, match=r"SLICE_FORMAT: .*transfer syntax"):
            batch.check()
        assert np.isnan(batch.hu).all()


def test_another_size_than_that_of_the_batch(tmp_path):
    path = write_ct(tmp_path / "1.dcm")
    with Batch(path, rows=16, columns=15) as batch:
        assert outcome(batch.check) == (
            "SLICE_FORMAT",
            f"{path}: rows or columns differ from the batch",
        )


def test_a_file_that_was_changed_in_between(tmp_path):
    path = write_ct(tmp_path / "1.dcm")
    with Headers(path) as headers:
        stamp = headers.get().stamp
    os.utime(path, ns=(0, 0))
    with Batch(path, rows=16, columns=16, stamps=[stamp]) as batch:
        assert outcome(batch.check) == ("NOT_FOUND", f"{path}: changed while it was read")
    with Batch(path, rows=16, columns=16, stamps=[Stamp()]) as batch:
        batch.check()


@pytest.mark.parametrize("year", [1600, 1969, 2026, 2300, 5000])
@pytest.mark.parametrize("patient", ["P1", "CANÄRY"])
def test_a_time_that_64_bits_cannot_hold_becomes_the_nearest(year, patient, tmp_path):
    path = write_ct(tmp_path / "1.dcm", PatientID=patient, SpecificCharacterSet="ISO_IR 100")
    wanted_ns = round((year - 1970) * 365.2425 * 24 * 3600) * 10**9 + 5
    os.utime(path, ns=(wanted_ns, wanted_ns))
    modified_ns = path.stat().st_mtime_ns  # another one where the file system does not keep it
    (head,) = native.scan(path)
    assert head.stamp == FileStamp.from_stat(path.stat())
    assert head.stamp[1] == min(max(modified_ns, -(2**63)), 2**63 - 1)
    (series,) = find_series(tmp_path).series
    assert series.slices[0].stamp == head.stamp


def test_errors_hold_no_value_of_the_file(tmp_path):
    path = write_ct(tmp_path / "1.dcm", PatientID="CANÄRY", SpecificCharacterSet="ISO_IR 100")
    with Headers(path) as headers:
        text = f"{path}: unusual value (0010,0020)"
        assert outcome(headers.get) == ("SLICE_FORMAT", text)


def test_headers_outlive_their_files(tmp_path):
    path = write_ct(tmp_path / "1.dcm")
    with Headers(path) as headers:
        path.unlink()
        assert headers.get().manufacturer == b"Scanner Works"
        assert headers.get().sop_class_uid == b"1.2.840.10008.5.1.4.1.1.2"


def test_wrong_arguments(tmp_path):
    paths = as_array([write_ct(tmp_path / "1.dcm")])
    out = ctypes.byref(ctypes.c_void_p())
    hu = np.zeros((16, 16), np.float32).ctypes.data
    wrong = {
        "paths must not be NULL": lambda: LIBRARY.rgan_scan(None, 1, 0, out),
        "no path may be NULL": lambda: LIBRARY.rgan_scan((ctypes.c_char_p * 1)(), 1, 0, out),
        "threads must not be negative": lambda: LIBRARY.rgan_scan(paths, 1, -1, out),
        "threads must be at most 1024": lambda: LIBRARY.rgan_scan(paths, 1, 1025, out),
        "headers must not be NULL": lambda: LIBRARY.rgan_scan(paths, 1, 0, None),
        "headers and header must not": lambda: LIBRARY.rgan_headers_get(None, 0, out),
        "batch must not be NULL": lambda: LIBRARY.rgan_batch_status(None, 0),
    }
    for rows, columns, place, message in [
        (0, 16, hu, "rows and columns must be from 1 to 8192"),
        (16, 8193, hu, "rows and columns must be from 1 to 8192"),
        (16, 16, None, "hu must not be NULL"),
    ]:
        wrong[message] = lambda size=(rows, columns), place=place: LIBRARY.rgan_read_batch(
            paths, None, 1, *size, place, 0, out
        )
    for message, call in wrong.items():
        with pytest.raises(LibraryError, match=f"INVALID_ARGUMENT: {message}"):
            check(call())


def test_a_structure_of_another_size(tmp_path):
    header = SliceHeader(8)
    path = write_ct(tmp_path / "1.dcm")
    message = r"set size to sizeof\(rgan_slice_header\)"
    with Headers(path) as headers, pytest.raises(LibraryError, match=message):
        check(LIBRARY.rgan_headers_get(headers.pointer, 0, ctypes.byref(header)))
