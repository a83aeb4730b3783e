"""The native reader and writer against those that go through pydicom."""

import io
import os
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from support.dicom_phantoms import uid, write_ct, write_series
from support.native import DERIVATION, POOL, check_file, read, scan
from support.requirements import data_root, require_data
from support.variants import write_variant

from rgan_sdk import _core
from rgan_sdk.dicom.derived import (
    READ_FROM_SOURCE,
    REMOVED,
    WRITTEN,
    derived_header,
    derived_sop_uid,
)
from rgan_sdk.dicom.reader import read_dataset, read_slice
from rgan_sdk.dicom.series import find_series
from rgan_sdk.dicom.splice import SplicedSeries
from rgan_sdk.dicom.writer import derive, encode

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
    results = _core.write_batch(natives, hu + noise, series.plan, jobs, False, POOL)
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


@pytest.mark.parametrize("start", range(0, 2000, 250))
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
        (written,) = _core.write_batch([native], image[None], series.plan, [job], True, POOL)
        assert written.problem == "NaN or infinite values"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    (path,) = write_series(tmp_path, 1)
    native, hu = read(path, 16, 16)
    series = SplicedSeries(read_dataset(path), native, DERIVATION)
    job = series.job("1.2.3", tmp_path / "absent")
    (written,) = _core.write_batch([native], hu[None], series.plan, [job], False, POOL)
    assert written.problem == "cannot be written: No such file or directory"
    assert not written.handed_back
    job = series.job("1.2.3", tmp_path)
    for expected in (None, "cannot be written: File exists"):
        (written,) = _core.write_batch([native], hu[None], series.plan, [job], False, POOL)
        assert written.problem == expected
    assert len(list(tmp_path.iterdir())) == 2


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
        _core.write_batch([native], hu[None], series.plan, [], False, POOL)
    job = series.job("1.2.3", tmp_path)
    with pytest.raises(ValueError, match="shape of its HU"):
        _core.write_batch([native], hu[None, :8].copy(), series.plan, [job], False, POOL)
    assert read(path, 16, 15)[0].problem == "rows or columns differ from the batch"
