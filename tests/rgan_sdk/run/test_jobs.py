"""What is found out of a series before it is worked on."""

import pytest
from support.models import make_series_card
from support.native import DERIVATION
from support.runs import write_inputs

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.kernel_guard import Verdict
from rgan_sdk.run.jobs import SeriesJob, judged


@pytest.mark.parametrize("strict", [False, True])
def test_a_job_is_judged_by_the_card(tmp_path, monkeypatch, strict):
    write_inputs(tmp_path, series=2, slices=1, size=64)
    odd, even = find_series(tmp_path).series
    verdicts = {odd.series_instance_uid: Verdict("odd", True), even.series_instance_uid: Verdict()}
    monkeypatch.setattr(
        "rgan_sdk.run.jobs.judge_kernel", lambda one, card: verdicts[one.series_instance_uid]
    )
    jobs = [SeriesJob(one, DERIVATION, tmp_path / "out") for one in (odd, even)]
    assert list(judged(jobs, make_series_card(), strict=strict)) == jobs
    assert [job.kernel.text for job in jobs] == ["odd", ""]
    assert [job.problem for job in jobs] == ["odd" if strict else "", ""]
    assert list(judged(jobs, None, strict=strict)) == jobs
