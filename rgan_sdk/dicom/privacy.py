"""Keep patient data out of what pydicom prints."""

from __future__ import annotations

import logging
import threading
import warnings

_lock = threading.Lock()
_silenced = threading.Event()


def silence_pydicom() -> None:
    """Ignore pydicom's warnings and log lines from now on, in the whole process.

    They quote values, and a value may be patient data. ``discovery`` calls this when it opens the
    first DICOM file. It acts only once, so that a program can change the warning filter and the log
    level afterwards. The effect cannot be limited to the calls of this package, because
    ``warnings.catch_warnings`` is not safe in threads.
    """
    if _silenced.is_set():
        return
    with _lock:
        if not _silenced.is_set():
            warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
            logging.getLogger("pydicom").setLevel(logging.CRITICAL)
            _silenced.set()
