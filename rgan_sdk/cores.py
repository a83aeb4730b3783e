"""How many cores this process may use, and work ahead in a thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from rgan_sdk.errors import ResourceError

NO_THREADS: Final = (
    "the system starts no more threads; raise its limit (`ulimit -u`, or the container's limit of "
    "processes), or lower --workers, and run the same command again"
)

Item = TypeVar("Item")
Result = TypeVar("Result")


def usable_cores() -> int:
    """Return the number of cores that this process may run on: its CPU affinity.

    It is less than the machine has under ``taskset``, a batch system or a container's CPU set. A
    container's limit of CPU time, which leaves all cores usable, does not count.
    """
    return len(os.sched_getaffinity(0))


def look_ahead(
    items: Iterable[Item], function: Callable[[Item], Result]
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with what a function returns for it.

    The function runs in another thread for an item while the caller works on the one before.

    Raises
    ------
    ResourceError
        If the system starts no more threads.
    """
    with ThreadPoolExecutor(1, "rgan-ahead") as thread:
        waiting = None
        for item in items:
            try:
                following = item, thread.submit(function, item)
            except RuntimeError as exc:
                raise ResourceError(NO_THREADS) from exc
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = following
        if waiting is not None:
            yield waiting[0], waiting[1].result()
