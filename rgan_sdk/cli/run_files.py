"""What ``run`` reads and writes besides its report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rgan_sdk.run.worklist import WorkList


def files_of_run(
    source: Path | WorkList,
    destination: Path,
    listed: Path | None,
    models: Sequence[str],
    report: Path | None,
    *,
    are_scans: bool,
) -> Iterator[Path]:
    """Yield the files, and folders with all that is in them, that a report must not replace.

    Parameters
    ----------
    listed
        The list that stands in place of INPUT.
    models
        As the user names them; a packaged one is no file.
    report
        The one that is to be written. Of the scans in a folder, those beside it are told.
    are_scans
        Whether INPUT is a NIfTI file, or a folder of them.
    """
    from rgan_sdk.dicom.discovery import STATE_FOLDER
    from rgan_sdk.run.delivery.mapping import MAPPING
    from rgan_sdk.run.planning import path_of

    yield path_of(source)
    if listed is not None:
        yield listed
    yield from map(Path, models)
    yield destination / MAPPING
    yield destination / STATE_FOLDER
    if are_scans and report is not None:
        yield from _scans(path_of(source), destination, report)


def _scans(source: Path, destination: Path, report: Path) -> list[Path]:
    """Return NIfTI files and their sidecars: those to write, and the sidecar of one to read."""
    from rgan_sdk.nifti.sidecar import is_nifti, sidecar_path

    if source.is_file():
        return [sidecar_path(source), destination, sidecar_path(destination)]
    try:
        above = report.parent.resolve().relative_to(destination.resolve())
    except ValueError:  # it lies outside OUTPUT, which has the folders of INPUT
        return []
    beside = (source / above).glob("*")
    written = [destination / above / path.name for path in beside if is_nifti(path)]
    return [*written, *map(sidecar_path, written)]
