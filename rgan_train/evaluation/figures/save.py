"""Writing figures. matplotlib is in the extra ``[eval]`` and imported where it is used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rgan_sdk.errors import OutputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the file's name ends in.

    Raises
    ------
    OutputError
        If the file cannot be written, or its format is none that matplotlib knows.
    """
    try:
        figure.savefig(path, dpi=DPI)
    except OSError as exc:
        raise OutputError(f"{path}: the figure cannot be written ({exc.strerror})") from exc
    except ValueError as exc:
        raise OutputError(f"{path}: {exc}; name the file .png, .pdf or .svg") from exc
