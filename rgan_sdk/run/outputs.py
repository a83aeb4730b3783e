"""What OUTPUT holds before a run: whether it can be used, and how each series stands there.

A series is new, finished, or finished and damaged since.

A finished series whose files are not those that its line in the journal lists is done again. What
was there is kept in ``.rgan/replaced``: somebody may have put more into the folder than we did.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Final

from rgan_sdk import _core
from rgan_sdk.cores import usable_cores
from rgan_sdk.dicom.discovery import STATE_FOLDER
from rgan_sdk.dicom.series import Series, hash_slices
from rgan_sdk.dicom.write.derivation import Derivation, derived_series_uid, derived_sop_uid
from rgan_sdk.errors import ConfigurationError, OutputError
from rgan_sdk.files import is_there
from rgan_sdk.run.jobs import SeriesJob, is_processed
from rgan_sdk.run.observer import Observer, SilentObserver
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.places.layout import file_names, find_obstacle, folder_above
from rgan_sdk.run.state.damage import find_changes, find_damage
from rgan_sdk.run.state.finished import FinishedSeries, OutputFile
from rgan_sdk.run.state.journal import has_journal
from rgan_sdk.run.state.naming import find_name

TO_MAKE_ANEW: Final = "remove that folder to make it anew, or choose another OUTPUT"


def check_folders(source: Path, destination: Path, *, resume: bool) -> None:
    """Refuse INPUT and OUTPUT that lie inside each other, and an output folder that is in use.

    Raises
    ------
    ConfigurationError
        If one folder contains the other, or cannot be looked at.
    OutputError
        If ``destination`` is not empty and holds no run to continue.
    """
    try:
        inner, outer = destination.resolve(), source.resolve()
        if inner == outer or outer in inner.parents or inner in outer.parents:
            raise ConfigurationError(
                f"INPUT {source} and OUTPUT {destination} lie inside each other; "
                "choose another OUTPUT"
            )
        if not (source.is_dir() or source.is_file()):
            raise ConfigurationError(
                f"{source}: no such folder or file; INPUT is a folder of DICOM files, or one file"
            )
        found = [path.name for path in destination.iterdir()] if destination.exists() else []
    except OSError as exc:
        raise ConfigurationError(f"{exc.filename}: cannot be used ({exc.strerror})") from exc
    # Without a journal nobody can tell what an earlier run has left, unless it left nothing.
    holds_a_run = found == [STATE_FOLDER] or has_journal(destination)
    if found and not (holds_a_run and resume):
        hint = "; `run` continues its run if you leave --no-resume out" if holds_a_run else ""
        raise OutputError(f"{destination}: is not empty; choose an empty or a new folder{hint}")


@dataclass(frozen=True)
class Standing:
    """How a series stands in OUTPUT.

    Attributes
    ----------
    derivation
        How it is harmonized; None if it is copied.
    above
        The folder that its own lies in, relative to OUTPUT.
    output
        Its folder, relative to OUTPUT.
    finished
        What the journal says of it; None for a new series.
    conflict
        Why it can neither count as finished nor be done; empty if nothing stands in the way.
    damage
        Why it must be done again although it was finished; empty if its files are all there.
    notes
        What else is to be said of it if it stays as it is.
    """

    series: Series
    derivation: Derivation | None
    above: PurePosixPath
    output: str
    finished: FinishedSeries | None
    conflict: str = ""
    damage: str = ""
    notes: tuple[str, ...] = ()

    @property
    def uid(self) -> str:
        """Name of its folder: the new SeriesInstanceUID."""
        return PurePosixPath(self.output).name

    @property
    def is_done(self) -> bool:
        """Whether it can stay as it is."""
        return self.finished is not None and not self.conflict and not self.damage


def examine(
    chosen: Iterable[Series],
    derive: Callable[[Series], Derivation | None],
    output: Path,
    finished: Mapping[str, FinishedSeries],
    options: RunOptions,
    observer: Observer | None = None,
) -> list[Standing]:
    """Return how each series stands in OUTPUT.

    Parameters
    ----------
    derive
        Returns how a series is harmonized; None if it is copied.
    finished
        What the journal says, by folder.
    options
        ``layout``, ``verify_outputs`` and ``workers`` matter here.
    """
    standings = list(_find_folders(chosen, derive, output, finished, options.layout))
    noted = {PurePosixPath(folder).name: folder for folder in finished}
    wanted = Counter(one.output for one in standings)
    standings = [
        _compare(one, output, noted.get(one.uid, one.output), is_shared=wanted[one.output] > 1)
        for one in standings
    ]
    if options.verify_outputs:
        threads = int(options.workers or usable_cores())
        standings = _verify(standings, output, threads, observer or SilentObserver())
    return [_keep_uids(standing) for standing in standings]


def _find_folders(
    chosen: Iterable[Series],
    derive: Callable[[Series], Derivation | None],
    output: Path,
    finished: Mapping[str, FinishedSeries],
    layout: str,
) -> Iterator[Standing]:
    """Yield each series with the folder that it has, or would get."""
    there: dict[str, list[FinishedSeries]] = defaultdict(list)
    for folder, one in finished.items():
        if is_there(output / folder):
            there[one.source].append(one)
    for series in chosen:
        derivation, above = derive(series), folder_above(series, layout)
        earlier = there[series.series_instance_uid]
        folder = str(above / find_name(series, derivation, output / above, earlier))
        yield Standing(series, derivation, above, folder, finished.get(folder))


def _keep_uids(standing: Standing) -> Standing:
    """Refuse to do a series again that would have other UIDs now.

    An earlier version may have made it, or made it with another number of its group.
    """
    if standing.derivation is None:
        return standing
    uid = derived_series_uid(standing.series.series_instance_uid, standing.derivation)
    if not standing.damage or standing.uid == uid:
        return standing
    conflict = (
        f"{standing.output} is damaged, {standing.damage}, and would get other UIDs if it were "
        f"done again; {TO_MAKE_ANEW}"
    )
    return replace(standing, conflict=conflict, damage="")


def _compare(standing: Standing, output: Path, noted: str, *, is_shared: bool) -> Standing:
    """Compare a series with what is in OUTPUT.

    Parameters
    ----------
    noted
        The folder in which the journal notes it, maybe another one.
    is_shared
        Whether another series has the same folder.
    """
    uid, finished, folder = standing.output, standing.finished, output / standing.output
    if obstacle := find_obstacle(output, standing.above):
        return replace(standing, conflict=obstacle)
    if noted != standing.output and is_there(output / noted):
        conflict = f"it is {noted} in OUTPUT, and its patient or study is another now"
        return replace(standing, conflict=f"{conflict}; choose another OUTPUT")
    if not is_there(folder):
        return replace(standing, damage="folder missing" if finished else "")
    if finished is None:
        conflict = f"{uid} is in OUTPUT, but not in its journal; choose another OUTPUT"
        return replace(standing, conflict=conflict)
    if finished.sources != hash_slices(standing.series):
        return replace(standing, conflict=_explain_difference(standing, is_shared=is_shared))
    try:
        notes = _compare_times(standing, folder.lstat().st_mtime_ns)
        return replace(standing, damage=find_damage(folder, finished.files), notes=notes)
    except OSError as exc:  # it may be a good one: it is not replaced
        return replace(standing, conflict=f"{uid} in OUTPUT cannot be read ({exc.strerror})")


def _explain_difference(standing: Standing, *, is_shared: bool) -> str:
    """Say why the folder of a series is not made of its slices, and what to do."""
    if is_shared:
        return (
            f"{standing.output} in OUTPUT was made of other slices of its SeriesInstanceUID, which "
            "are there as well: these came later; remove that folder to make both anew, or choose "
            "another OUTPUT"
        )
    if _has_same_slices(standing):
        return (
            f"its files have other sizes than those that {standing.output} was made of: they are "
            f"in another encoding now, or were changed; {TO_MAKE_ANEW}"
        )
    return (
        f"its slices, or the sizes of their files, are not those that {standing.output} was made "
        f"of; {TO_MAKE_ANEW}"
    )


def _compare_times(standing: Standing, finished_ns: int) -> tuple[str, ...]:
    """Return a note if files were modified after their output: an edit may have kept their sizes.

    Parameters
    ----------
    finished_ns
        When the last file came into the folder of the series, nanoseconds since 1970.
    """
    if standing.series.slices.newest_ns <= finished_ns:
        return ()
    return (
        f"files of it are newer than {standing.output} in OUTPUT; if they were edited since, "
        "remove that folder to make it anew",
    )


def _has_same_slices(standing: Standing) -> bool:
    """Return whether a folder was made of slices with the same UIDs, if its files' names tell."""
    uids: Iterable[str] = standing.series.slices.sop_instance_uids
    if standing.derivation is not None:
        uids = [derived_sop_uid(uid, standing.derivation) for uid in uids]
    files = standing.finished.files if standing.finished else ()
    return {file.name for file in files} == {f"{uid}.dcm" for uid in uids}


