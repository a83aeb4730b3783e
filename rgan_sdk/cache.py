"""Things kept between runs that can be made again at any time: TensorRT plans, self-tests.

They lie in ``$RGAN_CACHE``, or in the user's cache folder (``~/.cache/rgan-sdk`` on Linux). The
folder may be deleted.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.files import atomic_write

ADVICE: Final = "set RGAN_CACHE to a folder that can be written to"


def cache_folder(kind: str) -> Path:
    """Return the folder for one kind of things; it is made if it is missing.

    Raises
    ------
    ConfigurationError
        If it cannot be made.
    """
    from platformdirs import user_cache_path

    chosen = os.environ.get("RGAN_CACHE")
    try:
        folder = (Path(chosen) if chosen else user_cache_path("rgan-sdk")) / kind
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError) as exc:  # RuntimeError: this user has no home
        raise ConfigurationError(f"the cache folder cannot be made ({exc}); {ADVICE}") from exc
    return folder


def read_own(path: Path) -> bytes | None:
    """Return the content of a cached file; None if it is absent or other users can write to it."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return None
            return file.read()
    except OSError:
        return None


def write_own(path: Path, content: bytes) -> None:
    """Write a file of the cache whole or not at all, for this user only.

    Raises
    ------
    ConfigurationError
        If it cannot be written.
    """
    try:
        with atomic_write(path) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_bytes(content)
    except OSError as exc:
        raise ConfigurationError(f"{path}: cannot be written ({exc.strerror}); {ADVICE}") from exc
