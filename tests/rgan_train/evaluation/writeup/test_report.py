"""A report is read back from its folder."""

import json

import pytest
from support.writeups import write_groups, write_pairs

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.writeup.report import Report, read_report


def test_pairs(tmp_path):
    found = read_report(write_pairs(tmp_path, 3))
    assert found.is_paired
    assert found.patients == 3
    assert found.provenance("features", "counted") == 42
    assert found.provenance("features", "counted", "deeper") is None
    assert found.get("nothing", "here") is None


def test_groups_count_a_shared_patient_once(tmp_path):
    found = read_report(write_groups(tmp_path))
    assert not found.is_paired
    assert found.patients == 2 + 3 - 1


def test_provenance_may_be_of_another_kind():
    assert Report({"provenance": ["odd"]}).provenance("models", "good") is None


def test_a_folder_without_a_report(tmp_path):
    with pytest.raises(ConfigurationError, match=r"has no results\.json; give the folder"):
        read_report(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "is not a report"),
        (json.dumps({"schema": 1, "series": []}), "is not a report"),
        (json.dumps({"schema": 1, "agreement": [], "patients": 1}), "is not a report"),
        (json.dumps({"schema": 2, "agreement": [], "patients": 1, "slices": 1}), "has schema 2"),
        (json.dumps({"groups": [], "source": {}, "target": {}}), "has schema None"),
    ],
)
def test_no_report(tmp_path, text, message):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        read_report(tmp_path)
