"""How ``run`` takes NIfTI files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from rgan_sdk.run.report import Report
    from rgan_sdk.run.worklist import WorkList

FOLDER_OPTIONS: Final = ("--shard", "--no-resume", "--verify-outputs")
"""Options that a folder of NIfTI files takes, beside those that one file takes."""

kernel_option = click.option(
    "--kernel",
    metavar="NAME",
    help="Convolution kernel of NIfTI files whose JSON sidecar does not state it.",
)


def choose_nifti_run(
    source: Path | WorkList,
    destination: Path,
    *,
    kernel: str | None,
    devices: Sequence[str],
    refused: dict[str, object],
) -> Callable[..., Report] | None:
    """Return what harmonizes INPUT if it is a NIfTI file or a folder of them; None for DICOM.

    Parameters
    ----------
    refused
        Options that one file does not take, by name, if they were given. Those that are not in
        ``FOLDER_OPTIONS`` are for DICOM alone.
    """
    from rgan_sdk.errors import ConfigurationError
    from rgan_sdk.nifti.folder import harmonize_folder
    from rgan_sdk.nifti.single import harmonize_file

    is_file, is_folder = _is_scan(source), _holds_scans(source)
    if not isinstance(source, Path) or not (is_file or is_folder):
        _require_folder(destination)
        if kernel is not None:
            raise click.BadParameter(
                "--kernel is for NIfTI files; DICOM states ConvolutionKernel (0018,1210). Use "
                "--outside-domain kernel to take series with other kernels"
            )
        return None
    if not source.exists():
        raise ConfigurationError(f"INPUT {source}: no such file")
    if len(devices) > 1:
        raise click.BadParameter("--device: NIfTI files are harmonized on one device")
    for name, given in refused.items():
        if given and (is_file or name not in FOLDER_OPTIONS):
            what = "one NIfTI file" if is_file else "NIfTI files"
            raise click.BadParameter(f"{name} does not apply to {what}")
    return partial(
        harmonize_file if is_file else harmonize_folder, source, destination, kernel=kernel
    )


def _is_scan(source: Path | WorkList) -> bool:
    from rgan_sdk.nifti.sidecar import is_nifti

    return isinstance(source, Path) and is_nifti(source) and not source.is_dir()


def _holds_scans(source: Path | WorkList) -> bool:
    from rgan_sdk.nifti.folder import holds_scans

    try:
        return isinstance(source, Path) and holds_scans(source)
    except OSError:  # the run will say what is wrong with it
        return False


def _require_folder(destination: Path) -> None:
    if destination.is_file():
        raise click.BadParameter(f"OUTPUT {destination} is a file; give a new folder")
