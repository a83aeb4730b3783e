"""Read slices in batches: with the native reader where possible, else with pydicom."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgan_sdk import _core
from rgan_sdk.dicom.read.padding import PADDING_HU, find_padding
from rgan_sdk.dicom.read.pydicom_reader import PydicomSlice, read_cells, read_slice
from rgan_sdk.dicom.slices.table import SliceFile

ReadResult = _core.SourceSlice | PydicomSlice | Exception
"""One slice as it was read, natively or by pydicom; or the error that prevented it."""


class BatchReader:
    """Reads slices with several threads.

    Parameters
    ----------
    threads
        How many threads read uncompressed slices in the native core, and how many decode
        compressed ones.
    """

    def __init__(self, threads: int) -> None:
        self._native = _core.ThreadPool(threads)
        self._threads = threads

    def read(self, files: Sequence[SliceFile], hu: NDArray[np.float32]) -> list[ReadResult]:
        """Read N slices of one matrix size.

        Parameters
        ----------
        hu
            ``[N, H, W]`` float32, to be filled with Hounsfield units. The values of a slice that
            cannot be read are undefined.

        Returns
        -------
        list of ReadResult
            One for each file.
        """
        if any(file.dataset is not None for file in files):
            in_memory = self._share(lambda i: _read_by_pydicom(files[i], hu[i]), range(len(files)))
            return [in_memory[index] for index in range(len(files))]
        jobs = [(os.fsencode(file.path), file.stamp) for file in files]
        natives = _core.read_batch(jobs, hu, self._native)
        encoded = [index for index, native in enumerate(natives) if native.is_encoded]
        sources = self._share(lambda i: _decode(files[i], natives[i], hu[i]), encoded)
        for index, native in enumerate(natives):
            if native.problem is None:
                sources[index] = native
            elif index not in sources:
                sources[index] = _read_by_pydicom(files[index], hu[index])
        return [sources[index] for index in range(len(files))]

    def _share(
        self, read: Callable[[int], ReadResult], indices: Sequence[int]
    ) -> dict[int, ReadResult]:
        """Read slices with several threads, and return them by their indices."""
        sources: dict[int, ReadResult] = {}
        waiting = iter(indices)  # all threads take from it

        def read_waiting() -> None:
            for index in waiting:
                sources[index] = read(index)

        helpers = _start_threads(read_waiting, min(self._threads, len(indices)) - 1)
        try:
            read_waiting()
        finally:
            for helper in helpers:
                helper.join()  # afterwards the caller may reuse the memory of ``hu``
        return sources


def read_hu(path: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Read one slice on the caller's thread, its padding (``find_padding``) set to PADDING_HU.

    Parameters
    ----------
    shape
        The size that is expected. A slice of another size takes longer to read.

    Returns
    -------
    ndarray
        ``[H, W]`` HU, as ``read_slice`` gives them.

    Raises
    ------
    UnreadableFileError, InvalidSeriesError
        As ``read_slice`` does.
    """
    hu = np.empty((1, *shape), np.float32)
    (native,) = _core.read_batch([(os.fsencode(path), None)], hu, _core.ThreadPool(1))
    image: NDArray[np.float32] = hu[0]
    if native.problem is None:
        hide_padding(native, image)
    else:
        source = read_slice(path)
        image = source.hu
        hide_padding(source, image)
    image[find_padding(image)] = PADDING_HU
    return image


def hide_padding(source: _core.SourceSlice | PydicomSlice, hu: NDArray[np.float32]) -> None:
    """Set the padding that a file declares to PADDING_HU, which no model takes for image.

    Its own value may be that of tissue, as 0 HU; models are trained on slices without it
    (``rgan_train.pairs.samples``). A writer puts it back.

    Parameters
    ----------
    hu
        ``[H, W]``, as the slice was read.
    """
    if not isinstance(source, PydicomSlice):
        source.fill_padding(hu, float(PADDING_HU))
    elif source.padding is not None:
        hu[source.padding] = PADDING_HU


def _start_threads(work: Callable[[], None], count: int) -> list[threading.Thread]:
    """Start threads that help the caller: as many of ``count`` as the system starts."""
    started: list[threading.Thread] = []
    for _ in range(count):
        thread = threading.Thread(target=work, name="rgan-decode")
        try:
            thread.start()
        except RuntimeError:
            break
        started.append(thread)
    return started


def _decode(file: SliceFile, native: _core.SourceSlice, hu: NDArray[np.float32]) -> ReadResult:
    try:
        cells = read_cells(file.path, file.stamp)
        if cells is not None:
            native.complete(cells, hu)
        return native if native.problem is None else _read_by_pydicom(file, hu)
    except Exception as error:  # concerns this slice only
        return error


def _read_by_pydicom(file: SliceFile, hu: NDArray[np.float32]) -> PydicomSlice | Exception:
    try:
        source = file.read()
        hu[:] = source.hu
    except Exception as error:  # concerns this slice only
        return error
    return source
