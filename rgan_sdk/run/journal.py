"""What a run has done so far, so that it can be continued, however it was stopped.

``OUTPUT/.rgan/`` holds four things:

- ``lock``, which only one run at a time can hold;
- ``journal.jsonl``, with one line for the run and one for each series that is about to appear;
- ``staging/``, where series are written before they are renamed into place;
- ``report.json``, what the last completed run did with each file.

A series is finished when its folder is in OUTPUT *and* its line is in the journal. The line is
written first; the rename decides.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Self

from rgan_sdk.errors import OutputBusyError, OutputError
from rgan_sdk.files import sync
from rgan_sdk.run.identity import RunIdentity

STATE_FOLDER: Final = ".rgan"
JOURNAL: Final = "journal.jsonl"
REPORT: Final = "report.json"
SCHEMA: Final = 1


@dataclass(frozen=True)
class FinishedSeries:
    """A series whose files are all there.

    Attributes
    ----------
    output
        Its folder in OUTPUT.
    sources
        Hash of the slices that it was made of.
    clips
        Pixels that could not be stored as computed.
    """

    output: str
    sources: str
    clips: int


class Journal:
    """The journal of one output folder, locked for this run.

    Attributes
    ----------
    identity
        What the series of this folder have in common.
    timestamp
        The time of the first run on this folder. It is written into all new objects.

    Raises
    ------
    OutputError
        If the folder cannot be used, or holds series of another identity.
    """

    def __init__(self, output: Path, identity: RunIdentity, timestamp: datetime) -> None:
        self._output, self._state = output, output / STATE_FOLDER
        self._path = self._state / JOURNAL
        self._finished: dict[str, FinishedSeries] = {}
        self.identity, self.timestamp = identity, timestamp
        try:
            self._open(identity)
        except OSError as exc:
            raise OutputError(f"{output}: cannot be used for output ({exc.strerror})") from exc

    def _open(self, identity: RunIdentity) -> None:
        earlier = _read_journal(self._output)
        if earlier is not None:
            self.timestamp = earlier.timestamp
        if earlier is not None and earlier.has_series_in(self._output):
            check_same_run(self._output, identity, earlier.identity)
            os.truncate(self._path, earlier.size)
            self._finished = earlier.finished
        else:
            self._begin(identity)
        shutil.rmtree(self.staging, ignore_errors=True)
        self.staging.mkdir(mode=0o700)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        shutil.rmtree(self.staging, ignore_errors=True)

    @property
    def staging(self) -> Path:
        """Where series are written. What an earlier run has left there is never used."""
        return self._state / "staging"

    @property
    def report(self) -> Path:
        """Where the report of a completed run is kept."""
        return self._state / REPORT

    def finished_series(self, output: str) -> FinishedSeries | None:
        """Return what was noted of a finished series; None for any other."""
        return self._finished.get(output) if self.is_in_place(output) else None

    def is_in_place(self, output: str) -> bool:
        """Return whether OUTPUT has a folder of that name."""
        return (self._output / output).is_dir()

    def note(self, series: FinishedSeries) -> None:
        """Note a series that is about to be renamed into place."""
        self._append({"kind": "series", **asdict(series)})
        self._finished[series.output] = series

    def _begin(self, identity: RunIdentity) -> None:
        self._path.unlink(missing_ok=True)
        self._append(
            {
                "kind": "run",
                "schema": SCHEMA,
                "timestamp": self.timestamp.isoformat(),
                **asdict(identity),
            }
        )
        sync(self._state)

    def _append(self, record: dict[str, Any]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())


def check_same_run(output: Path, identity: RunIdentity, earlier: RunIdentity) -> None:
    """Refuse a run whose series would be made differently from those in the folder.

    Raises
    ------
    OutputError
        If they would; it names what differs.
    """
    different = identity.differences(earlier)
    if different:
        made = "".join(f"; {name} was {getattr(earlier, name)}" for name in different)
        raise OutputError(
            f"{output}: holds series that were made with another {', '.join(different)}; "
            f"run with what they were made with, or choose another OUTPUT{made}"
        )


def has_journal(output: Path) -> bool:
    """Return whether a folder holds a run to continue."""
    return (output / STATE_FOLDER / JOURNAL).is_file()


def earlier_identity(output: Path) -> RunIdentity | None:
    """Return what the finished series of a folder have in common; None without any.

    Raises
    ------
    OutputError
        If the journal is damaged, or of another version.
    """
    earlier = _read_journal(output)
    if earlier is None or not earlier.has_series_in(output):
        return None
    return earlier.identity


class _Content(NamedTuple):
    """What a journal says."""

    identity: RunIdentity
    timestamp: datetime
    finished: dict[str, FinishedSeries]
    size: int

    def has_series_in(self, output: Path) -> bool:
        return any((output / name).is_dir() for name in self.finished)


def _read_journal(output: Path) -> _Content | None:
    """Read a journal up to its last complete line; None if there is no such line.

    A last line that was cut off does not count: nothing came after it.
    """
    path = output / STATE_FOLDER / JOURNAL
    try:
        content = path.read_bytes()
    except OSError:
        return None
    size = content.rfind(b"\n") + 1
    if not size:
        return None
    try:
        run, *records = map(json.loads, content[:size].splitlines())
        if run.pop("kind") != "run" or run.pop("schema") != SCHEMA:
            raise OutputError(f"{path}: written by another version of this software")
        timestamp = datetime.fromisoformat(run.pop("timestamp"))
        for record in records:
            record.pop("kind")
        finished = {record["output"]: FinishedSeries(**record) for record in records}
        return _Content(RunIdentity(**run), timestamp, finished, size)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise OutputError(
            f"{path}: is damaged, so it is not known which series are finished; choose another "
            "OUTPUT"
        ) from exc


@contextmanager
def lock_folder(output: Path) -> Iterator[None]:
    """Hold an output folder, so that no other run can use it.

    Raises
    ------
    OutputBusyError
        If another run holds it.
    OutputError
        If it cannot be written to.
    """
    state = output / STATE_FOLDER
    try:
        output.mkdir(mode=0o700, parents=True, exist_ok=True)
        state.mkdir(mode=0o700, exist_ok=True)
        file: IO[str] = (state / "lock").open("w")
    except OSError as exc:
        raise OutputError(f"{output}: cannot be used for output ({exc.strerror})") from exc
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise OutputBusyError(
                f"{output}: another run writes there; wait for it, or choose another OUTPUT"
            ) from exc
        except OSError as exc:
            raise OutputError(f"{output}: cannot be locked ({exc.strerror})") from exc
        yield