def _verify(
    standings: Sequence[Standing], output: Path, threads: int, observer: Observer
) -> list[Standing]:
    """Read the files of the series that are done, and compare their checksums."""
    pool = _core.ThreadPool(threads)
    total = sum(len(one.finished.files) for one in standings if one.finished and one.is_done)
    read, verified = 0, []

    def tell(files: int) -> None:
        nonlocal read
        read += files
        observer.on_verified(read, total)

    for standing in standings:
        files = standing.finished.files if standing.finished and standing.is_done else ()
        changed = find_changes(output / standing.output, files, pool, tell)
        verified.append(replace(standing, damage=standing.damage or changed))
    return verified


def begin(one: Standing, staging: Path, options: RunOptions) -> SeriesJob:
    """Return the job of a series that is to be harmonized or copied.

    Parameters
    ----------
    staging
        Where its folder is to be made.
    options
        ``names`` matters here.
    """
    return SeriesJob(
        one.series,
        one.derivation,
        staging / one.uid,
        one.above,
        file_names(one.series, options.names),
        damage=one.damage,
    )


def done_again(job: SeriesJob, kept: str) -> str:
    """Return why a finished series was done again; empty for any other."""
    if not job.damage:
        return ""
    return f"done again, {job.damage}" + (f"; what was there is in {kept}" if kept else "")


