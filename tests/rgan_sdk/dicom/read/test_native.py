"""The native reader and writer against those that go through pydicom."""

import io
import os
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import HTJ2KLossless, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless
from support.checksums import listed
from support.dicom_phantoms import stored_values, uid, write_ct, write_series
from support.native import DERIVATION, POOL, check_file, read, scan
from support.requirements import data_root, require_data
from support.variants import write_variant

from rgan_sdk import _core
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read import batches
from rgan_sdk.dicom.read.batches import BatchReader
from rgan_sdk.dicom.read.pydicom_reader import read_dataset, read_slice
from rgan_sdk.dicom.write.attributes import READ_FROM_SOURCE, REMOVED, WRITTEN
from rgan_sdk.dicom.write.clamping import StorableRange
from rgan_sdk.dicom.write.derivation import derived_sop_uid
from rgan_sdk.dicom.write.derived_header import derived_header
from rgan_sdk.dicom.write.series_writer import SeriesWriter
from rgan_sdk.dicom.write.splice import SplicedSeries
from rgan_sdk.dicom.write.writer import derive, encode

pytestmark = pytest.mark.filterwarnings("ignore")  # of pydicom, on odd values


def write_both_ways(paths, folder, derivation=DERIVATION):
    """Write slices natively and through pydicom; return what the native writer said of each."""
    sources = [read_slice(path) for path in paths]
    shape = sources[0].hu.shape
    hu = np.empty((len(paths), *shape), np.float32)
    natives = _core.read_batch([(os.fsencode(path), None) for path in paths], hu, POOL)
    assert [native.problem for native in natives] == [None] * len(paths)
    noise = np.random.default_rng(0).normal(0, 500, hu.shape).astype(np.float32)
    series = SplicedSeries(sources[0].dataset, natives[0], derivation)
    uids = [str(source.dataset.SOPInstanceUID) for source in sources]
    jobs = [series.job(sop_uid, folder) for sop_uid in uids]
    results = _core.write_batch(natives, hu + noise, series.template, jobs, False, POOL)
    for source, sop_uid, image, written in zip(sources, uids, hu + noise, results, strict=True):
        if written.problem is not None:
            assert written.handed_back
            continue
        expected = derive(source, image, derivation)
        wanted = dcmread(io.BytesIO(encode(expected.dataset)))
        got = dcmread(folder / f"{derived_sop_uid(sop_uid, derivation)}.dcm")
        assert got == wanted
        assert got.file_meta == wanted.file_meta
        assert written.clips == expected.clips
    return [written.problem for written in results]


def test_real_files():
    require_data("odd_and_malformed")
    files = sorted(path for path in data_root().rglob("*") if path.is_file())
    counts = Counter(check_file(path) for path in files)
    assert counts["equal"] >= 400
    assert counts["pixels handed back"] == 0


@pytest.mark.parametrize(
    "start",
    [0, 250, *(pytest.param(start, marks=pytest.mark.slow) for start in range(500, 2000, 250))],
)
def test_generated_variants(tmp_path, start):
    counts = Counter()
    for number in range(start, start + 250):
        path = write_variant(tmp_path / f"{number}.dcm", number)
        outcome = check_file(path)
        counts[outcome] += 1
        if outcome == "equal":
            (tmp_path / f"out-{number}").mkdir()
            (problem,) = write_both_ways([path], tmp_path / f"out-{number}")
            counts["written" if problem is None else problem] += 1
    assert counts["equal"] > 100
    assert counts["written"] == counts["equal"], counts


@pytest.mark.parametrize("name", ["pair_lungdx_A0002_siemens", "lidc_idri_0001_ge_standard"])
def test_real_series_are_written_alike(tmp_path, name):
    for series in find_series(require_data(name)).series:
        derivation = replace(DERIVATION, group=series.group)
        paths = [file.path for file in series.slices[:8]]
        assert write_both_ways(paths, tmp_path, derivation) == [None] * len(paths)


def test_a_target_kernel_of_several_values_is_written_alike(tmp_path):
    paths = write_series(tmp_path / "in", 2, ConvolutionKernel=["Br64d", "3"])
    (tmp_path / "out").mkdir()
    derivation = replace(DERIVATION, target_kernel="Br40d\\3")
    assert write_both_ways(paths, tmp_path / "out", derivation) == [None, None]
    for path in (tmp_path / "out").iterdir():
        derived = dcmread(path)
        assert derived.ConvolutionKernel == ["Br64d", "3"]
        assert derived.SeriesDescription == "Chest RGAN>Br40d/3"
        assert "from convolution kernel Br64d\\3 to Br40d\\3 by" in derived.DerivationDescription


def test_a_slice_whose_header_differs_is_handed_back(tmp_path):
    first, second = write_series(tmp_path, 2)
    write_ct(second, SOPInstanceUID=uid(1, 1, 2), SeriesDescription="Abdomen")
    out = tmp_path / "out"
    out.mkdir()
    assert write_both_ways([first, second], out) == [
        None,
        "the header differs from the series' first slice (0008,103e)",
    ]
    assert len(list(out.iterdir())) == 1


