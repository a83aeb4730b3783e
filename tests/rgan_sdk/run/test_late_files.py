"""Files that come after a run, with which the groups of a series get other numbers."""

import csv
import shutil

import pydicom
import pytest
from support.models import make_series_card, write_model
from support.runs import folders, new_series

from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_sdk.run.cohort.models import CohortModel
from rgan_sdk.run.directory import harmonize_cohort, plan_cohort
from rgan_sdk.run.options import RunOptions


@pytest.fixture
def source(tmp_path):
    write_sample_series(tmp_path / "in", "B40f", slices=3, size=64)
    return tmp_path / "in"


@pytest.fixture(params=["harmonized", "copied"])
def run(request, source, tmp_path):
    """Return a function that runs: the series is harmonized, or copied as it has the target."""
    kernels = {"harmonized": ("B40f",), "copied": ("B30f",)}[request.param]
    target = {"harmonized": "B70f", "copied": "B40f"}[request.param]
    card = make_series_card(source_kernels=kernels, target_kernel=target)
    path = write_model(tmp_path / "m.onnx", card)

    def run(work=harmonize_cohort):
        model = CohortModel.load(path, engine="identity")
        return work(source, tmp_path / "out", [model], RunOptions(include_target=True))

    run.copies = request.param == "copied"
    return run


def add_late_file(source, **attributes):
    """Add a slice with the lowest SOPInstanceUID of its series."""
    dataset = pydicom.dcmread(min(source.iterdir()))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    for name, value in attributes.items():
        setattr(dataset, name, value)
    dataset.save_as(source / "late.dcm")


def outcomes(report):
    return [(one.group, one.status, one.slices) for one in report.series]


def test_a_finished_series_keeps_its_folder(run, source, tmp_path):
    run()
    before = folders(tmp_path / "out")
    add_late_file(source, ConvolutionKernel="H30s")
    planned = run(plan_cohort)
    assert planned.series[-1].reason == "finished"
    report = run()
    assert sorted(outcomes(report)) == [(0, "skipped", 1), (1, "done", 3)]
    assert folders(tmp_path / "out") == before
    (name,) = before
    rows = list(csv.DictReader((tmp_path / "out" / "mapping.csv").open()))
    done = [(row["group"], row["output_folder"]) for row in rows if row["outcome"] == "done"]
    assert done == [("1", name)]


def test_a_late_group_fails_where_a_finished_one_has_its_folder(run, source, tmp_path):
    run()
    before = folders(tmp_path / "out")
    (name,) = before
    add_late_file(source, FrameOfReferenceUID="1.2.3.5")
    report = run()
    assert sorted(outcomes(report)) == [(0, "failed", 1), (1, "done", 3)]
    (failed,) = (one for one in report.series if one.status == "failed")
    assert failed.reason.startswith(f"{name} in OUTPUT was made of other slices of its Series")
    assert "remove that folder to make both anew" in failed.reason
    assert folders(tmp_path / "out") == before
    shutil.rmtree(tmp_path / "out" / name)
    assert sorted(outcomes(run())) == [(0, "done", 1), (1, "done", 3)]
    assert sorted(len(files) for files in folders(tmp_path / "out").values()) == [1, 3]
    after = folders(tmp_path / "out")
    assert sorted(outcomes(run())) == [(0, "done", 1), (1, "done", 3)]
    assert folders(tmp_path / "out") == after


def test_a_damaged_series_with_another_number_is_never_written_under_another_uid(
    run, source, tmp_path
):
    run()
    before = folders(tmp_path / "out")
    (folder,) = new_series(tmp_path / "out")
    add_late_file(source, ConvolutionKernel="H30s")
    min(folder.iterdir()).unlink()
    report = run()
    (entry,) = (one for one in report.series if one.slices == 3)
    if run.copies:  # they keep their UIDs
        assert entry.reason.split("; ")[-2].startswith("done again, file missing: ")
        assert folders(tmp_path / "out") == before
    else:
        assert entry.status == "failed"
        assert entry.reason.startswith(f"{folder.name} is damaged, file missing: ")
        assert list(folders(tmp_path / "out")) == [folder.name]
        shutil.rmtree(folder)
        assert sorted(outcomes(run())) == [(0, "skipped", 1), (1, "done", 3)]
