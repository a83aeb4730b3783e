"""What speaks for a transfer that was measured without pairs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MatchCertificate:
    """How far transfers are apart whose relation is known.

    Each is in dB, root mean square over the frequencies up to 0.9 of the Nyquist frequency; None
    where the slices do not suffice.

    Attributes
    ----------
    halves
        From the first half of both groups, and from the second.
    source_to_itself, target_to_itself
        Between two halves of one group, from 1: nothing is to be done.
    closure
        By way of a third group, and the direct one; None without such a group.
    """

    halves: float | None
    source_to_itself: float | None
    target_to_itself: float | None
    closure: float | None = None
