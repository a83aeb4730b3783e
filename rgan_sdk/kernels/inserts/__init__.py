"""Kernels measured on the inserts of QA phantoms: rods and wires."""

from rgan_sdk.kernels.inserts.phantom import (
    PhantomSlice,
    PhantomSpectra,
    fit_phantom,
    join_phantom,
    measure_phantom,
    measure_phantom_slice,
)

__all__ = [
    "PhantomSlice",
    "PhantomSpectra",
    "fit_phantom",
    "join_phantom",
    "measure_phantom",
    "measure_phantom_slice",
]
