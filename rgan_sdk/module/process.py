"""Process one folder into another, as a step of an imaging pipeline does.

All state is in a hidden folder of the output, because nothing else need be writable; it is gone
when the step has ended. ``result.json`` is the last file to appear.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from rgan_sdk.errors import OutputError
from rgan_sdk.files import is_there
from rgan_sdk.module.flat_files import publish, take_back
from rgan_sdk.module.result import RESULT, describe, read_outcome, write_result
from rgan_sdk.module.settings import ModuleSettings
from rgan_sdk.run.cohort.lock import lock_folder
from rgan_sdk.run.cohort.models import CohortModel
from rgan_sdk.run.directory import harmonize_cohort
from rgan_sdk.run.observer import Observer
from rgan_sdk.run.outputs import check_folders
from rgan_sdk.run.report import Report

STATE: Final = ".rgan-module"


def process_folder(
    source: Path,
    destination: Path,
    models: Sequence[CohortModel],
    settings: ModuleSettings,
    *,
    observer: Observer,
    on_report: Callable[[Report], None],
) -> str:
    """Harmonize each series of a folder that a model takes, into flat files.

    The same call goes on where an earlier one was stopped.

    Parameters
    ----------
    source
        Folder that is searched; nothing there is changed.
    destination
        Folder that is absent or empty, or that an earlier call was stopped in.
    models
        Those that ``settings`` names.
    observer
        Is told how the run goes on.
    on_report
        Receives the report, unless an earlier call has written ``result.json``.

    Returns
    -------
    str
        The outcome that ``result.json`` holds.

    Raises
    ------
    RganError
        If nothing could be done; see ``harmonize_cohort``.
    """
    state = destination / STATE
    if not is_there(state):
        check_folders(source, destination, resume=False)
    with lock_folder(state, durable=settings.options.durable):
        try:
            if not is_there(destination / RESULT):
                run = state / "run"
                take_back(run, destination)
                report = harmonize_cohort(source, run, models, settings.options, observer=observer)
                publish(report, run, destination)
                write_result(describe(report, settings), state, destination)
                on_report(report)
            with suppress(FileNotFoundError):  # a call at the same time has removed it
                shutil.rmtree(state)
            return read_outcome(destination)
        except OSError as exc:
            raise OutputError(f"{destination}: cannot be used for output ({exc.strerror})") from exc
