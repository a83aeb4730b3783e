"""Which series look like one scan that was reconstructed with two kernels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

from rgan_sdk.dicom.geometry import compare_geometry, compare_strengths, why_not_square
from rgan_sdk.dicom.image_kind import special_kind
from rgan_sdk.dicom.series import Series


def find_likely_pairs(series: Iterable[Series]) -> list[tuple[Series, Series]]:
    """Return the pairs among series, as far as the headers that were read can tell.

    ``rgan-train pair`` also compares the acquisition of each slice, and has the last word.
    """
    studies: dict[tuple[str, str], list[Series]] = defaultdict(list)
    for one in series:
        if one.convolution_kernel and not special_kind(one.image_type):
            studies[one.patient, one.study_instance_uid].append(one)
    return [
        pair for study in studies.values() for pair in combinations(study, 2) if _is_likely(*pair)
    ]


def _is_likely(a: Series, b: Series) -> bool:
    kernels = a.convolution_kernel or "", b.convolution_kernel or ""
    if kernels[0].casefold() == kernels[1].casefold() or a.reconstruction != b.reconstruction:
        return False
    if compare_strengths(*kernels) or why_not_square(a):
        return False
    return compare_geometry(a, b) is None
