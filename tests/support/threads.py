"""Call something from several threads at once."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

Result = TypeVar("Result")


def call_at_once(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Return what the calls return, each made in a thread of its own; raise what one raises."""
    barrier, results, errors = threading.Barrier(len(calls)), {}, []

    def make(index: int) -> None:
        try:
            barrier.wait(timeout=60)
            results[index] = calls[index]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=make, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[index] for index in range(len(calls))]
