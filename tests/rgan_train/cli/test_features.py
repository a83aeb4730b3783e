"""``rgan-train features``: from series and masks to a table."""

import csv
import json

import numpy as np
import pydicom
import pytest
import SimpleITK
from support.dicom_phantoms import uid
from support.lidc import roi, square, write_nodules
from support.lungs import DISTANCE_MM, PIXEL_MM, make_chest, write_chest
from support.padding import corners, pad_files
from support.requirements import require_module
from support.stable import GROUPS, write_stable_features
from support.structures import write_label_map
from support.training import train, write_scan

from rgan_sdk.dicom.inventory import find_series
from rgan_train.evaluation.features.largest_slice import LargestSliceExtractor
from rgan_train.evaluation.features.table import FACTS
from rgan_train.evaluation.features.volumes import VolumeExtractor
from rgan_train.evaluation.traits.table import read_cohort

require_module("radiomics", "make eval-deps")

FILE = "{imageType: {Original: {}}, featureClass: {firstorder: [Mean, Range]}}"


@pytest.fixture(scope="module")
def chest():
    return make_chest()


@pytest.fixture(scope="module")
def scan(chest, tmp_path_factory):
    return write_chest(tmp_path_factory.mktemp("scan"), chest[0])


@pytest.fixture(scope="module")
def harmonized(scan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("harmonized")
    for path in scan.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.SeriesDescription = "CHEST RGAN>SHARP"
        dataset.RescaleIntercept = dataset.RescaleIntercept + 10
        dataset.save_as(folder / path.name)
    return folder


@pytest.fixture(scope="module")
def mask(chest, tmp_path_factory):
    """The lungs, left 2 and right 3, and a single voxel of the left as 5."""
    labels = np.where(chest[1], 3, 0).astype(np.uint8)
    labels[..., :96][chest[1][..., :96]] = 2
    labels[tuple(np.argwhere(labels == 2)[0])] = 5
    image = SimpleITK.GetImageFromArray(labels)
    image.SetSpacing((PIXEL_MM, PIXEL_MM, DISTANCE_MM))
    image.SetOrigin((-120, -120, 0))
    path = tmp_path_factory.mktemp("mask") / "lungs.nii.gz"
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.fixture
def options(tmp_path, mask):
    parameters = tmp_path / "mean.yaml"
    parameters.write_text(FILE)
    return ["--masks", mask, "--parameters", parameters, "-o", tmp_path / "new" / "f.csv"]


def read(options):
    with options[-1].open() as file:
        return list(csv.DictReader(file))


def test_source_and_harmonized_side_by_side(scan, harmonized, chest, options):
    lungs = ("--structure", "2", "--structure", "3")
    done = train("features", scan, harmonized, *lungs, *options)
    assert done.exit_code == 0, done.output
    rows = read(options)
    assert [(row["variant"], row["region"]) for row in rows] == [
        ("source", "label 2"),
        ("source", "label 3"),
        ("harmonized", "label 2"),
        ("harmonized", "label 3"),
    ]
    mean = "original_firstorder_Mean"
    right = chest[1].copy()
    right[..., :96] = False
    assert float(rows[1][mean]) == pytest.approx(chest[0][right].mean(dtype=float))
    assert float(rows[3][mean]) == pytest.approx(float(rows[1][mean]) + 10)
    assert int(rows[1]["voxels"]) == right.sum()
    assert rows[0]["spacing"] == f"{PIXEL_MM:g} x {PIXEL_MM:g} x {DISTANCE_MM:g}"
    assert len({row["case"] for row in rows}) == len({row["extraction"] for row in rows}) == 1


def test_other_cases_are_added_and_read_by_traits(scan, harmonized, options):
    for case, label in (("n1", "benign"), ("n2", "benign"), ("n3", "cancer"), ("n4", "cancer")):
        facts = ("--case", case, "--label", label, "--structure", "2", "--structure", "3")
        done = train("features", f"target={harmonized}", scan, *facts, *options)
        assert done.exit_code == 0, done.output
    assert len(read(options)) == 16
    done = train("traits", options[-1], "-o", options[-1].parent / "traits")
    assert done.exit_code != 0
    assert "choose one with --region: 'label 2', 'label 3'" in done.stderr
    with pytest.raises(Exception, match="no feature varies"):  # all cases are one scan here
        read_cohort(options[-1], "label 3")


def test_what_is_computed_is_not_computed_again(scan, options, monkeypatch):
    arguments = ("features", scan, "--structure", "3", *options)
    assert train(*arguments).exit_code == 0
    before = read(options)
    options[-1].unlink()

    def refuse(self, hu, spacing, masks):
        assert not masks
        return []

    monkeypatch.setattr(VolumeExtractor, "extract", refuse)
    assert train(*arguments).exit_code == 0
    assert read(options) == before


def test_a_structure_without_features_does_not_stop_others(scan, options):
    done = train("features", scan, *options)
    assert done.exit_code == 3
    assert "label 5: radiomics refuses it" in done.stderr
    assert [row["region"] for row in read(options)] == ["label 2", "label 3"]


def test_nodules_in_xml_of_lidc_and_what_is_left_out_is_said(scan, harmonized, options, tmp_path):
    rois = [roi(DISTANCE_MM * number, square(50, 60, 70, 80)) for number in (1, 2)]
    path = write_nodules(tmp_path / "069.xml", [[roi(0, [(9, 9)])]], [rois])
    done = train("features", scan, harmonized, "--masks", path, *options[2:])
    assert done.exit_code == 0, done.output
    assert done.stderr.count("nodule 1, reader 2: nodules under 3 mm are points and have no") == 2
    found = [(row["variant"], row["region"], row["voxels"]) for row in read(options)]
    assert found == [(kind, "nodule 1, reader 2", "800") for kind in ("source", "harmonized")]


def test_files_whose_structures_share_a_name_are_numbered_in_their_order(
    scan, harmonized, mask, options, tmp_path
):
    image = SimpleITK.ReadImage(str(mask))
    one, both = tmp_path / "one.nrrd", tmp_path / "both.nrrd"
    SimpleITK.WriteImage(image == 2, str(one))
    SimpleITK.WriteImage((image == 3) + 2 * (image == 2), str(both))
    files = ("--masks", one, "--masks", both)
    done = train("features", scan, harmonized, *files, *options[2:])
    assert done.exit_code == 0, done.output
    labels = SimpleITK.GetArrayFromImage(image)
    left, right = str(np.count_nonzero(labels == 2)), str(np.count_nonzero(labels == 3))
    expected = [("label 1", left), ("label 1 (2)", right), ("label 2", left)]
    assert [(row["region"], row["voxels"]) for row in read(options)] == expected * 2
    for wanted, count in (("1", 2), ("label 1 (2)", 1)):
        options[-1].unlink()
        done = train("features", scan, *files, "--structure", wanted, *options[2:])
        assert done.exit_code == 0, done.output
        assert len(read(options)) == count


def test_a_mask_on_another_grid_is_named(scan, options, tmp_path):
    image = SimpleITK.GetImageFromArray(np.ones((2, 8, 8), np.uint8))
    path = tmp_path / "other.nii.gz"
    SimpleITK.WriteImage(image, str(path))
    done = train("features", scan, "--masks", path, *options[2:])
    assert done.exit_code == 3
    assert "other.nii.gz" in done.stderr
    assert "f.csv: no rows, so it was not written" in done.output
    assert not options[-1].exists()


def test_a_folder_that_cannot_be_made_is_named(scan, options, tmp_path):
    (tmp_path / "file").touch()
    done = train("features", scan, *options[:-1], tmp_path / "file" / "f.csv")
    assert done.exit_code == 1
    assert f"{tmp_path / 'file'}: cannot be created (File exists)" in done.stderr


@pytest.mark.parametrize("dimensions", ["3", "2", "slice"])
def test_the_value_of_padding_changes_no_feature(tmp_path, dimensions):
    folders = [write_scan(tmp_path / name, "B40f") for name in ("low", "high")]
    pad_files(folders[0], corners(64), -2000)
    pad_files(folders[1], corners(64), 3000, PixelPaddingValue=3000)
    labels = np.zeros((12, 64, 64), np.uint8)
    labels[3:9, 26:38, 26:38] = 1
    mask = write_label_map(tmp_path / "m.nii.gz", labels, find_series(folders[0]).series[0])
    parameters = tmp_path / "square.yaml"
    parameters.write_text("{imageType: {SquareRoot: {}}, featureClass: {firstorder: [Mean]}}")
    named = [f"{folder.name}={folder}" for folder in folders]
    options = ("--masks", mask, "--parameters", parameters, "-o", tmp_path / "f.csv")
    done = train("features", *named, "--dimensions", dimensions, *options)
    assert done.exit_code == 0, done.output
    low, high = (float(row["squareroot_firstorder_Mean"]) for row in read(options))
    assert low == high


def test_slices_with_a_gap_are_refused_unless_they_count_alone(scan, options, tmp_path):
    folder = tmp_path / "gap"
    folder.mkdir()
    for path in sorted(scan.iterdir()):
        (folder / path.name).write_bytes(path.read_bytes())
    middle = sorted(
        folder.iterdir(), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2]
    )
    middle[len(middle) // 2].unlink()
    rois = [roi(DISTANCE_MM * number, square(50, 60, 70, 80)) for number in (1, 2)]
    nodule = write_nodules(tmp_path / "069.xml", [rois])
    options = ("--masks", nodule, *options[2:])
    done = train("features", folder, *options)
    assert done.exit_code == 3
    assert "mm apart" in done.stderr
    done = train("features", folder, "--dimensions", "slice", *options)
    assert done.exit_code == 0, done.output


def test_a_table_of_other_settings_is_not_mixed(scan, options):
    lung = ("--structure", "3")
    assert train("features", scan, *lung, *options).exit_code == 0
    before = options[-1].read_bytes()
    done = train("features", scan, *lung, "--dimensions", "2", *options)
    assert done.exit_code != 0
    assert "other settings" in done.stderr
    assert options[-1].read_bytes() == before


@pytest.fixture
def stable(options, tmp_path):
    """A list of stable features for single slices: the mean everywhere, the range in one group."""
    sha256 = LargestSliceExtractor(options[3]).sha256
    features = {"original_firstorder_Mean": GROUPS, "original_firstorder_Range": GROUPS[:1]}
    return write_stable_features(tmp_path / "report" / "stable_features.csv", sha256, features)


def test_only_stable_features_stay(scan, harmonized, options, stable, chest):
    chosen = ("--structure", "3", "--dimensions", "slice", "--stable", stable)
    done = train("features", scan, harmonized, *chosen, *options)
    assert done.exit_code == 0, done.output
    rows = read(options)
    assert list(rows[0])[len(FACTS) :] == ["original_firstorder_Mean"]
    assert len(rows) == 2
    right = chest[1].copy()
    right[..., :96] = False
    largest = np.argmax(right.sum(axis=(1, 2)))
    mean = chest[0][largest][right[largest]].mean(dtype=float)
    assert float(rows[0]["original_firstorder_Mean"]) == pytest.approx(mean)
    assert {row["extraction"][16:24] for row in rows} == {" stable "}
    assert rows[0]["extraction"].endswith(" exploratory")
    assert "1 of 2 features are stable in all regions of the evaluation with mine" in done.output
    assert "exploratory: this was found on 1 patient(s) only" in done.output
    facts = json.loads(options[-1].with_name("f-stable.json").read_text())
    assert facts["left_out"] == ["original_firstorder_Range"]
    assert facts["kept"] == ["original_firstorder_Mean"]
    assert facts["exploratory"] is True
    assert facts["model_sha256"] == "ab" * 32


def test_stable_in_the_chosen_regions_and_not_mixed_with_others(scan, options, stable):
    chosen = ("--structure", "3", "--dimensions", "slice", "--stable", stable)
    done = train("features", scan, *chosen, "--stable-regions", GROUPS[0], *options)
    assert done.exit_code == 0, done.output
    assert list(read(options)[0])[len(FACTS) :] == [
        "original_firstorder_Mean",
        "original_firstorder_Range",
    ]
    before = options[-1].read_bytes()
    done = train("features", scan, *chosen, *options)
    assert done.exit_code == 1
    assert "other settings" in done.stderr
    assert options[-1].read_bytes() == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--dimensions", "3"), "these are features in three dimensions; add --dimensions slice"),
        (("--dimensions", "slice", "--stable-regions", "lung"), "no stable feature in the regions"),
        (("--dimensions", "slice", "--resample", "1"), "leave out --resample"),
        (("--dimensions", "slice", "--feature-engine", "flash"), "--feature-engine flash"),
    ],
)
def test_what_does_not_go_with_stable_features(scan, options, stable, more, message):
    done = train("features", scan, "--stable", stable, *more, *options)
    assert done.exit_code in (1, 2)
    assert message in " ".join(done.stderr.split())
    assert not options[-1].exists()


