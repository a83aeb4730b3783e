"""What a run did: one outcome for each series and for each file found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rgan_sdk.errors import OutputError
from rgan_sdk.files import as_path, atomic_write
from rgan_sdk.run.reports.files import FileEntries, Status

REPORT_SCHEMA = 1

_BETWEEN_ENTRIES: Final = ",\n  "


@dataclass(frozen=True)
class SeriesEntry:
    """The outcome of one series.

    Threads: it never changes, so any number may share one.

    Attributes
    ----------
    convolution_kernel
        All values of ConvolutionKernel, with a backslash between them; None where absent.
    reason
        Why it was skipped, has failed, was copied, or was done again although it was finished.
    clips
        Pixels that had to be clamped to what the stored format holds.
    clamped
        The share of the series' pixels: of ``all`` these, and of those that show ``air`` (below
        -900 HU), ``dense`` bone or metal (above 1000 HU) and ``tissue``. Empty if there are none;
        only ``all`` where an earlier version wrote the series.
    output
        Folder of the new series, relative to the output folder, and named by its SeriesInstanceUID;
        None unless done.
    notes
        What a careful reader should know, such as uneven spacing.
    reconstruction
        What the headers say of iterative or learned reconstruction, such as ``ITERATIVE``.
    pixel_spacing
        mm, the mean of both directions; None for a series that could not be read.
    outside
        In what it is outside the domain that the model's card states, such as ``spacing``.
    mtf
        Where measured: ``f50`` and ``f10``, the frequencies in lp/cm at which the modulation
        transfer function falls to 50 and 10 %, None beyond 0.9 of the Nyquist frequency; and
        ``nyquist``.
    noise_hu
        Standard deviation in soft tissue of the source; None where it was not measured.
    model
        Name of the model that takes it, as on its card; None where none does.
    processed
        False for what has the pixels of its source: a copy of a series that has the target kernel
        already, or one by the identity engine. None unless done or planned.
    """

    series_instance_uid: str
    group: int
    convolution_kernel: str | None
    slices: int
    status: Status
    reason: str = ""
    clips: int = 0
    output: str | None = None
    notes: tuple[str, ...] = ()
    reconstruction: str | None = None
    pixel_spacing: float | None = None
    outside: tuple[str, ...] = ()
    mtf: dict[str, float | None] = field(default_factory=dict)
    noise_hu: float | None = None
    model: str | None = None
    processed: bool | None = None
    clamped: dict[str, float] = field(default_factory=dict)


@dataclass
class Report:
    """Everything that a run did. ``to_json`` gives the format of ``--report``.

    Threads: one at a time; it belongs to the caller once the run returns it.

    Attributes
    ----------
    timestamp
        The time that is written into the new objects, ISO 8601. Empty if nothing was to be
        written.
    model, engine
        What the series were harmonized with, and on what. Both are empty where ``models`` says it.
    stages
        Seconds that reading, inference and writing were busy. Inference on several devices counts
        with their mean.
    previews
        Pictures, relative to the output folder.
    warnings
        What went wrong besides the series, such as a picture that could not be written.
    aim
        The status of a series that nothing stands in the way of. Not in the JSON.
    advice
        What to do with the series; empty, and not in the JSON, unless the report is of a scan.
    models
        Each of several models, with its ``engine``, which is empty if no series needed it; not in
        the JSON of a run with one model.
    parts
        The runs that the report was merged of; empty, and not in the JSON, for that of one run.
    """

    environment: dict[str, str]
    timestamp: str = ""
    model: dict[str, Any] = field(default_factory=dict)
    engine: dict[str, Any] = field(default_factory=dict)
    series: list[SeriesEntry] = field(default_factory=list)
    files: FileEntries = field(default_factory=FileEntries)
    stages: dict[str, float] = field(default_factory=dict)
    previews: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    advice: dict[str, Any] = field(default_factory=dict)
    models: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)
    aim: Status = "done"

    @property
    def summary(self) -> dict[str, dict[str, int]]:
        """Counts of series and files by status."""
        return {
            "series": self._count(Counter(entry.status for entry in self.series)),
            "files": self._count(self._files_by_status()),
        }

    @property
    def statuses(self) -> set[Status]:
        """What became of series and files: each status that occurs."""
        return {*self._files_by_status(), *(entry.status for entry in self.series)}

    @property
    def bottleneck(self) -> str:
        """The stage that was busy the longest. The run must have had work."""
        return max(self.stages, key=lambda stage: self.stages[stage])

    def _files_by_status(self) -> Counter[Status]:
        counts: Counter[Status] = Counter()
        for (status, _), count in self.files.outcomes().items():
            counts[status] += count
        return counts

    def _count(self, counts: Counter[Status]) -> dict[str, int]:
        first: Status = "planned" if counts["planned"] else self.aim
        return {status: counts[status] for status in (first, "skipped", "failed")}

    def to_json(self) -> str:
        """Return the report as JSON text, a line for each series and for each file."""
        return "".join(self._pieces())

    def _pieces(self) -> Iterator[str]:
        """Yield the report as JSON in small pieces: as a whole it may take more room than a run."""
        content = {"schema": REPORT_SCHEMA, "summary": self.summary, **vars(self)}
        del content["aim"]
        for name in ("advice", "models", "parts"):
            if not content[name]:
                del content[name]
        content["series"] = (json.dumps(vars(entry)) for entry in self.series)
        content["files"] = self.files.to_json(_BETWEEN_ENTRIES)
        opening = "{\n "
        for name, value in content.items():
            yield f"{opening}{json.dumps(name)}: "
            yield from _member(value)
            opening = ",\n "
        yield "\n}\n"

    def write(self, path: str | Path) -> None:
        """Write the report to a file, whole or not at all.

        Raises
        ------
        ConfigurationError
            If ``path`` is none.
        OutputError
            If it cannot be written.
        """
        path = as_path("path", path)
        try:
            with atomic_write(path) as temporary, temporary.open("w") as file:
                file.writelines(self._pieces())
        except OSError as exc:
            raise OutputError(f"{path}: cannot write the report ({exc.strerror})") from exc


def _member(value: Any) -> Iterator[str]:
    """Yield a value as JSON; lists and what yields entries that are JSON, a line for each."""
    if isinstance(value, list):
        value = map(json.dumps, value)
    elif not isinstance(value, Iterator):
        yield json.dumps(value)
        return
    opening, closing = "[\n  ", "[]"
    for entry in value:
        yield opening + entry
        opening, closing = _BETWEEN_ENTRIES, "\n ]"
    yield closing
