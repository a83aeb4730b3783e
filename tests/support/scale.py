"""Where tests marked ``scale`` leave their figures."""

import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

FOLDER = "RGAN_SCALE_RESULTS"
"""Names the folder for the figures; without it they are only checked."""


def keep_figures(name: str, figures: dict[str, Any], **versions: str) -> None:
    """Write the figures of a test to ``NAME.json``, with the environment, if that is wanted.

    Parameters
    ----------
    versions
        Of programs that are no Python packages.
    """
    folder = os.environ.get(FOLDER)
    if folder is None:
        return
    packages = ("rgan-sdk", "numpy", "onnxruntime", "pydicom")
    environment = {
        **{package: metadata.version(package) for package in packages},
        **versions,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    text = json.dumps({**figures, "environment": environment}, indent=1)
    (Path(folder) / f"{name}.json").write_text(text + "\n")
