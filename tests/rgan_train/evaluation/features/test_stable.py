"""The list of stable features: what is read, and for which extractions it is good."""

import csv
import json

import pytest
from support.requirements import require_module
from support.stable import GROUPS, write_stable_features

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.features.largest_slice import LargestSliceExtractor
from rgan_train.evaluation.features.stable import read_stable
from rgan_train.evaluation.features.volumes import VolumeExtractor

WHOLE, SOFT = GROUPS
SHA256 = "0123456789abcdef" * 4
FEATURES = {
    "original_firstorder_Mean": (WHOLE, SOFT),
    "original_glcm_Contrast": (SOFT,),
    "original_glcm_Id": (WHOLE,),
}


def write(tmp_path, sha256=SHA256, **facts):
    return write_stable_features(tmp_path / "stable_features.csv", sha256, FEATURES, **facts)


def parameters(tmp_path, width):
    path = tmp_path / f"{width}.yaml"
    path.write_text(
        "imageType: {Original: {}}\nfeatureClass: {firstorder: [Mean]}\n"
        f"setting: {{binWidth: {width}}}\n"
    )
    return path


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        ((), {"original_firstorder_Mean"}),
        ((SOFT,), {"original_firstorder_Mean", "original_glcm_Contrast"}),
        ((SOFT, WHOLE), {"original_firstorder_Mean"}),
    ],
)
def test_groups_decide_which_features_are_stable(tmp_path, groups, names):
    assert read_stable(write(tmp_path), groups).names == names


def test_it_says_whether_it_is_exploratory(tmp_path):
    found = read_stable(write(tmp_path))
    assert (found.exploratory, found.patients, found.method) == (True, 1, "mine")
    assert found.tag.endswith(" exploratory")
    sure = read_stable(write(tmp_path, exploratory="no", patients=12))
    assert not sure.exploratory
    assert sure.tag + " exploratory" == found.tag


def test_the_group_with_the_fewest_patients_counts(tmp_path):
    path = write(tmp_path, patients=12)
    path.write_text(path.read_text().replace(",12,", ",3,").replace(",3,", ",12,", 1))
    assert read_stable(path).patients == 3


def test_few_patients_are_exploratory_whatever_the_column_says(tmp_path):
    assert read_stable(write(tmp_path, exploratory="no", patients=9)).exploratory


def test_tags_tell_lists_apart(tmp_path):
    path = write(tmp_path)
    assert read_stable(path).tag != read_stable(path, (SOFT,)).tag


def test_it_is_read_as_spreadsheets_save_it(tmp_path):
    path = write(tmp_path)
    rows = list(csv.reader(path.open()))
    with path.open("w", encoding="utf-16", newline="") as file:
        csv.writer(file, delimiter=";").writerows(
            [cell.replace("0.9", "0,9") for cell in row] for row in rows
        )
    assert len(read_stable(path, (SOFT,)).names) == 2


def test_several_models_are_refused(tmp_path):
    path = write(tmp_path)
    lines = path.read_text()
    path.write_text(lines + lines.splitlines()[1].replace("mine", "other") + "\n")
    with pytest.raises(ConfigurationError, match=r"2 models \(mine, other\)"):
        read_stable(path)


def test_a_group_without_stable_features_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"'\[300, 800\] HU'; it has some in 'whole"):
        read_stable(write(tmp_path), ("[300, 800] HU",))


def test_nothing_stable_everywhere_is_refused(tmp_path):
    path = write_stable_features(tmp_path / "s.csv", SHA256, {"original_glcm_Id": (WHOLE,)})
    with pytest.raises(ConfigurationError, match="choose those that are like your structures"):
        read_stable(path)


@pytest.mark.parametrize("text", ["", "feature\nx\n", "method,group\nmine,whole slice\n"])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"other\.csv"):
        read_stable(path)


@pytest.fixture(scope="module")
def _pyradiomics():
    require_module("radiomics", "make eval-deps")


@pytest.mark.usefixtures("_pyradiomics")
class TestExtraction:
    """Which extractors a list is good for."""

    def test_the_same_is_accepted(self, tmp_path):
        extractor = LargestSliceExtractor(parameters(tmp_path, 25))
        stable = read_stable(write(tmp_path, extractor.sha256))
        stable.require_extraction(extractor.sha256, extractor.description)

    @pytest.mark.parametrize(
        ("dimensions", "said"),
        [(3, "features in three dimensions"), (2, "two dimensions, plane by plane")],
    )
    def test_volumes_are_refused_by_name(self, tmp_path, dimensions, said):
        stable = read_stable(write(tmp_path))
        volumes = VolumeExtractor(parameters(tmp_path, 25), dimensions)
        with pytest.raises(ConfigurationError, match=f"{said}; add --dimensions slice"):
            stable.require_extraction(volumes.sha256, volumes.description)

    def test_the_setting_that_differs_is_named(self, tmp_path):
        theirs, ours = (LargestSliceExtractor(parameters(tmp_path, width)) for width in (25, 10))
        stable = read_stable(write(tmp_path, theirs.sha256))
        with pytest.raises(ConfigurationError, match="settings, filters or version differ"):
            stable.require_extraction(ours.sha256, ours.description)
        features = {**theirs.description, "sha256": theirs.sha256}
        results = {"provenance": {"features": features}}
        (tmp_path / "results.json").write_text(json.dumps(results))
        with pytest.raises(ConfigurationError, match=": binWidth 25 there and 10 here; give"):
            stable.require_extraction(ours.sha256, ours.description)

    def test_results_of_another_report_tell_nothing(self, tmp_path):
        ours = LargestSliceExtractor(parameters(tmp_path, 10))
        features = {**ours.description, "sha256": ours.sha256}
        (tmp_path / "results.json").write_text(json.dumps({"provenance": {"features": features}}))
        with pytest.raises(ConfigurationError, match="settings, filters or version differ"):
            read_stable(write(tmp_path)).require_extraction(ours.sha256, ours.description)
