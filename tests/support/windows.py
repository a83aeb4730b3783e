"""The log of a window schedule: eight epochs of growing, then selection."""

import json
from pathlib import Path

GROWING = "th_eta = 1 epochs in this stage"
SELECTED = [(-1024, 1000), (-1010, 820), (-990, 460), (-962, 240), (-940, 180)]


def window_records() -> list[dict]:
    """Return what a run of 13 epochs writes."""
    growing = [(-1024, min(-1025 + 256 * stage, 1000)) for stage in range(1, 9)]
    records = []
    for epoch, window in enumerate([*growing, *SELECTED], start=1):
        is_growing = epoch <= 8
        records.append(
            {
                "epoch": epoch,
                "phase": "growing" if is_growing else "selection",
                "stage": epoch if is_growing else 0,
                "window": list(window),
                "accuracy": 0.96 + 0.002 * epoch,
                "next_window": list(window),
                "reason": GROWING if is_growing else "HU under hot pixels from -990 to 460",
                "cam": None,
            }
        )
    records[4]["accuracy"] = 0.992
    records[4]["reason"] = "accuracy 0.9920 passed th_acc = 0.99"
    records[6]["reason"] = ""
    return records


def write_windows(path: Path, records: list[dict] | None = None) -> Path:
    """Write ``windows.jsonl``."""
    lines = map(json.dumps, window_records() if records is None else records)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path
