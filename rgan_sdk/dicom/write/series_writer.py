"""Write a series in batches: with the native writer where possible, else with pydicom."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from rgan_sdk import _core
from rgan_sdk.dicom.read.batches import ReadResult
from rgan_sdk.dicom.read.pydicom_reader import PydicomSlice, read_dataset
from rgan_sdk.dicom.slices.table import SliceFile
from rgan_sdk.dicom.write.derivation import Derivation, derived_sop_uid
from rgan_sdk.dicom.write.splice import SplicedSeries
from rgan_sdk.dicom.write.unreadable import may_be_unreadable
from rgan_sdk.dicom.write.writer import WrittenFile, format_crc32c, write_derived
from rgan_sdk.errors import OutputError
from rgan_sdk.files import sync


class SeriesWriter:
    """Writes the derived objects of one series into a folder.

    Parameters
    ----------
    folder
        An existing folder.
    pool
        The threads of the native writer.
    durable
        Whether ``write`` returns only when its files are on the disk. Otherwise they may still
        be in the system's write cache.
    names
        Of files, by SOPInstanceUID of their sources; others are named ``<SOPInstanceUID>.dcm``.
    """

    def __init__(
        self,
        derivation: Derivation,
        folder: Path,
        pool: _core.ThreadPool,
        *,
        durable: bool,
        names: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._derivation, self._folder, self._names = derivation, folder, names
        self._pool, self._durable = pool, durable
        self._spliced: SplicedSeries | None = None

    def write(
        self, files: Sequence[SliceFile], sources: Sequence[ReadResult], hu: NDArray[np.float32]
    ) -> list[WrittenFile]:
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
        list of WrittenFile
            One for each slice, in the order of ``files``.

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
        done = self._write_natively(files, native, hu) if native else {}
        return [
            done.get(index) or self._write_by_pydicom(file, source, hu[index])
            for index, (file, source) in enumerate(zip(files, sources, strict=True))
        ]

    def _write_natively(
        self,
        files: Sequence[SliceFile],
        native: dict[int, _core.SourceSlice],
        hu: NDArray[np.float32],
    ) -> dict[int, WrittenFile]:
        """Return what was written, by the index of the slice; pydicom is to write the others.

        Those were handed back, or their headers are copies of what may not be readable.
        """
        chosen = hu if len(native) == len(files) else hu[list(native)]
        first, source = next(iter(native.items()))
        series = self._headers(files[first], source)
        uids = [files[i].sop_instance_uid for i in native]
        jobs = [series.job(uid, self._folder, self._names.get(uid)) for uid in uids]
        results = _core.write_batch(
            list(native.values()), chosen, series.template, jobs, self._durable, self._pool
        )
        for written in results:
            if written.problem is not None and not written.handed_back:
                raise OutputError(f"a slice {written.problem}")
        return {
            index: WrittenFile(
                Path(os.fsdecode(path)).name,
                written.size,
                format_crc32c(written.crc32c),
                written.clips,
                series.storable.locate(hu[index], written.clips),
            )
            for index, (path, *_), written in zip(native, jobs, results, strict=True)
            if written.problem is None
            and not may_be_unreadable(_read_head(path, written.size - series.pixel_bytes))
        }

    def _headers(self, file: SliceFile, source: _core.SourceSlice) -> SplicedSeries:
        """Return the headers of the series. They follow from the first native slice."""
        if self._spliced is None:
            first = read_dataset(file.path, file.stamp)
            self._spliced = SplicedSeries(first, source, self._derivation)
        return self._spliced

    def _write_by_pydicom(
        self, file: SliceFile, source: ReadResult, hu: NDArray[np.float32]
    ) -> WrittenFile:
        if not isinstance(source, PydicomSlice):
            source = file.read()
        uid = derived_sop_uid(file.sop_instance_uid, self._derivation)
        path = self._folder / self._names.get(file.sop_instance_uid, f"{uid}.dcm")
        written = write_derived(source, hu, self._derivation, path)
        if self._durable:
            sync(path)
        return written


def _read_head(path: bytes, size: int) -> bytes:
    """Read the beginning of a file that was just written."""
    file = Path(os.fsdecode(path))
    try:
        with file.open("rb") as opened:
            return opened.read(size)
    except OSError as error:
        raise OutputError(f"{file.name} cannot be read back: {error.strerror}") from error
