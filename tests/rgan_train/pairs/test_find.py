import re
import shutil

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from support.dicom_phantoms import ct_dataset, save, uid
from support.requirements import require_data
from support.training import KERNELS, write_pair_of_scans, write_scan

from rgan_sdk.errors import TrainingError
from rgan_train.config import DataConfig
from rgan_train.pairs.dataset import load_dataset
from rgan_train.pairs.find import find_pairs, open_pairs


def test_a_scan_with_two_kernels(scans):
    found = find_pairs([scans])
    (pair,) = found.pairs
    assert (pair.kernel_a, pair.kernel_b) == KERNELS
    assert (pair.slices, pair.rows, pair.columns) == (12, 64, 64)
    assert pair.manufacturer == "Scanner Works"
    assert (found.near_misses, found.series) == ((), 2)
    assert "patient" not in pair.patient


def test_single_series_can_be_given(scans):
    folders = [scans / f"1-{kernel}" for kernel in KERNELS]
    assert len(find_pairs(folders).pairs) == 1
    assert find_pairs(folders[:1]).pairs == ()


def split_in_two(root):
    """Leave half of the slices of B70f, and move the others to another folder."""
    other = root.parent / "other"
    other.mkdir()
    for path in sorted((root / "1-B70f").iterdir())[::2]:
        path.rename(other / path.name)
    return other


def test_a_series_split_over_two_folders(tmp_path):
    root = write_pair_of_scans(tmp_path / "root", slices=4, size=16)
    found = find_pairs([root, split_in_two(root)])
    (pair,) = found.pairs
    assert (pair.slices, found.near_misses, found.series) == (4, (), 2)
    ((_, b),) = open_pairs([pair])
    assert [item.position for item in b.slices] == [0, 2, 4, 6]


@pytest.mark.parametrize("order", [1, -1])
def test_folders_may_overlap(tmp_path, order):
    root = write_pair_of_scans(tmp_path / "root", slices=4, size=16)
    inside = root / "1-B70f"
    shutil.copytree(inside, tmp_path / "copy")
    (pair,) = find_pairs([root, root, root / "..", inside, tmp_path / "copy"][::order]).pairs
    assert pair.slices == 4
    assert len(open_pairs([pair])) == 1


def test_different_copies_of_a_slice_are_an_error(tmp_path):
    for folder, size in (("a", 16), ("b", 16)):
        write_scan(tmp_path / folder, "B40f", slices=2, size=size, SeriesDescription=folder)
    with pytest.raises(TrainingError, match=r"series .* cannot be joined: .*: SeriesDescription;"):
        find_pairs([tmp_path / "a", tmp_path / "b"])


def test_three_kernels_make_three_pairs(tmp_path):
    write_pair_of_scans(tmp_path, slices=2, size=16)
    write_scan(tmp_path, "B30f", series=3, slices=2, size=16)
    assert len(find_pairs([tmp_path]).pairs) == 3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"slices": 3}, "different number of slices: 2 and 3"),
        ({"size": 32}, "different matrix: 16x16 and 32x32"),
        ({"PixelSpacing": [0.7, 0.8]}, "different pixel spacing"),
        ({"FrameOfReferenceUID": "1.2.3"}, "different frames of reference"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "different orientation"),
        ({"ConvolutionKernel": None}, "no ConvolutionKernel"),
    ],
)
def test_near_misses_say_why(tmp_path, changes, reason):
    write_scan(tmp_path, "B40f", series=1, slices=2, size=16)
    write_scan(tmp_path, "B70f", series=2, **{"slices": 2, "size": 16, **changes})
    found = find_pairs([tmp_path])
    assert found.pairs == ()
    assert reason in found.near_misses[0].reason


def test_pixels_that_are_not_square_are_no_pair(tmp_path):
    write_pair_of_scans(tmp_path, slices=2, size=16)
    (pair,) = find_pairs([tmp_path]).pairs
    for path in tmp_path.rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.PixelSpacing = [0.7, 0.75]
        dataset.save_as(path)
    found = find_pairs([tmp_path])
    assert found.pairs == ()
    reason = r"PixelSpacing \(0028,0030\) is 0\.7 and 0\.75 mm: pixels are not square"
    assert re.match(reason, found.near_misses[0].reason)
    with pytest.raises(TrainingError, match=reason):
        open_pairs([pair])


