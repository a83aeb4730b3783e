"""Headers are gathered by what they have in common, whichever reader took them."""

from pathlib import Path

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian
from support.dicom_phantoms import write_ct, write_series
from support.native import scan

from rgan_sdk.dicom.header import read_header
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.scanner import HeaderScan
from rgan_sdk.dicom.slices.alike import gather


def scan_all(paths) -> HeaderScan:
    headers = HeaderScan()
    assert list(headers.read(map(str, paths))) == []
    return headers


def test_slices_of_one_series_are_alike(tmp_path: Path):
    (alike,) = scan_all(write_series(tmp_path, 3)).found
    assert len(alike) == 3
    assert len(set(alike.sop_instance_uids)) == 3


def test_any_other_value_parts_them(tmp_path: Path):
    paths = [
        *write_series(tmp_path / "a", 2),
        *write_series(tmp_path / "b", 1, series=2, ConvolutionKernel="B70f"),
        *write_series(tmp_path / "c", 1, series=3, SliceThickness=3),
        *write_series(tmp_path / "d", 1, series=4, ReconstructionAlgorithm="ITERATIVE"),
    ]
    found = scan_all(paths).found
    assert [len(alike) for alike in found] == [2, 1, 1, 1]
    assert found[3].header.reconstruction == "ITERATIVE"


def test_the_elements_that_were_asked_for_count(tmp_path: Path):
    first, second = write_series(tmp_path, 2)
    other = write_ct(tmp_path / "other", SOPInstanceUID="1.2.3", SeriesDescription="another")
    heads = scan(first, second)
    assert heads[0].common == heads[1].common
    description = 0x0008103E
    with_description = [head.common for head in scan(first, other, tags=[description])]
    assert with_description[0] != with_description[1]


def test_both_readers_gather_the_same(tmp_path: Path):
    paths = write_series(tmp_path, 3)
    (natively,) = scan_all(paths).found
    (slowly,) = gather(map(read_header, paths))
    assert natively.header == slowly.header
    assert (natively.paths, natively.sop_instance_uids) == (slowly.paths, slowly.sop_instance_uids)
    assert natively.places == slowly.places


def test_slices_that_take_different_readers_form_one_series(tmp_path: Path):
    for number, syntax in enumerate([ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]):
        write_ct(tmp_path / str(number), syntax=syntax, SOPInstanceUID=f"1.2.{number}")
    assert len(scan_all(sorted(tmp_path.iterdir())).found) == 2
    (series,) = find_series(tmp_path).series
    assert len(series.slices) == 2


def test_a_slice_can_be_taken_out(tmp_path: Path):
    (alike,) = scan_all(write_series(tmp_path, 4)).found
    uids, stamps = list(alike.sop_instance_uids), [alike.stamp(index) for index in range(4)]
    alike.drop([2, 0])
    assert alike.sop_instance_uids == [uids[1], uids[3]]
    assert [alike.stamp(0), alike.stamp(1)] == [stamps[1], stamps[3]]
