"""Native core of rgan_sdk. Every function releases the GIL."""

from collections.abc import Sequence
from typing import Annotated, overload

import numpy
from numpy.typing import NDArray


@overload
def stored_to_hu(stored: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), order='C', device='cpu', writable=False)], slope: float, intercept: float, out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]) -> None: ...

@overload
def stored_to_hu(stored: Annotated[NDArray[numpy.int8], dict(shape=(None, None), order='C', device='cpu', writable=False)], slope: float, intercept: float, out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]) -> None: ...

@overload
def stored_to_hu(stored: Annotated[NDArray[numpy.uint16], dict(shape=(None, None), order='C', device='cpu', writable=False)], slope: float, intercept: float, out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]) -> None: ...

@overload
def stored_to_hu(stored: Annotated[NDArray[numpy.int16], dict(shape=(None, None), order='C', device='cpu', writable=False)], slope: float, intercept: float, out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]) -> None:
    """
    Fill out [H, W] float32 with float32(double(stored) * slope + intercept).
    """

@overload
def hu_to_stored(hu: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], slope: float, intercept: float, minimum: int, maximum: int, out: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), order='C', device='cpu')]) -> int: ...

@overload
def hu_to_stored(hu: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], slope: float, intercept: float, minimum: int, maximum: int, out: Annotated[NDArray[numpy.int8], dict(shape=(None, None), order='C', device='cpu')]) -> int: ...

@overload
def hu_to_stored(hu: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], slope: float, intercept: float, minimum: int, maximum: int, out: Annotated[NDArray[numpy.uint16], dict(shape=(None, None), order='C', device='cpu')]) -> int: ...

@overload
def hu_to_stored(hu: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], slope: float, intercept: float, minimum: int, maximum: int, out: Annotated[NDArray[numpy.int16], dict(shape=(None, None), order='C', device='cpu')]) -> int:
    """
    Fill out [H, W] with HU rounded half to even in stored values, clamped to
    [minimum, maximum]; return how many values were clamped.
    """

def extremes(hu: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)]) -> list[tuple[float, float]]:
    """
    Return the smallest and the largest value of each slice of hu [N, H, W] float32;
    both are NaN unless all are finite.
    """

class ThreadPool:
    """Threads that share out a batch."""

    def __init__(self, threads: int) -> None: ...

    @property
    def threads(self) -> int: ...

class Head:
    """What the head of a file says; see rgan/slice_header.hpp."""

    @property
    def problem(self) -> str | None:
        """Why the file is handed back; None where the rest can be used."""

    @property
    def stamp(self) -> tuple[int, int, int]:
        """Size, nanoseconds of the last change, and inode."""

    @property
    def sop_class_uid(self) -> str: ...

    @property
    def sop_instance_uid(self) -> str: ...

    @property
    def study_instance_uid(self) -> str: ...

    @property
    def series_instance_uid(self) -> str: ...

    @property
    def frame_of_reference_uid(self) -> str: ...

    @property
    def patient_id(self) -> str: ...

    @property
    def modality(self) -> str: ...

    @property
    def image_type(self) -> str: ...

    @property
    def photometric_interpretation(self) -> str: ...

    @property
    def manufacturer(self) -> str: ...

    @property
    def convolution_kernel(self) -> str: ...

    @property
    def pixel_spacing(self) -> list[float]: ...

    @property
    def slice_thickness(self) -> float | None: ...

    @property
    def orientation(self) -> list[float]: ...

    @property
    def position(self) -> list[float]: ...

    @property
    def rows(self) -> int: ...

    @property
    def columns(self) -> int: ...

class SourceSlice:
    """A slice that was read, less its pixels; see rgan/batch.hpp."""

    @property
    def problem(self) -> str | None:
        """
        Why the file is handed back; None where its place in the batch is filled.
        """

    @property
    def is_encoded(self) -> bool:
        """Whether all is there but the pixels, whose frame takes a decoder."""

    @overload
    def complete(self, cells: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), order='C', device='cpu', writable=False)], hu: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]) -> None: ...

    @overload
    def complete(self, cells: Annotated[NDArray[numpy.int8], dict(shape=(None, None), order='C', device='cpu', writable=False)], hu: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]) -> None: ...

    @overload
    def complete(self, cells: Annotated[NDArray[numpy.uint16], dict(shape=(None, None), order='C', device='cpu', writable=False)], hu: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]) -> None: ...

    @overload
    def complete(self, cells: Annotated[NDArray[numpy.int16], dict(shape=(None, None), order='C', device='cpu', writable=False)], hu: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]) -> None:
        """
        Take the pixel cells [H, W] that an encoded frame was decoded to, and fill hu [H, W]
        float32. There may be a problem after it as before.
        """

class Written:
    """What became of one file to be written."""

    @property
    def problem(self) -> str | None:
        """Why the file was not written; None where it was."""

    @property
    def handed_back(self) -> bool:
        """Whether the slice itself is the reason, not the disk or the memory."""

    @property
    def clips(self) -> int:
        """Pixels that could not be stored as computed."""

class SplicePlan:
    """How the headers of a series become derived ones; see rgan/splice.hpp."""

    def __init__(self, first: SourceSlice, elements: Sequence[tuple[int, bytes]], removed: Sequence[int], read: Sequence[int], representations: Sequence[tuple[int, str]]) -> None:
        """
        Elements and tags are those of a data set in Explicit VR Little Endian; `read` are the
        tags that the elements depend on, and which every slice must share with the first.
        """

def scan(paths: Sequence[bytes], pool: ThreadPool) -> list[Head]:
    """Read the heads of files, in parallel."""

def read_batch(files: Sequence[tuple[bytes, tuple[int, int, int] | None]], out: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')], pool: ThreadPool) -> list[SourceSlice]:
    """
    Fill out [N, H, W] float32 with the HU of files, each a path and the stamp that it must
    have, or None. A file with a problem leaves its place undefined.
    """

def write_batch(sources: Sequence[SourceSlice], hu: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], plan: SplicePlan, files: Sequence[tuple[bytes, bytes, Sequence[tuple[int, bytes]]]], durable: bool, pool: ThreadPool) -> list[Written]:
    """
    Write the derived objects of sources with hu [N, H, W] float32; each file is a path,
    its file meta information and its own elements.
    """
