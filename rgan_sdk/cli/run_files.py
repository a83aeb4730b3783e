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
    if are_scans:
        yield from _scans(path_of(source), destination)


def _scans(source: Path, destination: Path) -> list[Path]:
    """Return NIfTI files and their sidecars: those to write, and the sidecar of one to read."""
    from rgan_sdk.dicom.discovery import walk
    from rgan_sdk.nifti.sidecar import is_nifti, sidecar_path

    if source.is_file():
        return [sidecar_path(source), destination, sidecar_path(destination)]
    names = [Path(path).relative_to(source) for path, _ in walk(source) if is_nifti(path)]
    written = [destination / name for name in names]
    return [*written, *map(sidecar_path, written)]
