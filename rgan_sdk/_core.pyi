"""
Native core of rgan_sdk. What works on files or pixels releases the GIL.
"""

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
    Fill out [H, W] with the stored values of hu [H, W] float32, rounded half to even and
    clamped to [minimum, maximum]. Return how many values were clamped.
    """

def extremes(hu: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)]) -> list[tuple[float, float]]:
    """
    Return the smallest and the largest value of each slice of hu [N, H, W] float32.
    Both are NaN if a value of the slice is not finite.
    """

class ThreadPool:
    """
    Threads that share the work of a call. Calls from several threads wait for each other.
    """

    def __init__(self, threads: int) -> None: ...

    @property
    def threads(self) -> int: ...

class SourceSlice:
    """A slice that was read, without its pixels; see rgan/batch.hpp."""

    @property
    def problem(self) -> str | None:
        """
        Why the file is left to pydicom, or None if the slice's place in the batch is filled.
        """

    @property
    def is_encoded(self) -> bool:
        """
        Whether everything was read but the pixels, because the frame needs a decoder.
        """

    def fill_padding(self, hu: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], value: float) -> None:
        """
        Set the pixels of hu [H, W] float32 that the file declares as padding to a value.
        """

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
        float32. Afterwards, problem says whether that worked.
        """

class WriteResult:
    """What became of one file that was to be written."""

    @property
    def problem(self) -> str | None:
        """Why the file was not written, or None if it was."""

    @property
    def handed_back(self) -> bool:
        """
        Whether the slice is the reason, and not the disk or the memory: pydicom may write it.
        """

    @property
    def clips(self) -> int:
        """How many pixels could not be stored as computed."""

    @property
    def size(self) -> int:
        """Bytes of the file."""

    @property
    def crc32c(self) -> int:
        """CRC-32C of the file, made before it was written."""

class HeaderTemplate:
    """
    What all derived headers of a series have in common; see rgan/splice.hpp.
    """

    def __init__(self, first: SourceSlice, elements: Sequence[tuple[int, bytes]], removed: Sequence[int], dependencies: Sequence[int], representations: Sequence[tuple[int, str]]) -> None:
        """
        Elements are (tag, element in Explicit VR Little Endian), in the order of their tags;
        they are added to each slice, or replace its own, and removed tags are dropped. The
        elements depend on the tags in dependencies: each slice must have the same values there
        as first. Representations are (tag, VR) of a source in implicit VR.
        """

def crc32c(content: bytes) -> int:
    """Return the CRC-32C (Castagnoli) of bytes."""

def checksum_files(paths: Sequence[bytes], pool: ThreadPool) -> list[tuple[str | None, int]]:
    """
    Read whole files in parallel. Return for each why it cannot be read, or None, and
    its CRC-32C.
    """

def read_batch(files: Sequence[tuple[bytes, tuple[int, int, int] | None]], out: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu')], pool: ThreadPool) -> list[SourceSlice]:
    """
    Fill out [N, H, W] float32 with the HU of files. Each file is a path and the stamp
    that it must have, or None. A file with a problem leaves its slice undefined.
    """

def write_batch(sources: Sequence[SourceSlice], hu: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], template: HeaderTemplate, files: Sequence[tuple[bytes, bytes, Sequence[tuple[int, bytes]]]], durable: bool, pool: ThreadPool) -> list[WriteResult]:
    """
    Write the derived objects of sources with hu [N, H, W] float32. Each file is a path,
    its file meta information, and the elements of this slice alone.
    """

class Head:
    """The header of one file; see rgan/slice_header.hpp."""

    @property
    def problem(self) -> str | None:
        """
        Why the file is left to pydicom, or None. If there is a problem, only stamp can be used.
        """

    @property
    def stamp(self) -> tuple[int, int, int]:
        """
        The file's size in bytes, time of its last change in ns since 1970, and inode.
        """

    @property
    def common(self) -> bytes:
        """
        Equal for two slices whose headers agree in all but sop_instance_uid and position, and
        in the elements with the tags that scan was given. Empty if there is a problem.
        """

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
    def rescale_type(self) -> str: ...

    @property
    def pixel_spacing(self) -> list[float]: ...

    @property
    def slice_thickness(self) -> float | None: ...

    @property
    def orientation(self) -> list[float]: ...

    @property
    def position(self) -> list[float]: ...

    def values(self, tags: Sequence[int]) -> list[tuple[int, bytes]]:
        """
        Return (tag, value as the file has it) of the elements with these tags that are there,
        at the top level and before the pixel data.
        """

    @property
    def rows(self) -> int: ...

    @property
    def columns(self) -> int: ...

def scan(paths: Sequence[bytes], pool: ThreadPool, tags: Sequence[int] = []) -> list[Head]:
    """Read the headers of files in parallel; for tags see Head.common."""

def split_alike(heads: list[Head]) -> list[tuple[int, bytes, list[str]]]:
    """
    Split heads where common changes, and around each whose sop_instance_uid is not valid
    (PS3.5 9.1).

    Return of each part how many heads it has, their places, packed as three float64 for
    the position, two int64 and one uint64 for the stamp, and each sop_instance_uid.
    A head without a valid UID is alone; there are no places and UIDs then.
    """

def require_well_formed(content: bytes) -> None:
    """
    Raise ValueError if bytes are no ONNX file, or one of more fields than a model has.
    """
