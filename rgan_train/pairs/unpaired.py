"""Real slices without a partner: a list in the folder of a run that has simulated pairs.

Simulated pairs show the real slices of the sharper group only. The list names the series of the
softer group, and keeps what the source's spectrum is multiplied by to be the target's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import OutputError, TrainingError
from rgan_sdk.files import atomic_write
from rgan_train.pairs.find import folder_of, search_folder

if TYPE_CHECKING:
    from rgan_sdk.dicom.inventory import Inventory
    from rgan_sdk.dicom.series import Series

Side = Literal["source", "target"]


class RealSlice(NamedTuple):
    """The file of a slice, its size in pixels, and its pixel spacing in mm."""

    path: Path
    rows: int
    columns: int
    spacing: float


@dataclass(frozen=True)
class Gain:
    """What a spectrum is multiplied by, at spatial frequencies in line pairs per cm."""

    frequency: tuple[float, ...]
    value: tuple[float, ...]

    def __call__(self, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factors at some frequencies; the last one holds beyond."""
        return np.asarray(np.interp(frequency, self.frequency, self.value))


@dataclass(frozen=True)
class Unpaired:
    """What ``write_unpaired`` wrote, with the slices found on disk.

    Attributes
    ----------
    side
        Of which group of a match the slices are.
    slices
        In the order of the list.
    gain
        Turns the source's kernel into the target's.
    sha256
        Hash of the list, hexadecimal.
    """

    side: Side
    slices: tuple[RealSlice, ...]
    gain: Gain
    sha256: str


def write_unpaired(side: Side, series: Sequence[Series], gain: Gain, path: Path) -> None:
    """Write the list.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    listed = [
        {
            "series": one.series_instance_uid,
            "folder": str(folder_of(one)),
            "slices": len(one.slices),
            "instances_sha256": _hash_instances(one),
        }
        for one in series
    ]
    content = {"side": side, "gain": dataclasses.asdict(gain), "series": listed}
    try:
        with atomic_write(path, durable=True) as file:  # ASCII: also folders that are not UTF-8
            file.write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written ({exc.strerror})") from exc


def read_unpaired(path: Path) -> Unpaired:
    """Read the list, and find its series on disk. Only headers are read.

    Raises
    ------
    TrainingError
        If the file cannot be read, or a series is missing or has other slices than were listed.
    """
    try:
        text = path.read_bytes()
        content = json.loads(text)
        frequency, value = (tuple(content["gain"][key]) for key in ("frequency", "value"))
        side: Side = content["side"]
        listed = [
            (Path(one["folder"]), one["series"], one["slices"], one["instances_sha256"])
            for one in content["series"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise TrainingError(
            f"{path}: not a readable list of real slices ({exc}); put the file back, or start a "
            "new run in another folder"
        ) from exc
    search = cache(search_folder)
    slices = [
        RealSlice(item.path, series.rows, series.columns, series.mean_pixel_spacing)
        for folder, *known in listed
        for series in [_find(search(folder), folder, *known)]
        for item in series.slices
    ]
    return Unpaired(side, tuple(slices), Gain(frequency, value), hashlib.sha256(text).hexdigest())


def _find(inventory: Inventory, folder: Path, uid: str, slices: int, instances: str) -> Series:
    """Return a listed series, with the slices that it had."""
    for series in inventory.series:
        if series.series_instance_uid == uid and _hash_instances(series) == instances:
            return series
    reasons = [one.reason for one in inventory.failed if one.series_instance_uid == uid]
    raise TrainingError(
        f"{folder}: has no series {uid} with the {slices} slices that the run was started with"
        f"{f' ({reasons[0]})' if reasons else ''}; was it moved or changed? Put it back, or start "
        "a new run in another folder"
    )


def _hash_instances(series: Series) -> str:
    """Return a hash of which SOP instances a series has, by position."""
    uids = "\n".join(item.sop_instance_uid for item in series.slices)
    return hashlib.sha256(uids.encode()).hexdigest()
