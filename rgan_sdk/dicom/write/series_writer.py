"""Write a series in batches: with the native writer where possible, else with pydicom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgan_sdk import _core
from rgan_sdk.dicom.read.batches import ReadResult
from rgan_sdk.dicom.read.pydicom_reader import PydicomSlice, read_dataset, read_slice
from rgan_sdk.dicom.series import SliceFile
from rgan_sdk.dicom.write.derivation import Derivation, derived_sop_uid
from rgan_sdk.dicom.write.splice import SplicedSeries
from rgan_sdk.dicom.write.writer import write_derived
from rgan_sdk.errors import OutputError
from rgan_sdk.files import sync


class SeriesWriter:
    """Writes the derived objects of one series into a folder.

    Parameters
    ----------
    folder
        An existing folder. Files are named ``<SOPInstanceUID>.dcm``.
    pool
        The threads of the native writer.
    durable
        Whether ``write`` returns only when its files are on the disk. Otherwise they may still
        be in the system's write cache.
    """

    def __init__(
        self, derivation: Derivation, folder: Path, pool: _core.ThreadPool, *, durable: bool
    ) -> None:
        self._derivation, self._folder = derivation, folder
        self._pool, self._durable = pool, durable
        self._spliced: SplicedSeries | None = None

    def write(
        self, files: Sequence[SliceFile], sources: Sequence[ReadResult], hu: NDArray[np.float32]
    ) -> int:
        """Write a batch of slices.

        Parameters
        ----------
        files
            N slices of the series.
        sources
            What ``BatchReader.read`` returned for them. None may be an error.
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
        native = {i: s for i, s in enumerate(sources) if isinstance(s, _core.SourceSlice)}
        clips, done = self._write_natively(files, native, hu) if native else (0, set())
        for index, (file, source) in enumerate(zip(files, sources, strict=True)):
            if index not in done:
                clips += self._write_by_pydicom(file, source, hu[index])
        return clips

    def _write_natively(
        self,
        files: Sequence[SliceFile],
        native: dict[int, _core.SourceSlice],
        hu: NDArray[np.float32],
    ) -> tuple[int, set[int]]:
        """Return how many pixels were clipped, and the indices of the slices that are written."""
        chosen = hu if len(native) == len(files) else hu[list(native)]
        first, source = next(iter(native.items()))
        series = self._headers(files[first], source)
        jobs = [series.job(files[i].sop_instance_uid, self._folder) for i in native]
        results = _core.write_batch(
            list(native.values()), chosen, series.template, jobs, self._durable, self._pool
        )
        for written in results:
            if written.problem is not None and not written.handed_back:
                raise OutputError(f"a slice {written.problem}")
        done = {i for i, one in zip(native, results, strict=True) if one.problem is None}
        return sum(written.clips for written in results if written.problem is None), done

    def _headers(self, file: SliceFile, source: _core.SourceSlice) -> SplicedSeries:
        """Return the headers of the series. They follow from the first native slice."""
        if self._spliced is None:
            first = read_dataset(file.path, file.stamp)
            self._spliced = SplicedSeries(first, source, self._derivation)
        return self._spliced

    def _write_by_pydicom(
        self, file: SliceFile, source: ReadResult, hu: NDArray[np.float32]
    ) -> int:
        if not isinstance(source, PydicomSlice):
            source = read_slice(file.path, file.stamp)
        path = self._folder / f"{derived_sop_uid(file.sop_instance_uid, self._derivation)}.dcm"
        clips = write_derived(source, hu, self._derivation, path)
        if self._durable:
            sync(path)
        return clips
