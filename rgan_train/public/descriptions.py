"""What the description of a series says of its reconstruction.

The index has no ConvolutionKernel. Two kinds of SeriesDescription name the kernel:

- NLST gives all its series descriptions of one form: ``year,OPA,vendor,model,kernel,field of
  view,thickness,kVp,...``; ``OPA`` are the scans, ``OPL`` their localizers;
- scanners of Siemens write ``protocol  thickness  kernel`` unless someone changes it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from rgan_train.public.index import IndexedSeries

NLST = "nlst"
NOT_KNOWN = ("", "na", "null", "unkn")
SIEMENS = re.compile(
    r"(?P<before>.*\S)\s+(?P<thickness>\d+(\.\d+)*)\s+(?P<kernel>[A-Z][a-z]{0,2}\d\d[a-z]?)\b(?P<after>.*)"
)


class Reconstruction(NamedTuple):
    """A kernel, and what two reconstructions of one scan have in common.

    Attributes
    ----------
    thickness, field_of_view
        In mm, as the description spells them; empty if it doesn't tell.
    scan
        What else the description says.
    """

    kernel: str
    thickness: str
    field_of_view: str = ""
    scan: str = ""


def read_description(series: IndexedSeries) -> Reconstruction | None:
    """Return what is known of a reconstruction; None if its kernel is not."""
    if series.collection == NLST:
        return _read_nlst(series.description)
    if series.manufacturer.casefold().startswith("siemens"):
        return _read_siemens(series.description)
    return None


def _read_nlst(text: str) -> Reconstruction | None:
    words = text.split(",")
    if len(words) < 7 or words[1] != "OPA" or words[4] in NOT_KNOWN:
        return None
    return Reconstruction(kernel=words[4], field_of_view=words[5], thickness=words[6])


def _read_siemens(text: str) -> Reconstruction | None:
    found = SIEMENS.fullmatch(text)
    if found is None:
        return None
    scan = f"{found['before']}{found['after']}"
    return Reconstruction(kernel=found["kernel"], thickness=found["thickness"], scan=scan)
