"""How many cores this process may use. Everything that starts threads asks here."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return the number of cores that this process may run on: its CPU affinity.

    It is less than the machine has under ``taskset``, a batch system or a container's CPU set. A
    container's limit of CPU time, which leaves all cores usable, does not count.
    """
    return len(os.sched_getaffinity(0))
