"""Read the headers of many files: with the native reader where possible, else with pydicom."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from pydicom.uid import CTImageStorage

from rgan_sdk import _core
from rgan_sdk.cores import usable_cores
from rgan_sdk.dicom import reconstruction
from rgan_sdk.dicom.header import NOT_SLICES, SliceHeader, are_orthonormal, pseudonym, read_header
from rgan_sdk.dicom.read import origin
from rgan_sdk.dicom.stamp import Stamp
from rgan_sdk.dicom.values import UID_PATTERN
from rgan_sdk.errors import DicomError
from rgan_sdk.kernels import kernel_name

CHUNK: Final = 256
_TAGS: Final = sorted([*reconstruction.TAGS, *origin.TAGS])

ScanResult = tuple[Path, SliceHeader | DicomError]
"""A file with its header, or with the reason that there is none."""


def scan_headers(
    paths: Sequence[Path],
    on_file: Callable[[], None] | None = None,
    *,
    include_own: bool = False,
) -> Iterator[ScanResult]:
    """Read the headers of files in parallel, and yield them in the order of the paths.

    Parameters
    ----------
    on_file
        Called for each file once it has been examined.
    include_own
        As for ``read_header``.

    Yields
    ------
    ScanResult
        The path, and what ``read_header`` returns or raises for it.
    """
    pool = _core.ThreadPool(usable_cores())
    remaining = iter(paths)
    while chunk := list(islice(remaining, CHUNK)):
        heads = _core.scan([os.fsencode(path) for path in chunk], pool)
        for path, head in zip(chunk, heads, strict=True):
            yield path, _header(path, head, include_own)
            if on_file is not None:
                on_file()


def _header(path: Path, head: _core.Head, include_own: bool) -> SliceHeader | DicomError:
    if _is_plain(head):
        found = dict(head.values(_TAGS))
        if reconstruction.SEQUENCE not in found and not origin.is_own(found):
            return _from_head(path, head, reconstruction.describe(found))
    # The slower reader looks into sequences, and says why a file is not a plain CT slice.
    try:
        return read_header(path, include_own=include_own)
    except DicomError as error:
        return error


def _is_plain(head: _core.Head) -> bool:
    if head.problem is not None:
        return False
    uids = (head.sop_instance_uid, head.series_instance_uid, head.study_instance_uid)
    return (
        head.sop_class_uid == CTImageStorage
        and head.modality in ("", "CT")
        and head.photometric_interpretation[:10] in ("", "MONOCHROME")
        and not any(term.strip() in NOT_SLICES for term in head.image_type.split("\\")[2:])
        and all(len(uid) <= 64 and UID_PATTERN.fullmatch(uid) for uid in uids)
        and min(head.pixel_spacing) > 0
        and are_orthonormal(tuple(head.orientation))
    )


def _from_head(path: Path, head: _core.Head, reconstructed: str | None) -> SliceHeader:
    return SliceHeader(
        path=path,
        stamp=Stamp(*head.stamp),
        sop_instance_uid=head.sop_instance_uid,
        series_instance_uid=head.series_instance_uid,
        study_instance_uid=head.study_instance_uid,
        frame_of_reference_uid=head.frame_of_reference_uid,
        patient=pseudonym(head.patient_id or head.study_instance_uid),
        manufacturer=head.manufacturer,
        convolution_kernel=kernel_name(head.convolution_kernel) or None,
        rows=head.rows,
        columns=head.columns,
        pixel_spacing=tuple(head.pixel_spacing),
        slice_thickness=head.slice_thickness,
        orientation=tuple(head.orientation),
        origin=tuple(head.position),
        reconstruction=reconstructed,
        rescale_type=head.rescale_type,
        image_type=tuple(
            term.strip().upper() for term in head.image_type.split("\\") if head.image_type
        ),
    )
