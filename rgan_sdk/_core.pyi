"""Native core of rgan_sdk. Every function releases the GIL."""

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
