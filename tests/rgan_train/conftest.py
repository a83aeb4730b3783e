"""What the tests of training share: one thread, and one small scan with two kernels."""

import pytest
import torch
from support.training import list_pairs, write_pair_of_scans


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def scans(tmp_path_factory):
    """A folder with one scan of 12 slices of 64x64 pixels with both kernels."""
    return write_pair_of_scans(tmp_path_factory.mktemp("scans"))


@pytest.fixture(scope="session")
def pairs_csv(scans):
    """Its list of pairs."""
    return list_pairs(scans)