@pytest.mark.parametrize("shift", [(0, 0, 0.5), (3, 0, 0)])
def test_other_positions_are_no_pair(tmp_path, shift):
    write_scan(tmp_path, "B40f", series=1, slices=1, size=16)
    position = [-10 + shift[0], -20, shift[2]]
    write_scan(tmp_path, "B70f", series=2, slices=1, size=16, ImagePositionPatient=position)
    (miss,) = find_pairs([tmp_path]).near_misses
    assert miss.reason.startswith("different positions: slice 0")


def test_several_slices_at_one_position(tmp_path):
    for series, kernel in enumerate(KERNELS):
        write_scan(
            tmp_path, kernel, series=series, slices=2, size=16, ImagePositionPatient=[0, 0, 5]
        )
    assert "several slices at one position" in find_pairs([tmp_path]).near_misses[0].reason


def test_other_studies_and_equal_kernels_are_not_mentioned(tmp_path):
    write_scan(tmp_path, "B40f", number=1, slices=1, size=16)
    write_scan(tmp_path, "B70f", number=2, slices=1, size=16)
    write_scan(tmp_path, "b40F", number=1, series=2, slices=1, size=16)
    found = find_pairs([tmp_path])
    assert (found.pairs, found.near_misses) == ((), ())


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(TrainingError, match="nowhere"):
        find_pairs([tmp_path / "nowhere"])


def test_a_series_that_is_gone(tmp_path):
    write_pair_of_scans(tmp_path, slices=2, size=16)
    pairs = find_pairs([tmp_path]).pairs
    next((tmp_path / "1-B70f").iterdir()).unlink()
    with pytest.raises(TrainingError, match=r"has no series .* of 2 slices 16x16"):
        open_pairs(pairs)


def test_a_series_that_changed(tmp_path):
    write_pair_of_scans(tmp_path, slices=2, size=16)
    pairs = find_pairs([tmp_path]).pairs
    write_scan(
        tmp_path / "1-B70f", "B70f", series=2, slices=2, size=16, FrameOfReferenceUID="1.2.3"
    )
    with pytest.raises(TrainingError, match="no longer a pair: different frames"):
        open_pairs(pairs)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def test_a_series_with_a_truncated_slice_is_listed_once(tmp_path):
    root = write_pair_of_scans(tmp_path, slices=3, size=16)
    truncate(root / "1-B70f" / "1-2-01.dcm")
    found = find_pairs([root, root / "1-B70f"])
    (failure,) = found.failures
    assert (found.pairs, found.series) == ((), 1)
    assert failure.series == uid(1, 1, 2)
    assert len(failure.paths) == 3
    assert failure.reason.startswith("1-B70f/1-2-01.dcm: truncated")


def test_a_series_of_two_patients_and_a_file_without_a_series_are_listed(tmp_path):
    root = write_pair_of_scans(tmp_path, slices=2, size=16)
    write_scan(root, "B50f", series=3, slices=1, size=16)
    write_scan(root / "x", "B50f", series=3, slices=2, size=16, PatientID="CANARY")
    (root / "x" / "1-3-00.dcm").unlink()
    (root / "y").mkdir()
    (root / "y" / "short.dcm").write_bytes((root / "1-3-00.dcm").read_bytes()[:200])
    found = find_pairs([root])
    series, file = found.failures
    assert len(found.pairs) == 1
    assert (series.series, file.series) == (uid(1, 1, 3), "")
    assert series.reason == "the series holds slices of more than one patient"
    assert file.reason.startswith(f"{root / 'y' / 'short.dcm'}: ")


def test_a_listed_series_that_fails_says_why(tmp_path):
    root = write_pair_of_scans(tmp_path, slices=2, size=16)
    pairs = find_pairs([root]).pairs
    truncate(root / "1-B70f" / "1-2-01.dcm")
    with pytest.raises(TrainingError, match=r"series .* failed: 1-2-01.dcm: truncated"):
        open_pairs(pairs)


def test_a_listed_slice_whose_header_cannot_be_read_is_named(tmp_path):
    root = write_pair_of_scans(tmp_path, slices=3, size=16)
    pairs = find_pairs([root]).pairs
    last, *others = sorted((root / "1-B70f").iterdir(), reverse=True)
    last.write_bytes(last.read_bytes()[:300])
    with pytest.raises(TrainingError, match=r"series .* failed: 1-2-02.dcm: PixelData is missing"):
        open_pairs(pairs)
    for path in others:
        path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(TrainingError, match=r"has no series .* 3 failed there, .*1-2-00.dcm: "):
        open_pairs(pairs)


