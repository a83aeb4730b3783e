"""Reports and mappings of the shards of one run, as those of the whole."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeVar

from rgan_sdk.dicom.discovery import STATE_FOLDER
from rgan_sdk.errors import ConfigurationError, OutputError
from rgan_sdk.run.delivery.mapping import COLUMNS, MAPPING, save_rows
from rgan_sdk.run.options import LEFT_TO_ANOTHER
from rgan_sdk.run.report import Report, SeriesEntry
from rgan_sdk.run.reports.files import FileEntry
from rgan_sdk.run.reports.stored import StoredReport, read_report
from rgan_sdk.run.state.identity import RunIdentity, UsedModel
from rgan_sdk.run.state.journal import REPORT, EarlierRun, read_journal

Entry = TypeVar("Entry", SeriesEntry, FileEntry)
Row = TypeVar("Row")

_RANKS: Final = ("done", "failed", "unfinished", "skipped")
"""Of several outcomes the first counts: a series is skipped by all shards but its own."""


class _Part(NamedTuple):
    """The output folder of one shard.

    Attributes
    ----------
    shard
        Such as ``1/4``; empty for a run without shards.
    above
        The folder, relative to that of the merged report.
    """

    output: Path
    run: EarlierRun
    report: StoredReport
    shard: str
    above: str

    @classmethod
    def open(cls, output: Path, destination: Path) -> Self:
        run = read_journal(output)
        if run is None:
            raise OutputError(f"{output}: holds no run; give the OUTPUT folders of `run`")
        return cls(
            output,
            run,
            read_report(output / STATE_FOLDER / REPORT),
            run.identity.options.get("shard") or "",
            os.path.relpath(output.resolve(), destination.resolve()),  # links have another ..
        )

    @property
    def identity(self) -> RunIdentity:
        """What the parts of one run have in common."""
        options = {**self.run.identity.options, "shard": None}
        models = self.run.identity.models or self._several_models()
        return replace(self.run.identity, models=models, options=options)

    def _several_models(self) -> tuple[UsedModel, ...]:
        """Return the models that a run with several was given, in whatever order that was."""
        given = self.report.content.get("models", [])
        used = [UsedModel(one["name"], one["sha256"]) for one in given]
        return tuple(sorted(used, key=lambda one: one.sha256))

    @property
    def is_nifti(self) -> bool:
        """Whether it is of NIfTI files, which have no UIDs and no mapping."""
        return "kernel" in self.run.identity.options

    def place(self, path: str) -> str:
        """Return a path in this folder as one from the folder of the merged report."""
        return os.path.normpath(os.path.join(self.above, path))  # noqa: PTH118 (no pathlib has ..)

    def describe(self) -> dict[str, Any]:
        """Return what the merged report says of this part."""
        names = {"environment", "engine", "models", "stages"}
        own = {name: value for name, value in self.report.content.items() if name in names}
        return {"output": self.above, "shard": self.shard, **own}


def merge_outputs(outputs: Sequence[Path], destination: Path) -> Report:
    """Join the reports and mappings of runs, such as the shards of one, in a folder.

    Each series and each file has one outcome, as if one run had done all of it.

    Parameters
    ----------
    outputs
        The output folders of the runs; nothing in them is changed.
    destination
        The folder that gets ``report.json`` and, unless the files are NIfTI, ``mapping.csv``; it is
        made if need be.

    Returns
    -------
    Report
        Its ``warnings`` name the shards that are missing.

    Raises
    ------
    ConfigurationError
        If the folders are not parts of one run, or hold a series or a file twice.
    OutputError
        If one holds no finished run, or ``destination`` cannot be written to.
    """
    if (destination / STATE_FOLDER).exists():
        raise ConfigurationError(f"{destination}: holds a run itself; choose another folder")
    _refuse_foreign(destination / REPORT)
    parts = [_Part.open(output, destination) for output in outputs]
    for first, second in pairwise(parts):
        _require_alike(first, second)
    _require_same_configurations(parts)
    missing = missing_shards(part.shard for part in parts)
    report = _merge_reports(parts)
    report.warnings += [f"{one} is missing: its series are not in this report" for one in missing]
    try:
        destination.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"{destination}: cannot be made ({exc.strerror})") from exc
    if not parts[0].is_nifti:
        save_rows(destination, _merge_mappings(parts), report)
    report.write(destination / REPORT)
    return report


def _refuse_foreign(path: Path) -> None:
    """Refuse to replace a report that is not a merged one."""
    if not path.exists():
        return
    try:
        is_merged = "parts" in read_report(path).content
    except OutputError:
        is_merged = False
    if not is_merged:
        raise ConfigurationError(
            f"{path}: was not written by `merge`, and would be replaced; choose another folder "
            "with --into"
        )


def _require_alike(first: _Part, second: _Part) -> None:
    if different := second.identity.differences(first.identity):
        raise _differ(first, second, ", ".join(different))
    if first.run.timestamp != second.run.timestamp:
        unlike = (
            "sidecars are not those of one run; set SOURCE_DATE_EPOCH for all shards"
            if first.is_nifti
            else "UIDs are not those of one run; share a work list (`scan --list`) between shards, "
            "or set SOURCE_DATE_EPOCH"
        )
        raise ConfigurationError(
            f"{first.output} and {second.output} are not parts of one run: one has the time "
            f"{first.run.timestamp.isoformat()}, the other {second.run.timestamp.isoformat()}, so "
            f"that their {unlike}"
        )


def _require_same_configurations(parts: Sequence[_Part]) -> None:
    """Refuse runs with several models of which one has worked with two engines, or two batches."""
    users: dict[UsedModel, _Part] = {}
    for part in parts:
        for model, configuration in part.run.models.items():
            first = users.setdefault(model, part)
            if first.run.models[model] != configuration:
                raise _differ(first, part, f"the configuration of {model.name}")


def _differ(first: _Part, second: _Part, names: str) -> ConfigurationError:
    return ConfigurationError(
        f"{first.output} and {second.output} are not parts of one run: they differ in {names}; "
        "run or resume each with the same models and options"
    )


def missing_shards(shards: Iterable[str]) -> list[str]:
    """Return the shards, such as ``shard 2/4``, that belong to those that are there.

    Raises
    ------
    ConfigurationError
        If they are shards of several divisions, or one is there twice.
    """
    given = list(filter(None, shards))
    if twice := sorted({shard for shard in given if given.count(shard) > 1}):
        raise ConfigurationError(f"shard {twice[0]} is given twice; leave one of its folders out")
    counts = {shard.partition("/")[2] for shard in given}
    if len(counts) > 1:
        raise ConfigurationError(
            f"shards of several divisions: {', '.join(sorted(given))}; give those of one"
        )
    wanted = [f"{number}/{count}" for count in counts for number in range(1, int(count) + 1)]
    return [f"shard {shard}" for shard in wanted if shard not in given]


def _merge_reports(parts: Sequence[_Part]) -> Report:
    first = parts[0].report.content
    report = Report(
        first["environment"],
        first["timestamp"],
        first["model"],
        first["engine"],
        models=_merge_models(parts),
        parts=[part.describe() for part in parts],
    )
    series = [(part, _moved(part, entry)) for part in parts for entry in part.report.series]
    report.series += _choose(series, lambda entry: (entry.series_instance_uid, entry.group))
    files = ((part, entry) for part in parts for entry in part.report.files())
    for file in _choose(files, lambda entry: entry.path):
        report.files.append(file)
    for part in parts:
        content = part.report.content
        for stage, seconds in content["stages"].items():
            report.stages[stage] = round(report.stages.get(stage, 0) + seconds, 3)
        report.previews += map(part.place, content["previews"])
        report.warnings += [f"{part.above}: {warning}" for warning in content["warnings"]]
    return report


def _merge_models(parts: Iterable[_Part]) -> list[dict[str, Any]]:
    """Return each of several models once, with its engine if any part needed it."""
    models: dict[str, dict[str, Any]] = {}
    for part in parts:
        for model in part.report.content.get("models", []):
            if not models.get(model["sha256"], {}).get("engine"):
                models[model["sha256"]] = model
    return list(models.values())


def _moved(part: _Part, entry: SeriesEntry) -> SeriesEntry:
    return replace(entry, output=part.place(entry.output)) if entry.output else entry


def _choose(
    found: Iterable[tuple[_Part, Entry]], key: Callable[[Entry], object]
) -> Iterable[Entry]:
    """Return one outcome for each series or file, that of its own shard."""
    chosen: dict[object, tuple[_Part, Entry]] = {}
    for part, entry in found:
        other = chosen.setdefault(key(entry), (part, entry))
        if other[1] is not entry and other[1].status == entry.status == "done":
            _refuse_twice(other[0], part, entry)
        if _rank(entry) < _rank(other[1]):
            chosen[key(entry)] = (part, entry)
    return [entry for _, entry in chosen.values()]


def _rank(entry: SeriesEntry | FileEntry) -> tuple[int, bool]:
    return _RANKS.index(entry.status), entry.reason.startswith(LEFT_TO_ANOTHER)


def _refuse_twice(first: _Part, second: _Part, entry: SeriesEntry | FileEntry) -> None:
    if isinstance(entry, SeriesEntry):
        raise ConfigurationError(
            f"{entry.series_instance_uid} is in {first.output} and in {second.output}; leave one "
            "of these folders out"
        )
    raise ConfigurationError(
        f"{entry.path} belongs to a series in {first.output} and to another in {second.output}, "
        "so that they are not of one INPUT; merge the OUTPUT folders of each INPUT by themselves"
    )


def _merge_mappings(parts: Sequence[_Part]) -> list[dict[str, str]]:
    chosen: dict[tuple[str, str], dict[str, str]] = {}
    for part in parts:
        for row in _read_mapping(part):
            key = row["source_series"], row["group"]
            other = chosen.setdefault(key, row)
            if _RANKS.index(row["outcome"]) < _RANKS.index(other["outcome"]):
                chosen[key] = row
    return list(chosen.values())


def _read_mapping(part: _Part) -> list[dict[str, str]]:
    path = part.output / MAPPING
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as exc:
        raise OutputError(f"{path}: cannot be read ({exc.strerror})") from exc
    except UnicodeDecodeError:
        rows = [{}]
    if any(set(row) != set(COLUMNS) or row["outcome"] not in _RANKS for row in rows):
        raise OutputError(f"{path}: is not as `run` wrote it; run the same command again")
    for row in rows:
        if row["output_folder"]:
            row["output_folder"] = part.place(row["output_folder"])
    return rows
