"""A series in batches: natively where that will do, through pydicom elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgan_sdk import _core
from rgan_sdk.dicom.derived import Derivation, derived_sop_uid
from rgan_sdk.dicom.reader import SourceSlice, read_slice
from rgan_sdk.dicom.series import Series, SliceFile
from rgan_sdk.dicom.splice import SplicedSeries
from rgan_sdk.dicom.writer import write_derived
from rgan_sdk.errors import OutputError
from rgan_sdk.files import sync


@dataclass(frozen=True)
class Batch:
    """Some slices of a series as they were read.

    Attributes
    ----------
    sources
        What their derived objects need of them; a ``rgan_sdk`` one was read by pydicom.
    hu
        ``[N, H, W]`` float32 Hounsfield units.
    """

    files: tuple[SliceFile, ...]
    sources: tuple[_core.SourceSlice | SourceSlice, ...]
    hu: NDArray[np.float32]


def read_batch(
    files: Sequence[SliceFile], buffer: NDArray[np.float32], pool: _core.ThreadPool
) -> Batch:
    """Read slices of one series.

    Parameters
    ----------
    buffer
        ``[M, H, W]`` float32, M at least the number of files; the batch's ``hu`` is a view of it.

    Raises
    ------
    UnreadableFileError, InvalidSeriesError
        As ``read_slice`` does.
    """
    jobs = [(os.fsencode(file.path), file.stamp) for file in files]
    sources: list[_core.SourceSlice | SourceSlice] = []
    for index, native in enumerate(_core.read_batch(jobs, buffer, pool)):
        if native.problem is None:
            sources.append(native)
            continue
        source = read_slice(files[index].path, files[index].stamp)
        buffer[index] = source.hu
        sources.append(source)
    return Batch(tuple(files), tuple(sources), buffer[: len(files)])


class SeriesWriter:
    """Writes the derived objects of one series into a folder.

    Parameters
    ----------
    durable
        Whether files are on the disk, and not only in the system's memory, when ``write`` returns.
    """

    def __init__(
        self,
        series: Series,
        derivation: Derivation,
        folder: Path,
        pool: _core.ThreadPool,
        *,
        durable: bool,
    ) -> None:
        self._series, self._derivation, self._folder = series, derivation, folder
        self._pool, self._durable = pool, durable
        self._spliced: SplicedSeries | None = None

    def write(self, batch: Batch, hu: NDArray[np.float32]) -> int:
        """Write a batch.

        Parameters
        ----------
        hu
            ``[N, H, W]`` harmonized Hounsfield units, float32.

        Returns
        -------
        int
            How many pixels could not be stored as computed.

        Raises
        ------
        InferenceError
            If ``hu`` holds NaN or infinity.
        InvalidSeriesError
            If a source's header cannot be carried over.
        OutputError
            If a file cannot be written.
        """
        clips, done = self._write_natively(batch, hu)
        for index in range(len(batch.files)):
            if index not in done:
                clips += self._write_by_pydicom(batch, hu, index)
        return clips

    def _write_natively(self, batch: Batch, hu: NDArray[np.float32]) -> tuple[int, set[int]]:
        """Write what can be written so; return its clips, and which slices these were."""
        native = {i: s for i, s in enumerate(batch.sources) if isinstance(s, _core.SourceSlice)}
        if not native:
            return 0, set()
        chosen = hu if len(native) == len(batch.files) else hu[list(native)]
        series = self._headers(batch, native)
        jobs = [series.job(batch.files[i].sop_instance_uid, self._folder) for i in native]
        results = _core.write_batch(
            list(native.values()), chosen, series.plan, jobs, self._durable, self._pool
        )
        for written in results:
            if written.problem is not None and not written.handed_back:
                raise OutputError(f"a slice {written.problem}")
        done = {i for i, one in zip(native, results, strict=True) if one.problem is None}
        return sum(written.clips for written in results if written.problem is None), done

    def _headers(self, batch: Batch, native: dict[int, _core.SourceSlice]) -> SplicedSeries:
        """Return the headers of the series, decided by the first slice that is written natively."""
        if self._spliced is None:
            index, source = next(iter(native.items()))
            first = read_slice(batch.files[index].path, batch.files[index].stamp)
            self._spliced = SplicedSeries(first, source, self._derivation)
        return self._spliced

    def _write_by_pydicom(self, batch: Batch, hu: NDArray[np.float32], index: int) -> int:
        file, source = batch.files[index], batch.sources[index]
        if not isinstance(source, SourceSlice):
            source = read_slice(file.path, file.stamp)
        path = self._folder / f"{derived_sop_uid(file.sop_instance_uid, self._derivation)}.dcm"
        clips = write_derived(source, hu[index], self._derivation, path)
        if self._durable:
            sync(path)
        return clips
