"""The outcomes of files, kept so that a million take little room."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Final, Literal, NamedTuple, overload

Status = Literal["done", "planned", "found", "skipped", "failed"]
"""Instead of ``done``, the report of a dry run or of a scan for a model says ``planned``, and that
of a scan without a model ``found``."""


_AT_A_TIME: Final = 1024


@dataclass(frozen=True)
class FileEntry:
    """The outcome of one file. ``path`` is relative to the input folder.

    Threads: it never changes, so any number may share one.
    """

    path: str
    status: Status
    reason: str = ""
    sha256: str | None = None


class _Alike(NamedTuple):
    """Files of one outcome, such as those of a series.

    Attributes
    ----------
    prefix
        What ``paths`` begin with and entries leave out.
    sha256s
        By path; empty if none was computed.
    """

    prefix: str
    paths: Sequence[str]
    status: Status
    reason: str
    sha256s: Mapping[str, str | None]

    def entry(self, index: int) -> FileEntry:
        path = self.paths[index]
        name = path[len(self.prefix) :]
        return FileEntry(name, self.status, self.reason, self.sha256s.get(path))

    def mark(self, rests: list[str]) -> list[str]:
        """Return the name of each file, a zero, and the number of its text in ``rests``.

        Parameters
        ----------
        rests
            Gets what follows the names in JSON.
        """
        outcome = f'"status": "{self.status}", "reason": {json.dumps(self.reason)}'
        cut, number = len(self.prefix), len(rests)
        rests.append(f'{outcome}, "sha256": null}}')
        if not self.sha256s:
            return [f"{path[cut:]}\0{number}" for path in self.paths]
        marked = []
        for path in self.paths:
            marked.append(f"{path[cut:]}\0{len(rests)}")
            rests.append(f'{outcome}, "sha256": {json.dumps(self.sha256s.get(path))}}}')
        return marked


class FileEntries(Sequence[FileEntry]):
    """The outcomes of files, in the order of their recording.

    Threads: one at a time, as for its ``Report``.
    """

    def __init__(self) -> None:
        self._groups: list[_Alike] = []
        self._count = 0

    def append(self, entry: FileEntry) -> None:
        """Add the outcome of one file."""
        sha256s = {} if entry.sha256 is None else {entry.path: entry.sha256}
        self.add([entry.path], entry.status, entry.reason, sha256s=sha256s)

    def add(
        self,
        paths: Sequence[str],
        status: Status,
        reason: str = "",
        *,
        prefix: str = "",
        sha256s: Mapping[str, str | None] | None = None,
    ) -> None:
        """Add files of one outcome.

        Parameters
        ----------
        paths
            Kept as they are.
        prefix
            What ``paths`` begin with and entries leave out.
        sha256s
            By path, where they were computed.
        """
        self._groups.append(_Alike(prefix, paths, status, reason, sha256s or {}))
        self._count += len(paths)

    def outcomes(self) -> Counter[tuple[Status, str]]:
        """Return how many files there are of each status and reason."""
        counts: Counter[tuple[Status, str]] = Counter()
        for group in self._groups:
            counts[group.status, group.reason] += len(group.paths)
        return counts

    def to_json(self, separator: str) -> Iterator[str]:
        """Yield the entries as JSON, sorted by path: many at a time, with a text between them."""
        # Texts alone take little room, and no path holds a zero.
        rests: list[str] = []
        marked: list[str] = []
        for group in self._groups:
            marked += group.mark(rests)
        marked.sort()
        for start in range(0, len(marked), _AT_A_TIME):
            parts = [text.split("\0") for text in marked[start : start + _AT_A_TIME]]
            yield separator.join(
                [
                    f'{{"path": {encode_basestring_ascii(name)}, {rests[int(number)]}'
                    for name, number in parts
                ]
            )

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, FileEntries) else NotImplemented

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[FileEntry]:
        for group in self._groups:
            for index in range(len(group.paths)):
                yield group.entry(index)

    @overload
    def __getitem__(self, index: int) -> FileEntry: ...

    @overload
    def __getitem__(self, index: slice) -> list[FileEntry]: ...

    def __getitem__(self, index: int | slice) -> FileEntry | list[FileEntry]:
        if isinstance(index, slice):
            return list(self)[index]
        number = range(self._count)[index]
        for group in self._groups:
            if number < len(group.paths):
                break
            number -= len(group.paths)
        return group.entry(number)