def test_the_real_pair_and_its_split():
    root = require_data("pair_lungdx_A0002_siemens")
    (pair,) = find_pairs([root]).pairs
    assert (pair.kernel_a, pair.kernel_b, pair.slices) == ("B40f", "B70f", 30)
    assert pair.manufacturer == "SIEMENS"
    dataset = load_dataset([pair], DataConfig(source_kernel="B70f"))
    assert (dataset.source_kernel, dataset.target_kernel) == ("B70f", "B40f")
    assert [len(p) for p in (dataset.train, dataset.validation, dataset.test)] == [18, 3, 8]
    assert dataset.train[0].source.parent.name == "B70f"
    positions = [item.position for item in (*dataset.train, *dataset.validation, *dataset.test)]
    assert positions == sorted(positions)
    assert dataset.test[0].position - dataset.validation[-1].position == pytest.approx(16)


def test_a_study_with_two_acquisitions_has_a_pair_of_each(tmp_path):
    for number in (1, 2):
        for kernel in KERNELS:
            series = 10 * number + KERNELS.index(kernel)
            write_scan(tmp_path, kernel, series=series, slices=2, size=16, AcquisitionNumber=number)
    found = find_pairs([tmp_path])
    assert [pair.series_b[:-1] == pair.series_a[:-1] for pair in found.pairs] == [True, True]
    assert {miss.reason for miss in found.near_misses} == {
        "different in slice 0: AcquisitionNumber 1 and 2",
    }


def write_one_uid(root, **more):
    """Write two kernels with one SeriesInstanceUID, and other SOPInstanceUIDs."""
    for series, kernel in enumerate(KERNELS, start=1):
        own = {"SeriesInstanceUID": uid(1, 1, 1), **more}
        write_scan(root, kernel, series=series + 10 * len(more), slices=2, size=16, **own)


def test_two_kernels_with_one_series_instance_uid_are_opened(tmp_path):
    write_one_uid(tmp_path)
    pairs = find_pairs([tmp_path]).pairs
    ((a, b),) = open_pairs(pairs)
    assert (a.convolution_kernel, b.convolution_kernel) == KERNELS
    assert [len(series.slices) for series in (a, b)] == [2, 2]


def test_two_frames_of_reference_with_one_series_instance_uid_are_opened(tmp_path):
    write_one_uid(tmp_path)
    write_one_uid(tmp_path, FrameOfReferenceUID="1.2.3")
    opened = open_pairs(find_pairs([tmp_path]).pairs)
    assert {a.frame_of_reference_uid for a, _ in opened} == {uid(1, 2), "1.2.3"}


def test_scans_of_one_series_that_a_list_cannot_tell_apart(tmp_path):
    write_one_uid(tmp_path)
    write_one_uid(tmp_path, PixelSpacing=[0.5, 0.5])
    with pytest.raises(TrainingError, match=r"holds 2 scans with kernel B40f .* delete its rows"):
        open_pairs(find_pairs([tmp_path]).pairs)


def test_series_of_one_kernel_are_not_mentioned(tmp_path):
    write_scan(tmp_path, "B40f", series=1, slices=2, size=16)
    write_scan(tmp_path, "B40f", series=2, slices=3, size=16, KVP=80)
    assert find_pairs([tmp_path]).near_misses == ()


def test_a_remark_keeps_the_pair_also_when_it_is_opened(tmp_path):
    write_scan(tmp_path, "B40f", series=1, slices=2, size=16, KVP=None)
    write_scan(tmp_path, "B70f", series=2, slices=2, size=16)
    found = find_pairs([tmp_path])
    (remark,) = found.remarks
    assert remark.text == "only the series with B70f states KVP"
    assert len(open_pairs(found.pairs)) == 1


def test_a_pair_of_another_acquisition_is_not_opened(tmp_path):
    write_pair_of_scans(tmp_path, slices=2, size=16)
    pairs = find_pairs([tmp_path]).pairs
    write_scan(tmp_path / "1-B70f", "B70f", series=2, slices=2, size=16, KVP=80)
    with pytest.raises(TrainingError, match=r"no longer a pair: .* KVP 120 and 80 kV"):
        open_pairs(pairs)


def test_a_series_exported_twice_into_two_folders_is_joined(tmp_path):
    for folder, syntax in (("a", ExplicitVRLittleEndian), ("b", ImplicitVRLittleEndian)):
        save(tmp_path / folder / "1", ct_dataset(), syntax)
    assert find_pairs([tmp_path / "b", tmp_path / "a"]).series == 1
    save(tmp_path / "b" / "1", ct_dataset(KVP=80))
    with pytest.raises(TrainingError, match="different content; what differs: KVP; give only"):
        find_pairs([tmp_path / "a", tmp_path / "b"])
