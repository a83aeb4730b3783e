"""Each series and each file has exactly one outcome."""

import hashlib
from dataclasses import replace

import pytest
from support.models import make_series_card

from rgan_sdk.card import SpacingRange
from rgan_sdk.run.choosing.candidates import Candidate
from rgan_sdk.run.ledger import Ledger, report_plan
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.planning import make_plan


@pytest.fixture
def plan(source, card):
    path = source / "cut.dcm"
    path.write_bytes((source / "taken" / "slice-001.dcm").read_bytes()[:200])
    return make_plan(source, [Candidate.of(card)])


def outcomes(report):
    return {file.path: (file.status, file.reason) for file in report.files}


def test_what_is_left_aside_is_entered_at_once(plan):
    report = Ledger(plan).report
    assert [(entry.convolution_kernel, entry.status) for entry in report.series] == [
        ("H30s", "skipped")
    ]
    found = outcomes(report)
    assert found["notes.txt"] == ("skipped", "not DICOM")
    assert found["cut.dcm"][0] == "failed"
    assert found["other/slice-001.dcm"][0] == "skipped"
    assert "taken/slice-001.dcm" not in found


def test_a_recorded_series_has_its_files_with_it(plan):
    ledger = Ledger(plan)
    entry = ledger.record(plan.chosen[0], "done", clips=7, output="1.2.3")
    assert (entry.slices, entry.clips, entry.output, entry.reason) == (3, 7, "1.2.3", "")
    assert ledger.report.series[-1] is entry
    found = outcomes(ledger.report)
    assert [found[f"taken/slice-00{i}.dcm"] for i in (1, 2, 3)] == [("done", "")] * 3
    assert len(found) == len(ledger.report.files) == 7  # each file once
    assert ledger.report.summary["files"] == {"done": 3, "skipped": 3, "failed": 1}


def test_the_reason_of_a_series_is_that_of_its_files(plan):
    ledger = Ledger(plan)
    ledger.record(plan.chosen[0], "failed", "it broke")
    assert outcomes(ledger.report)["taken/slice-002.dcm"] == ("failed", "it broke")


def test_checksums_are_those_of_the_files(plan, source):
    report = report_plan(plan, checksums=True)
    for file in report.files:
        assert file.sha256 == hashlib.sha256((source / file.path).read_bytes()).hexdigest()
    assert all(file.sha256 is None for file in report_plan(plan).files)


def test_a_file_that_has_changed_has_no_checksum(plan, source):
    path = source / "taken" / "slice-001.dcm"
    path.write_bytes(path.read_bytes() + b"more")
    ledger = Ledger(plan, checksums=True)
    ledger.record(plan.chosen[0], "failed", "it changed")
    hashes = {file.path: file.sha256 for file in ledger.report.files}
    assert hashes["taken/slice-001.dcm"] is None
    assert hashes["taken/slice-002.dcm"] is not None


def test_what_is_outside_the_domain_and_accepted_is_told(source):
    card = make_series_card(manufacturers=("SIEMENS",), thickness_seen=(1.0,))
    card = replace(card, pixel_spacing=SpacingRange(0.1, 0.2, 0.15))
    options = RunOptions(outside_domain=["spacing"])
    skipped, planned = report_plan(make_plan(source, [Candidate.of(card)], options)).series
    assert (skipped.outside, skipped.notes) == (("kernel", "spacing"), ())
    assert planned.outside == ("spacing",)
    accepted, manufacturer, thickness = planned.notes
    assert accepted.startswith("outside the model's stated domain: PixelSpacing (0028,0030) is ")
    assert manufacturer.startswith("no Manufacturer (0008,0070)")
    assert thickness.startswith("SliceThickness (0018,0050) is 8 mm")


def test_a_plan_is_reported_as_planned(plan):
    assert report_plan(plan).summary["series"] == {"planned": 1, "skipped": 1, "failed": 0}
