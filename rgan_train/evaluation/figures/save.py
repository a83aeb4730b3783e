"""Write figures. matplotlib belongs to the extra ``[eval]`` and is imported where it is used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rgan_sdk.errors import OutputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the ending of the file name says.

    Raises
    ------
    OutputError
        If the file cannot be written, or matplotlib does not know the format.
    """
    try:
        figure.savefig(path, dpi=DPI)
    except OSError as exc:
        raise OutputError(f"{path}: the figure cannot be written ({exc.strerror})") from exc
    except ValueError as exc:
        raise OutputError(f"{path}: {exc}; name the file .png, .pdf or .svg") from exc
