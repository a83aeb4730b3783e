"""The methods section tells what the report tells, and marks the rest."""

import json

import pytest
from support.writeups import FEATURES, MODEL, SHA256, full_provenance, write_groups, write_pairs

from rgan_train.evaluation.cohorts.results import UNPROVEN
from rgan_train.evaluation.writeup.document import OPEN, Heading, Paragraph, texts
from rgan_train.evaluation.writeup.methods.features import (
    describe_bins,
    describe_resampling,
    list_filters,
)
from rgan_train.evaluation.writeup.report import Report, read_report
from rgan_train.evaluation.writeup.write import describe_methods

SECTIONS = [
    "Methods",
    "Scans",
    "Harmonization",
    "Regions and features",
    "Statistics",
    "Software",
    "Limits, for the discussion",
    "IBSI statement",
    "Settings of the features",
    "References",
]


def text_of(blocks):
    return "\n".join(text for block in blocks for text in texts(block))


def write_up(folder):
    return text_of(describe_methods(read_report(folder)))


def section(folder, title):
    """Return the paragraphs below a heading."""
    found, inside = [], False
    for block in describe_methods(read_report(folder)):
        if isinstance(block, Heading):
            inside = block.text == title
        elif inside:
            found += texts(block)
    return "\n".join(found)


@pytest.fixture
def pairs(tmp_path):
    return write_pairs(tmp_path)


def change(folder, *keys, to=None):
    """Change or take away one entry of the results."""
    path = folder / "results.json"
    data = json.loads(path.read_text())
    inside = data
    for key in keys[:-1]:
        inside = inside[key]
    if to is None:
        del inside[keys[-1]]
    else:
        inside[keys[-1]] = to
    path.write_text(json.dumps(data))


@pytest.mark.parametrize("write", [write_pairs, write_groups])
def test_the_sections(tmp_path, write):
    blocks = describe_methods(read_report(write(tmp_path)))
    assert [block.text for block in blocks if isinstance(block, Heading)] == SECTIONS
    assert all(block.text for block in blocks if isinstance(block, Paragraph))


def test_the_scans(pairs):
    text = section(pairs, "Scans")
    assert "kernel B40f (source) and with the kernel B70f (target). 4 slices of 1 patient" in text
    assert "SIEMENS; scanner Sensation 10; tube voltage 120 kV; slice thickness 5 to 8 mm" in text
    assert "20 for training, 2 for validation and 4 for the test. The test patient also" in text


def test_what_headers_do_not_state_is_marked(pairs):
    for side in ("source", "target"):
        change(pairs, "provenance", "scans", side, "tube_kv", to=[])
        change(pairs, "provenance", "scans", side, "scanners", to=[])
    text = section(pairs, "Scans")
    assert "[state: scanner and tube voltage]" in text
    assert "kV" not in text
    assert "one model of scanner" not in write_up(pairs)


@pytest.mark.parametrize(
    ("slices", "seen", "tested", "expected"),
    [
        ((9, 1, 5), 0, 3, "No test patient has slices in another part."),
        ((9, 1, 5), 1, 3, "1 of 3 test patients also has slices in training"),
        ((9, 1, 5), 3, 3, "All 3 test patients also have slices in training"),
        ((0, 0, 5), 0, 3, "All slices of these pairs are test slices."),
    ],
)
def test_the_split(pairs, slices, seen, tested, expected):
    split = {
        "slices": dict(zip(("train", "validation", "test"), slices, strict=True)),
        "patients": {"train": 3, "validation": 3, "test": tested},
        "test_patients_also_in_training": seen,
    }
    change(pairs, "provenance", "split", to=split)
    assert expected in section(pairs, "Scans")


def test_the_model(pairs):
    text = section(pairs, "Harmonization")
    assert f"model b40f-to-b70f 1.0.0 (“good” in the tables), SHA-256 {SHA256}." in text
    assert "maps the kernel B40f to B70f" in text
    assert "between −1,032 and 2,008 HU" in text
    assert "training data: A_B & C #1 (licence: CC BY 4.0; 100 % {me})." in text
    assert "run with onnxruntime 1.23 (cpu, fp32)." in text
    assert "without pairs" not in text
    assert "It was made with rgan-sdk 0.1.0. Its card" in text
    unpaired = section(write_groups(pairs), "Harmonization")
    assert "It was made without pairs with rgan-sdk 0.1.0. Its card" in unpaired


def test_no_model(pairs):
    change(pairs, "provenance", "models", to={})
    assert section(pairs, "Harmonization").startswith("No model was applied")


def test_the_features(pairs):
    text = section(pairs, "Regions and features")
    assert "square of 32 x 32 pixels" in text
    assert "−800 to −300 HU, −100 to 250 HU and 300 to 800 HU, and 100 pixels at least" in text
    assert "whole slice: 4; [-100, 250] HU: 24; tumour: 2." in text
    assert "masks" not in text
    assert "42 features of each region" in text
    assert "first order (3), GLCM (2) and GLDM (1)" in text
    assert "Laplacian of Gaussian (sigma 1 and 2.5 mm), wavelet bands (coif1) and square" in text
    assert "fixed bin width of 25" in text


def test_given_regions_are_named_and_their_origin_is_marked(tmp_path):
    text = section(write_pairs(tmp_path, given=True), "Regions and features")
    assert "from masks or boxes: tumour. [state: who or what drew them" in text


