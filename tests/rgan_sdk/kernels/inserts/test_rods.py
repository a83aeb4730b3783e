"""Finding the rods of a phantom."""

import tracemalloc

import numpy as np

from rgan_sdk.kernels.inserts.rods import find_rods


def test_a_slice_of_half_a_metre_takes_less_than_100_mb():
    hu = np.zeros((512, 512), np.float32)
    tracemalloc.start()
    assert find_rods(hu, (0.977, 0.977)) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
