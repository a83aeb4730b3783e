"""Fetch the series of public pairs with the client of the Imaging Data Commons.

The client says nothing of a series that did not come. So series are fetched into a folder beside
their places, and each is moved there once it has as many files and as many bytes as the index says.
What is in place is not fetched again.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from rgan_sdk.errors import ConfigurationError, OutputBusyError, OutputError, TrainingError
from rgan_train.public.index import IndexedSeries
from rgan_train.public.select import PublicPair

INCOMING = ".incoming"
"""Folder, below that of the scans, for the series that are on their way."""

AT_ONCE = 20
"""Series that the client is asked for at once: each call searches the whole index, for seconds."""


class Client(Protocol):
    """What is used of ``idc_index.IDCClient``, whose names these are."""

    def download_from_selection(
        self,
        downloadDir: str,  # noqa: N803
        *,
        seriesInstanceUID: list[str],  # noqa: N803
        dirTemplate: str,  # noqa: N803
        quiet: bool,
        show_progress_bar: bool,
    ) -> None:
        """Fetch all files of series into a folder, or fewer without a word."""
        ...


class Failure(NamedTuple):
    """A series that did not come, and why."""

    series: IndexedSeries
    reason: str


def open_client() -> Client:
    """Return the client.

    Raises
    ------
    ConfigurationError
        If the extra ``[public]`` is not installed, or the client cannot start.
    """
    try:
        from idc_index import IDCClient
    except ImportError as exc:
        raise ConfigurationError(
            f"downloads need {exc.name}, which is not installed: pip install 'rgan-sdk[public]'"
        ) from exc
    logging.getLogger("idc_index").setLevel(logging.ERROR)
    try:
        client: Client = IDCClient.client()
    except OSError as exc:
        raise ConfigurationError(f"the client idc-index cannot start: {exc}") from exc
    return client


def place_of(series: IndexedSeries, folder: Path) -> Path:
    """Return the folder for the files of a series, below that of all scans."""
    return folder / series.collection / series.patient / series.series_instance_uid


def find_missing(pairs: Iterable[PublicPair], folder: Path) -> list[IndexedSeries]:
    """Return the series that are not in place yet, once each, in the order of the pairs."""
    wanted = {one.series_instance_uid: one for pair in pairs for one in (pair.a, pair.b)}
    return [one for one in wanted.values() if _what_lacks(one, place_of(one, folder))]


def remove_remains(folder: Path) -> None:
    """Remove what a download that was killed has left on its way, unless another one runs."""
    if (folder / INCOMING).is_dir():
        with suppress(OSError, OutputBusyError), _alone_in(folder):
            pass  # its end removes all that is on its way


def download(
    missing: Sequence[IndexedSeries],
    folder: Path,
    client: Client,
    on_series: Callable[[IndexedSeries], object] = lambda _: None,
) -> list[Failure]:
    """Fetch series. Each appears whole in its place, or not at all.

    Parameters
    ----------
    on_series
        Called after each series, fetched or failed.

    Returns
    -------
    list of Failure
        What did not come; the others are in place.

    Raises
    ------
    TrainingError
        If nothing of ``AT_ONCE`` series came, and there are more to come.
    OutputError
        If ``folder`` has not enough room, or cannot be written to.
    OutputBusyError
        If another download writes there.
    """
    failures: list[Failure] = []
    try:
        with _alone_in(folder):
            _check_room(missing, folder)
            for start in range(0, len(missing), AT_ONCE):
                asked = missing[start : start + AT_ONCE]
                failed = _fetch(asked, folder, client)
                failures += failed
                for series in asked:
                    on_series(series)
                if len(failed) == len(asked) == AT_ONCE and missing[start + AT_ONCE :]:
                    raise TrainingError(
                        f"{AT_ONCE} series in a row did not come, the last one because "
                        f"{failed[-1].reason}; is there a network? The same command goes on"
                    )
    except OSError as exc:
        raise OutputError(f"{folder}: cannot be written to ({exc.strerror})") from exc
    return failures


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Make the folder for what comes, which is removed in the end; one download at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise OutputBusyError(f"{folder}: another download writes there; wait for it") from exc
        try:
            (folder / INCOMING).mkdir(exist_ok=True)
            yield
        finally:
            shutil.rmtree(folder / INCOMING, ignore_errors=True)
    finally:
        os.close(held)


def _fetch(asked: Sequence[IndexedSeries], folder: Path, client: Client) -> list[Failure]:
    """Bring series into place, also those that came before Ctrl-C; return what did not come."""
    error = ""
    try:
        client.download_from_selection(
            str(folder / INCOMING),
            seriesInstanceUID=[series.series_instance_uid for series in asked],
            dirTemplate="%SeriesInstanceUID",
            quiet=True,
            show_progress_bar=False,
        )
    except Exception as exc:  # the client has no root of its errors
        error = f"the client failed ({exc})"
    finally:
        lacks = [(series, _put_in_place(series, folder)) for series in asked]
    return [Failure(series, error or lack) for series, lack in lacks if lack]


def _put_in_place(series: IndexedSeries, folder: Path) -> str:
    """Move a series that is whole to its place; return what it lacks, empty if nothing."""
    came, place = folder / INCOMING / series.series_instance_uid, place_of(series, folder)
    lack = _what_lacks(series, came)
    if not lack:
        for path in _slices_in(place):  # what else is there, such as masks, is the user's
            path.unlink()
        if place.is_dir() and any(place.iterdir()):
            for path in _slices_in(came):
                path.rename(place / path.name)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            came.rename(place)
    return lack


def _what_lacks(series: IndexedSeries, folder: Path) -> str:
    """Return what is wrong with a folder that should hold a series, empty if nothing is."""
    sizes = [path.stat().st_size for path in _slices_in(folder)]
    if (len(sizes), sum(sizes)) == (series.slices, series.size):
        return ""
    return (
        f"{len(sizes)} files of {sum(sizes):,} bytes came, and the index says {series.slices} of "
        f"{series.size:,}"
    )


def _slices_in(folder: Path) -> list[Path]:
    """Return the files that the client writes."""
    return list(folder.glob("*.dcm"))


def _check_room(missing: Sequence[IndexedSeries], folder: Path) -> None:
    needed, free = sum(one.size for one in missing), shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            f"{folder}: {needed / 1e9:.1f} GB are to come, and {free / 1e9:.1f} GB are free"
        )