def test_other_settings():
    assert "into 64 bins" in describe_bins({"binCount": 64, "binWidth": 25})
    plain = "Images were not resampled, resegmented or normalised."
    assert describe_resampling({"resampledPixelSpacing": None}) == plain
    changed = {
        "resampledPixelSpacing": [1, 1],
        "interpolator": "sitkBSpline",
        "normalize": True,
        "resegmentRange": [-1000, 400],
    }
    assert describe_resampling(changed) == (
        "Images were resampled to 1 x 1 mm (sitkBSpline), resegmented to [-1000, 400] and "
        "normalised."
    )


def test_filters_with_and_without_settings():
    features = {"settings": {"sigma": [2.0]}, "filters": {"LoG": {}, "Wavelet": {}, "Odd": {}}}
    expected = "Laplacian of Gaussian (sigma 2 mm), wavelet bands (coif1) and Odd"
    assert list_filters(features) == expected
    assert list_filters({"settings": {}, "filters": {"LoG": {}}}) == "Laplacian of Gaussian"


def test_one_patient_is_descriptive(tmp_path):
    text = write_up(write_pairs(tmp_path))
    assert "With 1 patient the results are descriptive: they hold for this patient" in text
    assert "draws blocks of 2 neighbouring slices 1,000 times" in text


def test_twelve_patients_are_not(tmp_path):
    folder = write_pairs(tmp_path, 12)
    change(folder, "provenance", "split", "test_patients_also_in_training", to=0)
    assert "descriptive" not in write_up(folder)


def test_twelve_patients_are_where_some_are_known_from_training(tmp_path):
    assert (
        "With 12 patients, some of them known from training, the results are descriptive: they "
        "hold for these patients and"
    ) in write_up(write_pairs(tmp_path, 12))


def test_whole_patients_were_drawn(pairs):
    path = pairs / "results.json"
    data = json.loads(path.read_text())
    for one in data["differences"]:
        one["block"] = 0
    path.write_text(json.dumps(data))
    assert "paired bootstrap that draws whole patients 1,000 times" in write_up(pairs)


def test_the_statistics(pairs):
    text = section(pairs, "Statistics")
    assert "if its CCC is above 0.85 and, more strictly, above 0.90." in text
    assert "95 % limits of the CCC" in text
    assert "from 1,000 bootstrap samples of slices" in text
    assert "clipped to −1,024 to 1,000 HU" in text
    assert "LAA-950" not in text
    assert "ComBat" not in text


def test_two_groups(tmp_path):
    folder = write_groups(tmp_path)
    text = write_up(folder)
    assert "source group has 3 series of 2 patients with the kernel SHARP; 12 slices" in text
    assert "1 patient has series in both groups." in text
    assert "up to 8 folds" in text
    assert "false discovery rate of 5 %" in text
    assert "No artificial lesions were put in." in text
    assert "With 2 patients in the smaller group the results are descriptive" in text
    change(folder, "target", "patients", to=12)
    assert "With 2 patients in the smaller group" in write_up(folder)
    change(folder, "source", "patients", to=11)
    assert "descriptive" not in write_up(folder)
    assert UNPROVEN in text
    assert "Lin 1989" not in text


def test_lesions_are_told(tmp_path):
    folder = write_groups(tmp_path)
    change(folder, "lesion_failures", to={"input": []})
    text = section(folder, "Statistics")
    assert "nodules (−600, −250 and 100 HU) and holes (−1,000 HU) of 4, 6 and 10 mm" in text


def test_only_what_is_cited_is_listed(pairs):
    found = section(pairs, "References")
    assert "10.2307/2532051" in found
    assert "Johnson 2007" not in found


def test_no_path_and_no_command(tmp_path):
    """They may hold names of patients."""
    folder = write_pairs(tmp_path)
    change(folder, "provenance", "command", to="rgan-train evaluate /scans/miller/pairs.csv")
    assert "miller" not in write_up(folder)


def test_an_old_report_marks_what_it_lacks(tmp_path):
    folder = write_pairs(tmp_path, old=True)
    marks = OPEN.findall(write_up(folder))
    assert len(marks) >= 12
    for part in ("scanners", "divided", "name", "HU window", "trained on", "engine", "regions"):
        assert any(part in mark for mark in marks), part
    text = write_up(folder)
    assert "pyradiomics" not in text
    assert "1,000" not in text


@pytest.mark.parametrize("entry", sorted(full_provenance()))
@pytest.mark.parametrize("write", [write_pairs, write_groups])
def test_each_entry_may_be_missing(tmp_path, write, entry):
    folder = write(tmp_path)
    if entry in json.loads((folder / "results.json").read_text())["provenance"]:
        change(folder, "provenance", entry)
    assert write_up(folder)


@pytest.mark.parametrize("key", sorted(MODEL))
def test_each_fact_of_a_model_may_be_missing(pairs, key):
    change(pairs, "provenance", "models", "good", key)
    assert section(pairs, "Harmonization")


def test_all_settings_are_listed(pairs):
    table = section(pairs, "Settings of the features")
    for name in FEATURES["settings"]:
        assert name in table
    assert "{sigma: [1.0, 2.5]}" in table
    assert Report({}).provenance("features") is None
