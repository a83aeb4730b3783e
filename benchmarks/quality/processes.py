"""Do several tasks of a benchmark at a time, each in a process of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, Protocol


class Named(Protocol):
    """A task."""

    @property
    def name(self) -> str:
        """What it is called."""


def run_all(work: Callable[..., str], tasks: Iterable[Named], jobs: int, *arguments: Any) -> bool:
    """Do tasks in ``jobs`` processes; say how each ended; return whether all went well.

    A failure is told, and the others go on.

    Parameters
    ----------
    work
        Takes a task, ``arguments`` and a number of threads; returns what to say.
    """
    tasks = list(tasks)
    threads = max(1, (os.cpu_count() or 1) // jobs)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # of the processes, before they start
    started, ok = time.monotonic(), True
    print(f"{len(tasks)} to do: {', '.join(task.name for task in tasks)}", flush=True)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        pending = {pool.submit(work, task, *arguments, threads): task for task in tasks}
        for number, done in enumerate(as_completed(pending), 1):
            error = done.exception()
            ok &= error is None
            said = f"FAILED: {type(error).__name__}: {error}" if error else done.result()
            passed = f"{time.monotonic() - started:5.0f} s, {number} of {len(tasks)}"
            print(f"{passed}  {pending[done].name}: {said}", flush=True)
    return ok
