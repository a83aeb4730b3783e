import numpy as np
import pytest

from rgan_sdk.hu import HUWindow
from rgan_train.config import CurriculumConfig
from rgan_train.training.curriculum import Curriculum, FixedGrowing, Selection
from rgan_train.training.selection import repeated_values

RANGE = HUWindow(-1024.0, 1000.0)


def never():
    raise AssertionError("nothing is to be selected here")


def ends(window):
    return window.lower, window.upper


def test_the_paper_s_eight_windows():
    growing = FixedGrowing(RANGE, 256)
    uppers = [growing.window_at(stage).upper for stage in range(1, growing.stages + 1)]
    assert uppers == [-769, -513, -257, -1, 255, 511, 767, 1000]
    assert all(growing.window_at(stage).lower == -1024 for stage in range(1, 9))


@pytest.mark.parametrize(("upper", "stages"), [(-1000, 1), (-769, 1), (-768, 2), (3071, 16)])
def test_other_ranges_are_covered(upper, stages):
    growing = FixedGrowing(HUWindow(-1024, upper), 256)
    assert growing.stages == stages
    assert growing.window_at(stages).upper == upper


def test_a_stage_ends_by_accuracy_or_by_epochs():
    curriculum = Curriculum(CurriculumConfig("growing", th_acc=0.9, th_eta=2), RANGE)
    first = curriculum.advance(0.5, never)
    assert (first["next_window"], first["reason"]) == ([-1024, -769], "")
    second = curriculum.advance(0.5, never)
    assert (second["stage"], second["reason"]) == (1, "th_eta = 2 epochs in this stage")
    third = curriculum.advance(0.95, never)
    assert (third["stage"], third["window"]) == (2, [-1024, -513])
    assert third["reason"] == "accuracy 0.9500 passed th_acc = 0.9"
    assert ends(curriculum.window) == (-1024, -257)


def test_growing_alone_stays_at_the_whole_range():
    curriculum = Curriculum(CurriculumConfig("growing"), RANGE)
    records = [curriculum.advance(0.5, never) for _ in range(10)]
    assert [record["phase"] for record in records] == ["growing"] * 8 + ["whole"] * 2
    assert curriculum.window == RANGE


def test_growing_then_selection():
    curriculum = Curriculum(CurriculumConfig("growing+selection"), RANGE)
    records = [curriculum.advance(0.5, never) for _ in range(7)]
    selected = Selection(-900.0, 300.0, {"mean": 0.3})
    records += [curriculum.advance(0.5, lambda: selected) for _ in range(2)]
    assert [record["phase"] for record in records[6:]] == ["growing", "growing", "selection"]
    assert records[7]["reason"] == (
        "th_eta = 1 epochs in this stage; HU under hot pixels from -900 to 300"
    )
    assert records[7]["next_window"] == records[8]["window"] == [-900, 300]
    assert records[6]["cam"] is None
    assert records[7]["cam"] == {"mean": 0.3}


def test_selection_alone_starts_with_the_whole_range():
    curriculum = Curriculum(CurriculumConfig("selection"), RANGE)
    assert curriculum.window == RANGE
    curriculum.advance(0.5, lambda: Selection(-900.0, 300.0))
    assert ends(curriculum.window) == (-900, 300)
    told = curriculum.advance(0.5, Selection)
    assert curriculum.window == RANGE
    assert "no hot pixel" in told["reason"]


def test_without_a_schedule_nothing_changes():
    curriculum = Curriculum(CurriculumConfig("none"), RANGE)
    assert [curriculum.advance(1.0, never)["phase"] for _ in range(3)] == ["whole"] * 3
    assert curriculum.window == RANGE


@pytest.mark.parametrize(
    ("lower", "upper", "wanted"),
    [
        (-500, 100, (-500, 100)),
        (0, 0, (-128, 128)),
        (-1024, -1000, (-1024, -768)),
        (990, 1000, (744, 1000)),
        (-1024, 1000, (-1024, 1000)),
    ],
)
def test_a_selected_window_is_wide_enough_and_in_the_range(lower, upper, wanted):
    assert ends(Selection(lower, upper).window(RANGE, 256)) == wanted


def test_a_range_that_is_narrower_than_the_least_width():
    narrow = HUWindow(0.0, 100.0)
    assert Selection(40, 60).window(narrow, 256) == narrow


def test_the_state_goes_on():
    config = CurriculumConfig("growing", th_eta=2)
    first = Curriculum(config, RANGE)
    for _ in range(3):
        first.advance(0.5, never)
    second = Curriculum(config, RANGE)
    second.load_state_dict(first.state_dict())
    assert [first.advance(0.5, never) for _ in range(5)] == [
        second.advance(0.5, never) for _ in range(5)
    ]


def test_hu_that_occur_once_are_noise():
    hu = np.array([10.2, 9.8, -300, 55, 55.4, 54.9, 999], np.float32)
    kept, dropped = repeated_values(hu)
    assert kept.tolist() == [10, 55]
    assert dropped == 2


@pytest.mark.parametrize(
    ("epochs", "steps", "inside"),
    [
        (0, 0, "[-1024, -769] HU, stage 1 of 8"),
        (0, 5, "[-1024, -769] HU, stage 1 of 8"),
        (1, 0, "[-1024, -769] HU, stage 1 of 8"),
        (2, 0, "[-1024, -769] HU, stage 1 of 8"),
        (2, 1, "[-1024, -513] HU, stage 2 of 8"),
        (3, 0, "[-1024, -513] HU, stage 2 of 8"),
        (14, 0, "[-1024, 767] HU, stage 7 of 8"),
        (14, 1, ""),
        (15, 0, ""),
        (16, 0, ""),
    ],
)
def test_a_training_that_stopped_inside_a_growing_window(epochs, steps, inside):
    curriculum = Curriculum(CurriculumConfig("growing", th_eta=2), RANGE)
    for _ in range(epochs):
        curriculum.advance(0.5, never)
    note = curriculum.describe_stop(steps)
    assert inside in note
    assert bool(note) == bool(inside)


@pytest.mark.parametrize("schedule", ["none", "selection"])
def test_other_schedules_stop_in_no_growing_window(schedule):
    assert not Curriculum(CurriculumConfig(schedule), RANGE).describe_stop(0)