def test_regions_without_a_list_are_refused(scan, options):
    done = train("features", scan, "--stable-regions", "lung", *options)
    assert done.exit_code == 2
    assert "--stable-regions goes with --stable" in done.stderr


def test_paths_may_have_an_equals_sign(scan, options, tmp_path):
    folder = tmp_path / "dose=low" / "scan"
    folder.parent.mkdir()
    folder.symlink_to(scan)
    lung = ("--structure", "3")
    done = train("features", f"a={folder}", folder, *lung, *options)
    assert done.exit_code == 0, done.output
    assert [row["variant"] for row in read(options)] == ["a", "source"]
    done = train("features", "a=not there", *lung, *options)
    assert "not there: cannot be searched" in done.stderr


def test_two_series_of_one_variant_are_refused(scan, harmonized, options):
    names = (f"a={scan}", f"a={harmonized}")
    done = train("features", *names, "--structure", "3", *options)
    assert done.exit_code != 0
    assert "name variants with NAME=SERIES" in done.stderr


def rewrite(scan, folder, series):
    """Write a scan once more, as another series."""
    folder.mkdir()
    for path in scan.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = uid(1, 1, series)
        dataset.save_as(folder / path.name)
    return folder


def test_another_series_does_not_replace_rows(scan, options, tmp_path):
    later = rewrite(scan, tmp_path / "later", 9)
    lung = ("--structure", "3")
    assert train("features", scan, *lung, *options).exit_code == 0
    before = options[-1].read_bytes()
    done = train("features", later, *lung, *options)
    assert done.exit_code == 1
    assert "row 1: is of another series" in done.stderr
    assert "--case" in done.stderr
    assert options[-1].read_bytes() == before
    assert train("features", later, "--case", "later", *lung, *options).exit_code == 0
    assert len({row["series"] for row in read(options)}) == len(read(options)) == 2


def test_a_series_that_is_measured_again_replaces_its_rows(scan, options):
    arguments = ("features", scan, "--structure", "3", *options)
    assert train(*arguments).exit_code == 0
    assert train(*arguments, "--label", "benign").exit_code == 0
    assert [row["label"] for row in read(options)] == ["benign"]


def test_a_table_that_does_not_name_series_is_added_to(scan, options):
    arguments = ("features", scan, "--structure", "3", *options)
    assert train(*arguments).exit_code == 0
    (row,) = read(options)
    with options[-1].open("w", newline="") as file:
        writer = csv.DictWriter(file, [name for name in row if name != "series"])
        writer.writeheader()
        for case in (row["case"], "other"):
            writer.writerow({k: v for k, v in row.items() if k != "series"} | {"case": case})
    assert train(*arguments).exit_code == 0
    assert [found["series"] for found in read(options)] == [row["series"], ""]


def test_a_table_that_is_another_is_not_overwritten(scan, options):
    options[-1].parent.mkdir()
    options[-1].write_text("case,label,variant,x\n1,2,3,4\n")
    done = train("features", scan, *options)
    assert "was not written by `rgan-train features`" in done.stderr
    assert options[-1].read_text().startswith("case,label,variant,x")
