import pytest
from support.windows import window_records, write_windows

from rgan_sdk.errors import TrainingError
from rgan_sdk.hu import HUWindow
from rgan_train.evaluation.figures.window_log import EpochWindow, read_windows


def test_what_a_run_wrote(tmp_path):
    epochs = read_windows(write_windows(tmp_path / "windows.jsonl"))
    assert [item.epoch for item in epochs] == list(range(1, 14))
    assert [item.phase for item in epochs] == ["growing"] * 8 + ["selection"] * 5
    assert epochs[4] == EpochWindow(
        5, "growing", HUWindow(-1024, 255), 0.992, "accuracy 0.9920 passed th_acc = 0.99"
    )


def test_a_log_may_begin_later_and_hold_more(tmp_path):
    records = [{**record, "new": 1} for record in window_records()[3:]]
    epochs = read_windows(write_windows(tmp_path / "windows.jsonl", records))
    assert epochs[0].epoch == 4


def test_no_log(tmp_path):
    with pytest.raises(TrainingError, match=r'curriculum\.schedule = "none"'):
        read_windows(tmp_path / "windows.jsonl")


def test_no_epoch_yet(tmp_path):
    with pytest.raises(TrainingError, match="no epoch of the run is finished"):
        read_windows(write_windows(tmp_path / "windows.jsonl", []))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"phase": "shrinking"}, "phase 'shrinking' is not one of growing, selection, whole"),
        ({"window": [-1024]}, "not enough values"),
        ({"window": [200, -1024]}, "is empty"),
        ({"window": None}, "not iterable"),
        ({"accuracy": None}, "None is not a finite number"),
        ({"accuracy": float("nan")}, "nan is not a finite number"),
        ({"epoch": "one"}, "invalid literal"),
    ],
)
def test_damaged_values(tmp_path, change, reason):
    records = window_records()
    records[2].update(change)
    with pytest.raises(TrainingError, match=f"is damaged, line 3: .*{reason}"):
        read_windows(write_windows(tmp_path / "windows.jsonl", records))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"epoch": 2, "pha', "line 2: "),
        ("[]", "line 2: expected"),
        ("{}", "line 2 has no 'phase'"),
    ],
)
def test_damaged_lines(tmp_path, line, reason):
    path = write_windows(tmp_path / "windows.jsonl", window_records()[:1])
    path.write_text(f"{path.read_text()}{line}\n")
    with pytest.raises(TrainingError, match=reason):
        read_windows(path)


@pytest.mark.parametrize("rest", [b'{"epoch": 2, "pha', b"\0" * 40, b"\xc3"])
def test_a_last_line_that_was_cut_off(tmp_path, rest):
    path = write_windows(tmp_path / "windows.jsonl", window_records()[:1])
    whole = read_windows(path)
    path.write_bytes(path.read_bytes() + rest)
    assert read_windows(path) == whole


def test_a_missing_epoch(tmp_path):
    records = window_records()
    del records[5]
    with pytest.raises(TrainingError, match="epoch 7 stands where 6 should"):
        read_windows(write_windows(tmp_path / "windows.jsonl", records))


def test_not_text(tmp_path):
    path = tmp_path / "windows.jsonl"
    path.write_bytes(b"\xff\xfe\x00\n")
    with pytest.raises(TrainingError, match="cannot be read"):
        read_windows(path)