OTHER_VALUES = {
    **{vr: (vr, "1") for vr in ("CS", "DA", "DS", "IS", "LO", "SH", "ST", "TM")},
    "SQ": ("SQ", [Dataset()]),
    "UI": ("UI", "1.2"),
}

# Another pixel format or RescaleType is refused before; another class or series is not of it.
WATCHED = sorted(
    set(READ_FROM_SOURCE)
    - {"BitsAllocated", "BitsStored", "PixelRepresentation", "RescaleType"}
    - {"SOPClassUID", "SeriesInstanceUID"}
)


@pytest.mark.parametrize("keyword", WATCHED)
def test_what_a_derived_header_reads_is_watched(tmp_path, keyword):
    """Each attribute that the derivation depends on, changed in the second slice alone."""
    first, second = write_series(tmp_path, 2)
    dataset, tag = dcmread(second), tag_for_keyword(keyword)
    if keyword in dataset:
        del dataset[keyword]
    else:
        dataset.add_new(tag, *OTHER_VALUES.get(dictionary_VR(tag), ("US", 1)))
    dataset.save_as(second)
    out = tmp_path / "out"
    out.mkdir()
    assert write_both_ways([first, second], out) == [
        None,
        f"the header differs from the series' first slice ({tag >> 16:04x},{tag & 0xFFFF:04x})",
    ]


@pytest.mark.parametrize("keyword", ["ContentQualification", "DerivationDescription", "SeriesDate"])
def test_what_the_first_slice_has_already_is_written_into_all(tmp_path, keyword):
    first, second = write_series(tmp_path, 2)
    dataset = dcmread(first)
    setattr(dataset, keyword, derived_header(dataset, DERIVATION)[keyword].value)
    dataset.save_as(first)
    out = tmp_path / "out"
    out.mkdir()
    assert write_both_ways([first, second], out) == [None, None]


@pytest.mark.parametrize(
    "syntax", [JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, HTJ2KLossless]
)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("padding", [None, 0, 7])
def test_encoded_slices_are_written_natively(tmp_path, syntax, signed, padding):
    for number in range(2):
        stored = stored_values(signed=signed, bits_stored=13, size=32)
        attributes = {"SOPInstanceUID": uid(8, number), "ImagePositionPatient": [0, 0, number]}
        path = tmp_path / "in" / f"{number}.dcm"
        write_ct(
            path, stored, syntax=syntax, bits_stored=13, PixelPaddingValue=padding, **attributes
        )
    files = find_series(tmp_path / "in").series[0].slices
    hu, reader = np.empty((2, 32, 32), np.float32), BatchReader(2)
    sources = reader.read(files, hu)
    assert all(isinstance(source, _core.SourceSlice) for source in sources)
    expected = [read_slice(file.path) for file in files]
    assert np.array_equal(hu, [source.hu for source in expected])
    changed = hu + np.random.default_rng(0).normal(0, 500, hu.shape).astype(np.float32)
    (tmp_path / "out").mkdir()
    written = SeriesWriter(DERIVATION, tmp_path / "out", POOL, durable=False).write(
        files, sources, changed
    )
    derived = [
        derive(source, image, DERIVATION) for source, image in zip(expected, changed, strict=True)
    ]
    assert [one.clips for one in written] == [one.clips for one in derived]
    storable = StorableRange.of(expected[0].dataset)
    assert [one.clamped for one in written] == [
        storable.locate(hu, one.clips) for hu, one in zip(changed, written, strict=True)
    ]
    for file, one, noted in zip(files, derived, written, strict=True):
        name = f"{derived_sop_uid(file.sop_instance_uid, DERIVATION)}.dcm"
        assert noted[:3] == listed(tmp_path / "out" / name)
        assert dcmread(tmp_path / "out" / name) == dcmread(io.BytesIO(encode(one.dataset)))


def test_no_decoder_is_at_work_after_a_batch_was_read(tmp_path, monkeypatch):
    for number in range(2):
        attributes = {"SOPInstanceUID": uid(8, number), "ImagePositionPatient": [0, 0, number]}
        write_ct(tmp_path / f"{number}.dcm", syntax=JPEGLSLossless, **attributes)
    files = find_series(tmp_path).series[0].slices
    read_cells = batches.read_cells

    def first_fails_second_is_slow(path, stamp):
        if path == files[0].path:
            raise MemoryError
        time.sleep(0.2)
        return read_cells(path, stamp)

    monkeypatch.setattr(batches, "read_cells", first_fails_second_is_slow)
    hu, reader = np.zeros((2, 16, 16), np.float32), BatchReader(2)
    failed, decoded = reader.read(files, hu)
    assert isinstance(failed, MemoryError)
    assert isinstance(decoded, _core.SourceSlice)
    assert np.array_equal(hu[1], read_slice(files[1].path).hu)


