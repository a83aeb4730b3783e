"""Make the derived objects of a series, and keep them in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from rgan_sdk.dicom.read.batches import ReadResult
from rgan_sdk.dicom.read.pydicom_reader import PydicomSlice
from rgan_sdk.dicom.slices.table import SliceFile
from rgan_sdk.dicom.write.clamping import StorableRange
from rgan_sdk.dicom.write.derivation import Derivation
from rgan_sdk.dicom.write.writer import WrittenFile, derive


class MemoryWriter:
    """Stands in for ``SeriesWriter`` where nothing is to be written.

    Attributes
    ----------
    derived
        The objects made so far, by the SOPInstanceUID of their source.
    """

    def __init__(self, derivation: Derivation) -> None:
        self._derivation = derivation
        self.derived: dict[str, Dataset] = {}

    def write(
        self, files: Sequence[SliceFile], sources: Sequence[ReadResult], hu: NDArray[np.float32]
    ) -> list[WrittenFile]:
        """Make the objects of a batch of slices; see ``SeriesWriter.write``.

        Returns
        -------
        list of WrittenFile
            Without size and checksum.
        """
        return [
            self._derive(file, source, one)
            for file, source, one in zip(files, sources, hu, strict=True)
        ]

    def _derive(self, file: SliceFile, source: ReadResult, hu: NDArray[np.float32]) -> WrittenFile:
        if not isinstance(source, PydicomSlice):
            source = file.read()
        made = derive(source, hu, self._derivation)
        self.derived[file.sop_instance_uid] = made.dataset
        clamped = StorableRange.of(source.dataset).locate(hu, made.clips)
        return WrittenFile(f"{made.dataset.SOPInstanceUID}.dcm", 0, "", made.clips, clamped)
