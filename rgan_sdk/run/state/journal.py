"""What a run has done so far, so that it can be continued, however it was stopped.

``OUTPUT/.rgan/`` holds these things:

- ``lock``, which only one run at a time can hold;
- ``journal.jsonl``, with one line for the run, one for each resume with other models or options,
  one for each further model, and one for each series that is about to appear;
- ``staging/``, where series are written before they are renamed into place;
- ``replaced/``, the folders of finished series that were damaged and have been done again;
- ``report.json``, what the last run did with each file, unless it was stopped.

A series is finished when its folder is in OUTPUT *and* its line is in the journal *and* its files
are those that the line lists. The line is written first; the rename decides.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from rgan_sdk.dicom.discovery import STATE_FOLDER
from rgan_sdk.errors import OutputError
from rgan_sdk.files import atomic_write, is_there, remove_parts, sync
from rgan_sdk.run.state.finished import FinishedSeries
from rgan_sdk.run.state.identity import RunIdentity, UsedModel

JOURNAL: Final = "journal.jsonl"
REPORT: Final = "report.json"
SCHEMA: Final = 2


class EarlierRun(NamedTuple):
    """What a journal says.

    Attributes
    ----------
    identity, timestamp
        Of the run, as it was last begun or resumed.
    noted
        The same identity, also where ``continued`` puts that of a new resume in its place.
    finished
        The series that were finished when they were noted, by folder.
    size
        Bytes of the journal's whole lines.
    models
        What was opened so far, each with the configuration in which it ran last.
    """

    identity: RunIdentity
    noted: RunIdentity
    timestamp: datetime
    finished: dict[str, FinishedSeries]
    size: int
    models: dict[UsedModel, str]

    def series_in(self, output: Path) -> Iterator[FinishedSeries]:
        """Yield its series whose folder is there."""
        return (one for name, one in self.finished.items() if is_there(output / name))

    def has_series_in(self, output: Path) -> bool:
        """Return whether the folder of any of its series is there."""
        return any(True for _ in self.series_in(output))

    def made_with(self, model: UsedModel, output: Path) -> RunIdentity | None:
        """Return how a model made the series that are there; None if it made none of them."""
        made = (one.model for one in self.series_in(output))
        if model not in self.models or model.sha256 not in made:
            return None
        return replace(self.identity, configuration=self.models[model])

    def finished_for(self, identity: RunIdentity) -> dict[str, FinishedSeries]:
        """Return the series that a run of this identity has finished."""
        return {} if identity.differences(self.identity) else self.finished


class Journal:
    """The journal of one output folder, locked for this run.

    Parameters
    ----------
    earlier
        What the folder's journal says already; see ``read_journal`` and ``check_same_run``.

    Attributes
    ----------
    identity
        What the series of this folder have in common.
    timestamp
        The time of the first run on this folder. It is written into all new objects.
    finished
        The series that were finished when they were noted, by folder.

    Raises
    ------
    OutputError
        If the folder cannot be used.
    """

    def __init__(
        self, output: Path, identity: RunIdentity, timestamp: datetime, earlier: EarlierRun | None
    ) -> None:
        self._state = output / STATE_FOLDER
        self._path = self._state / JOURNAL
        self.identity = identity
        self.timestamp = earlier.timestamp if earlier else timestamp
        self.finished = earlier.finished_for(identity) if earlier else {}
        self._size = earlier.size if earlier and self.finished else 0
        self._models = (
            dict(earlier.models)
            if earlier and self.finished
            else dict.fromkeys(identity.models, identity.configuration)
        )
        try:
            self._open(earlier)
        except OSError as exc:
            raise OutputError(f"{output}: cannot be used for output ({exc.strerror})") from exc

    def _open(self, earlier: EarlierRun | None) -> None:
        if not self.finished:
            self._begin()
        elif earlier and self.identity.differences(earlier.noted):
            self._append({"kind": "resume", **asdict(self.identity)})
        with suppress(OSError):
            self.report.unlink()  # what it says may not hold from here on
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
    def replaced(self) -> Path:
        """Where damaged series are kept that were done again."""
        return self._state / "replaced"

    @property
    def report(self) -> Path:
        """Where the report of a completed run is kept."""
        return self._state / REPORT

    def note_model(self, model: UsedModel, configuration: str) -> None:
        """Note a model that series are about to be made with, unless that is known.

        Raises
        ------
        OutputError
            If it cannot be written down.
        """
        if self._models.get(model) == configuration:
            return
        try:
            self._append({"kind": "model", **asdict(model), "configuration": configuration})
        except OSError as exc:
            raise OutputError(
                f"{self._path}: cannot be written to ({exc.strerror}); once that is mended, the "
                "same command continues this run"
            ) from exc
        self._models[model] = configuration

    def note(self, series: FinishedSeries) -> None:
        """Note a series that is about to be renamed into place.

        Raises
        ------
        OSError
            If it cannot be written down.
        """
        self._append({"kind": "series", **series.to_record()})

    def _begin(self) -> None:
        """Write the first line, in place of the journal that is there, if there is one."""
        first = {"kind": "run", "schema": SCHEMA, "timestamp": self.timestamp.isoformat()}
        line = _line(first | asdict(self.identity))
        remove_parts(self._path)
        with atomic_write(self._path, durable=True) as temporary:
            temporary.write_bytes(line)
        sync(self._state)
        self._size = len(line)

    def _append(self, record: dict[str, Any]) -> None:
        line = _line(record)
        with self._path.open("r+b", buffering=0) as file:
            file.truncate(self._size)  # what was torn, now or in an earlier run, is no line
            file.seek(self._size)
            left = memoryview(line)
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        self._size += len(line)


def _line(record: dict[str, Any]) -> bytes:
    return (json.dumps(record) + "\n").encode()


def check_same_run(output: Path, identity: RunIdentity, earlier: RunIdentity) -> None:
    """Refuse a run whose series would be made differently from those in the folder.

    Raises
    ------
    OutputError
        If they would; it names what differs.
    """
    different = identity.differences(earlier)
    if different:
        made = "".join(f"; {name} was {was}" for name, was in different.items())
        raise OutputError(
            f"{output}: holds series that were made with another {', '.join(different)}; "
            f"run with what they were made with, or choose another OUTPUT{made}"
        )


def has_journal(output: Path) -> bool:
    """Return whether a folder holds a run to continue."""
    return (output / STATE_FOLDER / JOURNAL).is_file()


def read_earlier(output: Path, timestamp: datetime | None) -> EarlierRun | None:
    """Read the journal of a run to continue.

    Parameters
    ----------
    timestamp
        The only time that the new objects may have; None if that of the earlier run will do.

    Raises
    ------
    OutputError
        If there are series of another time, or as for ``read_journal``.
    """
    earlier = read_journal(output)
    if earlier is None or timestamp is None or timestamp == earlier.timestamp:
        return earlier
    if earlier.has_series_in(output):
        raise OutputError(
            f"{output}: holds a run that began at {earlier.timestamp.isoformat()}, and this list "
            f"is of {timestamp.isoformat()}, so that its series would get other UIDs; continue "
            "with the list or the folder that began the run, or choose another OUTPUT"
        )
    return None


def read_journal(output: Path) -> EarlierRun | None:
    """Read a journal up to its last complete line; None if there is no such line.

    A last line that was cut off does not count: nothing came after it.

    Raises
    ------
    OutputError
        If the journal is damaged, of another version, or cannot be read.
    """
    path = output / STATE_FOLDER / JOURNAL
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:  # it may be a good one: nothing may be begun in its place
        raise OutputError(f"{path}: cannot be read ({exc.strerror})") from exc
    size = content.rfind(b"\n") + 1
    if not size:
        return None
    try:
        run, *records = map(json.loads, content[:size].splitlines())
        _check_schema(path, run.pop("kind"), run.pop("schema"), run.get("software"))
        timestamp = datetime.fromisoformat(run.pop("timestamp"))
        identity = _read_identity(run)
        models = dict.fromkeys(identity.models, identity.configuration)
        finished = {}
        for record in records:
            kind = record.pop("kind")
            if kind == "resume":
                identity = _read_identity(record)
            elif kind == "model":
                configuration = record.pop("configuration")
                models[UsedModel(**record)] = configuration
            else:
                finished[record["output"]] = FinishedSeries.from_record(record)
        return EarlierRun(identity, identity, timestamp, finished, size, models)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise OutputError(
            f"{path}: is damaged, so it is not known which series are finished; choose another "
            "OUTPUT"
        ) from exc


def _read_identity(record: dict[str, Any]) -> RunIdentity:
    return RunIdentity(tuple(UsedModel(**one) for one in record.pop("models")), **record)


def _check_schema(path: Path, kind: str, schema: int, software: str) -> None:
    if kind == "run" and schema == SCHEMA:
        return
    if schema == 1:
        raise OutputError(
            f"{path}: has journal schema 1, written by {software}, which does not say which files "
            f"a series has, and this version continues schema {SCHEMA} only; finish that run with "
            "the version that began it, or choose another OUTPUT"
        )
    raise OutputError(f"{path}: written by another version of this software; choose another OUTPUT")
