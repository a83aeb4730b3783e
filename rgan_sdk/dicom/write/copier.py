"""Copy the files of a series as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from rgan_sdk import _core
from rgan_sdk.dicom.read.batches import ReadResult
from rgan_sdk.dicom.read.pydicom_reader import read_bytes
from rgan_sdk.dicom.slices.table import SliceFile
from rgan_sdk.dicom.write.clamping import Clamped
from rgan_sdk.dicom.write.writer import WrittenFile, format_crc32c, write_file
from rgan_sdk.files import sync


class SeriesCopier:
    """Copies the files of one series into a folder, byte for byte.

    Parameters
    ----------
    folder
        An existing folder.
    durable, names
        As for ``SeriesWriter``.
    """

    def __init__(
        self, folder: Path, *, durable: bool, names: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._folder, self._durable, self._names = folder, durable, names

    def write(
        self, files: Sequence[SliceFile], sources: Sequence[ReadResult], hu: NDArray[np.float32]
    ) -> list[WrittenFile]:
        """Copy a batch of slices that could be read.

        Parameters
        ----------
        sources, hu
            As for ``SeriesWriter``; neither is needed.

        Returns
        -------
        list of WrittenFile
            One for each slice, in the order of ``files``.

        Raises
        ------
        InvalidSeriesError, UnreadableFileError
            If a file is not the one any more that was found, or cannot be read.
        OutputError
            If a file cannot be written.
        """
        return [self._copy(file) for file in files]

    def _copy(self, file: SliceFile) -> WrittenFile:
        content = read_bytes(file.path, file.stamp)
        uid = file.sop_instance_uid
        path = self._folder / self._names.get(uid, f"{uid}.dcm")
        write_file(path, content)
        if self._durable:
            sync(path)
        return WrittenFile(
            path.name, len(content), format_crc32c(_core.crc32c(content)), 0, Clamped()
        )
