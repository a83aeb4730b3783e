"""What is found out of a series before it is worked on, and while another one is."""

import threading

import pytest
from support.models import make_series_card
from support.native import DERIVATION
from support.runs import write_inputs

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.kernel_guard import Verdict
from rgan_sdk.run.jobs import SeriesJob, judged, look_ahead


def test_the_next_item_is_looked_at_while_one_is_worked_on():
    seen = threading.Event()

    def judge(item):
        if item == 2:
            seen.set()
        return 10 * item

    items = look_ahead([1, 2, 3], judge)
    assert next(items) == (1, 10)
    assert seen.wait(10)
    assert list(items) == [(2, 20), (3, 30)]
    assert list(look_ahead([], judge)) == []


def test_an_error_comes_with_its_item():
    items = look_ahead([2, 0], lambda item: 1 / item)
    assert next(items) == (2, 0.5)
    with pytest.raises(ZeroDivisionError):
        next(items)


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
