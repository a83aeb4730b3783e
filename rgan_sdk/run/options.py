"""What the user of a run can choose, in Python as on the command line."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from numbers import Integral
from types import NoneType
from typing import Final, Self

from rgan_sdk.errors import ConfigurationError, check_type
from rgan_sdk.harmonizer import check_domains
from rgan_sdk.run.places.choices import BY_SERIES, BY_UID, LAYOUTS, NAMES

LEFT_TO_ANOTHER: Final = "belongs to another shard than"


@dataclass(frozen=True)
class Shard:
    """One of several parts of the input, for one of several machines.

    Series are dealt out whole, always in the same way. Threads: as for ``RunOptions``.

    Attributes
    ----------
    number, count
        The first of four is 1 of 4.

    Raises
    ------
    ConfigurationError
        If there is no such part, or a number is none.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        check_type("number", self.number, Integral)
        check_type("count", self.count, Integral)
        if not 1 <= self.number <= self.count:
            raise ConfigurationError(f"shard {self}: the number must be from 1 to {self.count}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def why_left(self) -> str:
        """Why a series is left to another shard."""
        return f"{LEFT_TO_ANOTHER} {self}"

    def holds(self, series_instance_uid: str) -> bool:
        """Return whether a series belongs to this part."""
        check_type("series_instance_uid", series_instance_uid, str)
        digest = hashlib.sha256(series_instance_uid.encode()).digest()
        return int.from_bytes(digest[:8], "big") % int(self.count) == self.number - 1


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of ``harmonize_directory`` and ``rgan-harmonize run``.

    Threads: it never changes, so any number may share one.

    Attributes
    ----------
    outside_domain
        Also take series that are outside what the model's card states: names of what may be
        outside, of ``kernel``, ``manufacturer``, ``spacing`` and ``reconstruction``. Those that the
        harmonizer was loaded with count too.
    strict_kernel
        Leave series aside whose images show another kernel than those that the model was made from;
        else the report has a note.
    assume_hu
        Take the numbers of series whose RescaleType is US (unspecified) as HU, even where they do
        not show the air of a CT.
    include_target
        Copy series that have the target kernel already, byte for byte; else they are left aside.
    shard
        Take only this part of the series. Each part needs an output folder of its own.
    resume
        Continue the run that the output folder holds. False refuses a folder that is not empty.
    workers
        Threads that read and write; None takes one per core that this process may use.
    durable
        Make sure that a series is on the disk, and not only in the system's memory, before it
        appears. It then survives a power cut, but the run is slower.
    preview
        Also write a before/after picture of each series to ``previews/``, and a contact sheet.
    verify_outputs
        Read the files of finished series again, and compare their checksums. Otherwise only their
        names and sizes are compared.
    layout
        Where the folders of new series lie in the output folder: ``series`` puts them there,
        ``study`` below a folder for each study, ``patient`` below one for each patient and study.
        These are named by pseudonyms.
    names
        Names of new files: ``uid``, their SOPInstanceUID, or ``sorted``, such as ``0001.dcm``,
        counted by slice position.
    group_readable
        Let the group read the new series, and all that lies beside them. Otherwise folders are for
        their owner only.
    checksums
        Report the SHA-256 of each input file. All files are read once more for it.

    Raises
    ------
    ConfigurationError
        If a value makes no sense, or is of another type.
    """

    outside_domain: Collection[str] = frozenset()
    strict_kernel: bool = False
    assume_hu: bool = False
    include_target: bool = False
    shard: Shard | None = None
    resume: bool = True
    workers: int | None = None
    durable: bool = True
    preview: bool = False
    verify_outputs: bool = False
    layout: str = BY_SERIES
    names: str = BY_UID
    group_readable: bool = False
    checksums: bool = False

    def __post_init__(self) -> None:
        for name in (
            "strict_kernel",
            "assume_hu",
            "include_target",
            "resume",
            "durable",
            "preview",
            "verify_outputs",
            "group_readable",
            "checksums",
        ):
            check_type(name, getattr(self, name), bool)
        object.__setattr__(self, "outside_domain", frozenset(check_domains(self.outside_domain)))
        _check_choice("layout", self.layout, LAYOUTS)
        _check_choice("names", self.names, NAMES)
        check_type("shard", self.shard, Shard, NoneType)
        check_type("workers", self.workers, Integral, NoneType)
        if self.workers is not None and self.workers < 1:
            raise ConfigurationError(f"workers = {self.workers} must be at least 1")

    def accepting(self, names: Collection[str]) -> Self:
        """Return these options with further names of what may be outside the card."""
        return replace(self, outside_domain=frozenset(self.outside_domain) | frozenset(names))


def _check_choice(name: str, value: object, choices: Collection[str]) -> None:
    check_type(name, value, str)
    if value not in choices:
        raise ConfigurationError(f"{name} = {value!r} is none of {', '.join(choices)}")
