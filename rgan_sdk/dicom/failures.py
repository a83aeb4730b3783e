"""What fails in a folder of the user, in as few lines as possible."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from rgan_sdk.dicom.inventory import Inventory


def explain_failures(folder: Path, inventory: Inventory) -> list[str]:
    """Say which files and series can't be used and why; files with one reason in one line."""
    failed: dict[str, list[Path]] = defaultdict(list)
    for file in inventory.outcomes:
        if file.status == "failed":
            failed[file.reason].append(file.path)
    return [
        *(
            f"{paths[0]}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}: {reason}"
            for reason, paths in failed.items()
        ),
        *(f"{folder}: series {one.series_instance_uid}: {one.reason}" for one in inventory.failed),
    ]