def finished_series(job: SeriesJob) -> FinishedSeries:
    """Return what the journal is to say of a series that has passed all stages."""
    files = (OutputFile(file.name, file.size, file.crc32c) for file in job.files)
    made = job.derivation
    return FinishedSeries(
        source=job.series.series_instance_uid,
        model=made.model_sha256 if made else "",
        output=job.output,
        files=tuple(sorted(files)),
        sources=hash_slices(job.series),
        **job.clamping,
        outside=made.outside if made else (),
        noise_hu=job.noise_hu,
        processed=is_processed(made),
        kernel_note=job.kernel.text,
    )


def take_the_place(folder: Path, target: Path, replaced: Path) -> str:
    """Rename the folder of a series to that of a damaged one, which is kept elsewhere.

    Parameters
    ----------
    replaced
        The folder to keep what was there in; it is made when it is needed.

    Returns
    -------
    str
        The name that it has in ``replaced``; empty if nothing was there.

    Raises
    ------
    OSError
        If that fails. ``target`` is then as it was.
    """
    with suppress(OSError):
        target.rmdir()  # if it is empty
    if not is_there(target):
        folder.rename(target)
        return ""
    replaced.mkdir(mode=0o700, exist_ok=True)
    names = (f"{target.name}-{number}" for number in count(1))
    kept = next(replaced / name for name in names if not is_there(replaced / name))
    target.rename(kept)
    try:
        folder.rename(target)
    except OSError:
        kept.rename(target)
        raise
    return kept.name
