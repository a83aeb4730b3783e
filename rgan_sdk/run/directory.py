"""Harmonize a folder of DICOM series.

The series is the unit of work. It is written to a staging folder and renamed into place when its
last slice is there, so it appears whole or not at all. Whatever goes wrong with one series is
reported, and the run continues with the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import NoneType

from rgan_sdk.errors import OutputError, RganError, check_type
from rgan_sdk.files import as_path
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.choosing.chooser import why_copied
from rgan_sdk.run.cohort.cohort import Cohort, cannot_run
from rgan_sdk.run.cohort.lock import lock_folder
from rgan_sdk.run.cohort.models import CohortModel, choose_models
from rgan_sdk.run.cohort.work import Work, derive_with
from rgan_sdk.run.jobs import is_processed
from rgan_sdk.run.ledger import Ledger
from rgan_sdk.run.observer import Cancellation, Observer, watch
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.outputs import Standing, check_folders, examine
from rgan_sdk.run.planning import as_source, fixed_time, make_plan, path_of
from rgan_sdk.run.report import Report
from rgan_sdk.run.state.identity import run_timestamp
from rgan_sdk.run.state.journal import EarlierRun, Journal, read_earlier
from rgan_sdk.run.worklist import WorkList

Prepare = Callable[[Path, EarlierRun | None], Cohort]
"""Makes what a run works with, of OUTPUT and what its journal says."""


def harmonize_directory(
    source: str | Path | WorkList,
    destination: str | Path,
    harmonizer: Harmonizer,
    options: RunOptions | None = None,
    *,
    others: Sequence[Harmonizer] = (),
    observer: Observer | None = None,
    cancel: Cancellation | None = None,
) -> Report:
    """Harmonize each eligible CT series below a folder.

    A run on the same two folders continues where an earlier one was stopped: finished series stay
    as they are, unfinished ones start again. So do finished series whose files in ``destination``
    are missing, cut or changed; the report says why, and what was there is kept in
    ``.rgan/replaced``.

    Threads: any number may call at once, each with a ``destination`` of its own. They may share a
    harmonizer.

    Parameters
    ----------
    source
        Folder that is searched recursively, one file, or a list of series in one folder; nothing
        there is changed.
    destination
        Folder that is absent, empty, or holds a run to continue. It gets one folder per new
        series, and ``mapping.csv``.
    harmonizer
        What to apply. Its batch size is not changed by the run.
    options
        What else was chosen; see ``RunOptions``.
    others
        The same model on further devices, which share the work with ``harmonizer``.
    observer
        Is told how the run goes on.
    cancel
        A ``threading.Event``, or what else has ``is_set``: the run stops soon after it is set.

    Returns
    -------
    Report
        One outcome per series and per file found.

    Raises
    ------
    ConfigurationError, OutputError
        If an argument is of another type, or the folders or devices cannot be used. Errors of
        single series are in the report.
    OutputBusyError
        If another run writes to ``destination``.
    CancelledError
        If ``cancel`` was set. Finished series are in place, and the same call continues.

    Examples
    --------
    >>> import rgan_sdk as rgan
    >>> with rgan.Harmonizer.load("b40f-to-b70f") as harmonizer:  # doctest: +SKIP
    ...     report = rgan.harmonize_directory("scans", "harmonized", harmonizer)
    ...     preview = rgan.RunOptions(preview=True, shard=rgan.Shard(1, 4))
    ...     part = rgan.harmonize_directory("scans", "part-1", harmonizer, preview)
    """
    settings, prepare = _with_open(harmonizer, options, others)
    return _harmonize(
        _without_models(source), destination, settings, watch(observer, cancel), prepare
    )


def harmonize_cohort(
    source: str | Path | WorkList,
    destination: str | Path,
    models: Sequence[CohortModel],
    options: RunOptions | None = None,
    *,
    target_kernel: str | None = None,
    observer: Observer | None = None,
    cancel: Cancellation | None = None,
) -> Report:
    """Harmonize each CT series below a folder to one kernel, with the one model that takes it.

    Models are opened one after the other. A series that several take fails. Otherwise it does what
    ``harmonize_directory`` does. A run may be continued with further models, but with all that made
    any of its series.

    Threads: any number may call at once, each with a ``destination`` of its own. They may share
    models.

    Parameters
    ----------
    models
        What to choose from. They have one target kernel.
    options
        ``include_target`` matters here, beside what matters for a single model.
    target_kernel
        Leaves out models for any other target.

    Returns
    -------
    Report
        One outcome per series and per file found. If a model cannot be run, its series fail.

    Raises
    ------
    ConfigurationError
        If the models have several targets, or as ``harmonize_directory`` raises it.
    EngineError
        If the model that comes first cannot be run.
    OutputError, OutputBusyError, CancelledError
        As for ``harmonize_directory``.

    Examples
    --------
    >>> import rgan_sdk as rgan
    >>> models = [rgan.CohortModel.load("b70f-to-b40f")]  # and others to B40f
    >>> report = rgan.harmonize_cohort("scans", "harmonized", models)  # doctest: +SKIP
    """
    settings, prepare = _with_files(models, options, target_kernel)
    return _harmonize(source, destination, settings, watch(observer, cancel), prepare)


def plan_directory(
    source: str | Path | WorkList,
    destination: str | Path,
    harmonizer: Harmonizer,
    options: RunOptions | None = None,
    *,
    others: Sequence[Harmonizer] = (),
) -> Report:
    """Report what ``harmonize_directory`` would do, and write nothing.

    Series that are finished already, and those that would be done again, are planned with a reason
    that says so. Threads: any number may call at once.

    Parameters: see ``harmonize_directory``.

    Raises
    ------
    ConfigurationError, OutputError
        Where ``harmonize_directory`` would refuse the folders, the run in them or the devices.
    """
    settings, prepare = _with_open(harmonizer, options, others)
    return _plan(_without_models(source), destination, settings, prepare)


def plan_cohort(
    source: str | Path | WorkList,
    destination: str | Path,
    models: Sequence[CohortModel],
    options: RunOptions | None = None,
    *,
    target_kernel: str | None = None,
) -> Report:
    """Report what ``harmonize_cohort`` would do, and write nothing.

    Threads: any number may call at once.

    Parameters and errors: see ``harmonize_cohort``.
    """
    settings, prepare = _with_files(models, options, target_kernel)
    return _plan(source, destination, settings, prepare)


def _with_open(
    harmonizer: Harmonizer, options: RunOptions | None, others: Sequence[Harmonizer]
) -> tuple[RunOptions, Prepare]:
    """Return the options of a run with one open model, and what prepares it."""
    check_type("harmonizer", harmonizer, Harmonizer)
    check_type("options", options, RunOptions, NoneType)
    check_type("others", others, Sequence)
    for index, other in enumerate(others):
        check_type(f"others[{index}]", other, Harmonizer)
    settings = (options or RunOptions()).accepting(harmonizer.outside_domain)
    return settings, partial(Cohort.of_open, (harmonizer, *others), settings)


def _with_files(
    models: Sequence[CohortModel], options: RunOptions | None, target_kernel: str | None
) -> tuple[RunOptions, Prepare]:
    """Return the options of a run with models that are not open, and what prepares it."""
    check_type("options", options, RunOptions, NoneType)
    settings = options or RunOptions()
    return settings, partial(Cohort.of_files, choose_models(models, target_kernel), settings)


def _without_models(source: str | Path | WorkList) -> str | Path | WorkList:
    return source.without_models() if isinstance(source, WorkList) else source


def _harmonize(
    source: str | Path | WorkList,
    destination: str | Path,
    options: RunOptions,
    observer: Observer,
    prepare: Prepare,
) -> Report:
    source, destination = as_source(source), as_path("destination", destination)
    check_folders(path_of(source), destination, resume=options.resume)
    with lock_folder(destination, durable=options.durable):
        cohort = prepare(destination, read_earlier(destination, fixed_time(source)))
        timestamp = fixed_time(source) or run_timestamp()
        plan = make_plan(source, cohort.candidates, options, observer, cohort.made)
        observer.on_planned(len(plan.chosen), plan.slices)
        ledger = Ledger(plan, checksums=options.checksums)
        cohort.describe(ledger.report)
        with (  # what is refused until here leaves OUTPUT as it was
            cohort.open_parts(plan, ledger.report) as parts,
            Journal(destination, cohort.identity, timestamp, cohort.earlier) as journal,
        ):
            ledger.report.timestamp = journal.timestamp.isoformat()
            Work(plan, parts, cohort, options, journal, ledger, observer).do_all()
            try:
                ledger.report.write(journal.report)
            except OutputError as exc:  # the series are all in place
                ledger.report.warnings.append(str(exc))
    return ledger.report


def _plan(
    source: str | Path | WorkList,
    destination: str | Path,
    options: RunOptions,
    prepare: Prepare,
) -> Report:
    source, destination = as_source(source), as_path("destination", destination)
    check_folders(path_of(source), destination, resume=options.resume)
    cohort = prepare(destination, read_earlier(destination, fixed_time(source)))
    plan = make_plan(source, cohort.candidates, options, made=cohort.made)
    earlier = cohort.earlier
    timestamp = earlier.timestamp if earlier else fixed_time(source) or run_timestamp()
    finished = earlier.finished_for(cohort.identity) if earlier else {}
    ledger = Ledger(plan, checksums=options.checksums)
    ledger.report.aim = "planned"
    cohort.describe(ledger.report)
    with cohort.open_parts(plan, ledger.report) as parts:
        for part, opened in parts:
            if isinstance(opened, RganError):
                for series in part.series:
                    ledger.record(series, "failed", cannot_run(part, opened))
                continue
            derive = derive_with(opened[0], part, timestamp)
            for one in examine(part.series, derive, destination, finished, options):
                _foresee(one, ledger, options)
    return ledger.report


def _foresee(one: Standing, ledger: Ledger, options: RunOptions) -> None:
    """Record what a run would do with a series."""
    copied = why_copied(one.series) if one.derivation is None else ""
    processed = is_processed(one.derivation)
    if one.conflict:
        ledger.record(one.series, "failed", one.conflict)
    elif one.is_done:
        ledger.record(one.series, "planned", "finished", one.notes, processed=processed)
    else:
        again = f"to be done again, {one.damage}" if one.damage else ""
        reason = "; ".join(filter(None, (copied, again)))
        ledger.plan(one.series, reason, strict_kernel=options.strict_kernel, processed=processed)
