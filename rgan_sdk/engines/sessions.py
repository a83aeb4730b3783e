"""The sessions of a runtime that an engine keeps open: those that it used last."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

MAX_SESSIONS: Final = 4
"""How many stay open: on a CPU, one for each of the last pixel spacings."""

Session = TypeVar("Session")


class Sessions(Generic[Session]):
    """Opens a session when it is first needed.

    A session holds a copy of the weights and memory to compute in. So the one that was not used
    for longest is let go before another is opened, and never are more than ``MAX_SESSIONS`` open.

    Parameters
    ----------
    open_session
        Called with the values that a session is for, such as a pixel spacing.
    """

    def __init__(self, open_session: Callable[..., Session]) -> None:
        self._open_session = open_session
        self._by_use: dict[Hashable, Session] = {}  # the one used last is at the end

    def __len__(self) -> int:
        return len(self._by_use)

    def get(self, *key: Hashable) -> Session:
        """Return the session for these values; open it if it is not open."""
        if key in self._by_use:
            session = self._by_use.pop(key)
        else:
            while len(self._by_use) >= MAX_SESSIONS:
                del self._by_use[next(iter(self._by_use))]
            session = self._open_session(*key)
        self._by_use[key] = session
        return session

    def clear(self) -> None:
        """Let all sessions go."""
        self._by_use.clear()
