"""DICOM: find CT series, read slices as HU, write derived objects.

pydicom is imported only in this package.
"""

from __future__ import annotations

import logging
import warnings

import pydicom.config  # noqa: F401  sets the level of its logger, so it comes first

# pydicom quotes values in its warnings and log lines, and a value may be patient data.
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
