"""What headers say of the reconstruction, read natively and by pydicom alike."""

from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from support.dicom_phantoms import ct_dataset, save, uid, write_series
from support.native import scan_header

from rgan_sdk.dicom.header import read_header
from rgan_sdk.dicom.inventory import find_series

GE, PHILIPS, CANON = "GEHC_CT_ADVAPP_001", "ELSCINT1", "TOSHIBA_MEC_CT3"


def private(creator: str, group: int, vr: str, elements: dict[int, object], first=None) -> Dataset:
    """Return a slice with a private block, behind one of another creator if ``first`` is given."""
    dataset = ct_dataset()
    if first:
        dataset.private_block(group, first, create=True).add_new(min(elements), "LO", "not this")
    block = dataset.private_block(group, creator, create=True)
    for element, value in elements.items():
        block.add_new(element, vr, value)
    return dataset


def in_sequence(*algorithms: str) -> Dataset:
    items = []
    for algorithm in algorithms:
        items.append(Dataset())
        items[-1].ReconstructionAlgorithm = algorithm
    return ct_dataset(CTReconstructionSequence=items)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        (ct_dataset(), None),
        (ct_dataset(ReconstructionAlgorithm=""), None),
        (ct_dataset(ReconstructionAlgorithm="ITERATIVE"), "ITERATIVE"),
        (in_sequence("FILTER_BACK_PROJ"), "FILTER_BACK_PROJ"),
        (in_sequence(), None),
        (in_sequence("ITERATIVE", "ITERATIVE"), "ITERATIVE"),
        (private(GE, 0x53, "SH", {0x40: "ASIR-V 40%"}), "ASIR-V 40%"),
        (private(GE, 0x53, "UN", {0x42: b"ASiR-V", 0x43: b"40 "}), "ASiR-V, level 40"),
        (private(GE, 0x53, "SH", {0x40: "AR40"}, first="OTHER"), "AR40"),
        (private("OTHER", 0x53, "SH", {0x40: "ASIR-V 40%"}), None),
        (private(PHILIPS, 0x1F7, "IS", {0x9B: "4"}), "iDose level 4"),
        (private(PHILIPS, 0x1F7, "IS", {0x9B: ""}), None),
        (private(CANON, 0x7005, "SH", {0x0B: "AIDR 3D STD"}), "filter AIDR 3D STD"),
        (private(GE, 0x53, "LO", {0x42: "\x1b[31mred\r\nline\tüo"}), "[31mred line o"),
        (private(GE, 0x53, "LO", {0x42: "x" * 64, 0x43: "y"}), "x" * 64),
    ],
)
@pytest.mark.filterwarnings("ignore:::pydicom")
def test_the_reconstruction_is_read_where_it_is_stated(
    tmp_path: Path, dataset: Dataset, said: str, syntax: str
):
    path = save(tmp_path / "a.dcm", dataset, syntax)
    scanned = scan_header(path)
    assert scanned == read_header(path)
    assert scanned.reconstruction == said


@pytest.mark.parametrize("content", [b"junkjunk", b"\xfe\xff\x00\xe0\xff\x00\x00\x00"])
def test_a_sequence_that_is_badly_written_fails_nothing(tmp_path: Path, content: bytes):
    dataset = ct_dataset()
    dataset.add_new(0x00189314, "OB", content)
    save(tmp_path / "a.dcm", dataset, ImplicitVRLittleEndian)
    (series,) = find_series(tmp_path).series
    assert series.reconstruction is None


def test_a_series_states_what_any_of_its_slices_does(tmp_path: Path):
    write_series(tmp_path, 3, ReconstructionAlgorithm="ITERATIVE")
    (series,) = find_series(tmp_path).series
    assert series.reconstruction == "ITERATIVE"
    save(tmp_path / "b.dcm", ct_dataset(SOPInstanceUID=uid(1, 1, 9)))
    (series,) = find_series(tmp_path).series
    assert len(series.slices) == 4
    assert series.reconstruction == "ITERATIVE in some slices"