def test_an_encoded_slice_takes_only_its_own_cells(tmp_path):
    path = write_ct(tmp_path / "x", stored_values(size=32), syntax=JPEGLSLossless)
    native, _ = read(path, 32, 32)
    assert native.is_encoded
    hu = np.empty((32, 32), np.float32)
    for cells in (np.zeros((32, 31), np.uint16), np.zeros((32, 32), np.int16)):
        with pytest.raises(ValueError, match="its size and format"):
            native.complete(cells, hu)
    native.complete(np.zeros((32, 32), np.uint16), hu)
    assert not native.is_encoded
    with pytest.raises(ValueError, match="must be encoded"):
        native.complete(np.zeros((32, 32), np.uint16), hu)


def test_nothing_else_is_written(tmp_path):
    (path,) = write_series(tmp_path, 1)
    source = read_slice(path).dataset
    derived = derived_header(source, DERIVATION)
    own = {*WRITTEN, "SOPInstanceUID", "SourceImageSequence"}
    for element in derived:
        assert element.keyword in own or source[element.tag] == element
    assert not {element.keyword for element in source} - {e.keyword for e in derived} - {*REMOVED}


def test_what_is_not_finite_is_not_written(tmp_path):
    (path,) = write_series(tmp_path, 1)
    source = read_slice(path)
    native, hu = read(path, 16, 16)
    series = SplicedSeries(source.dataset, native, DERIVATION)
    for bad in (np.nan, np.inf, -np.inf):
        image = hu.copy()
        image[3, 4] = bad
        job = series.job("1.2.3", tmp_path)
        (written,) = _core.write_batch([native], image[None], series.template, [job], True, POOL)
        assert written.problem == "NaN or infinite values"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    (path,) = write_series(tmp_path, 1)
    native, hu = read(path, 16, 16)
    series = SplicedSeries(read_dataset(path), native, DERIVATION)
    job = series.job("1.2.3", tmp_path / "absent")
    (written,) = _core.write_batch([native], hu[None], series.template, [job], False, POOL)
    assert written.problem == "cannot be written: No such file or directory"
    assert not written.handed_back
    job = series.job("1.2.3", tmp_path)
    for expected in (None, "cannot be written: File exists"):
        (written,) = _core.write_batch([native], hu[None], series.template, [job], False, POOL)
        assert written.problem == expected
    assert len(list(tmp_path.iterdir())) == 2


def test_sources_live_as_long_as_they_are_written(tmp_path):
    class Fleeting:
        """A sequence that does not keep what it hands out."""

        def __len__(self):
            return 8

        def __getitem__(self, index):
            if index >= len(self):
                raise IndexError(index)
            return read(path, 16, 16)[0]

    (path,) = write_series(tmp_path, 1)
    native, hu = read(path, 16, 16)
    series = SplicedSeries(read_dataset(path), native, DERIVATION)
    jobs = [series.job(f"1.2.{number}", tmp_path) for number in range(8)]
    stack = np.repeat(hu[None], 8, axis=0)
    results = _core.write_batch(Fleeting(), stack, series.template, jobs, False, POOL)
    assert [written.problem for written in results] == [None] * 8


def test_a_path_with_a_null_byte_is_refused(tmp_path):
    (path,) = write_series(tmp_path, 1)
    cut = os.fsencode(path) + b"\0.other"
    with pytest.raises(ValueError, match="null byte"):
        _core.scan([cut], POOL)
    with pytest.raises(ValueError, match="null byte"):
        _core.read_batch([(cut, None)], np.empty((1, 16, 16), np.float32), POOL)


def test_a_file_that_has_changed_is_handed_back(tmp_path):
    (path,) = write_series(tmp_path, 1)
    (head,) = scan(path)
    write_ct(path, Manufacturer="Another")
    native, _ = read(path, 16, 16, head.stamp)
    assert native.problem == "changed while it was read"


@pytest.mark.parametrize("kind", ["absent", "link", "folder", "fifo", "empty"])
def test_what_is_no_regular_file(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "link":
        path.symlink_to(write_series(tmp_path, 1)[0])
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "empty":
        path.touch()
    (head,) = scan(path)
    assert head.problem is not None


def test_wrong_arrays_are_refused(tmp_path):
    (path,) = write_series(tmp_path, 1)
    native, hu = read(path, 16, 16)
    series = SplicedSeries(read_dataset(path), native, DERIVATION)
    with pytest.raises(ValueError, match="fewer slices"):
        _core.read_batch([(os.fsencode(path), None)] * 2, hu[None], POOL)
    with pytest.raises(ValueError, match="one source and one slice"):
        _core.write_batch([native], hu[None], series.template, [], False, POOL)
    job = series.job("1.2.3", tmp_path)
    with pytest.raises(ValueError, match="shape of its HU"):
        _core.write_batch([native], hu[None, :8].copy(), series.template, [job], False, POOL)
    with pytest.raises(TypeError, match="must not be None"):
        _core.write_batch([None], hu[None], series.template, [job], False, POOL)
    assert read(path, 16, 15)[0].problem == "rows or columns differ from the batch"
