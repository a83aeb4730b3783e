"""CUDA's libraries are found in whichever folder their packages are."""

import ctypes
import sys

import pytest

from rgan_sdk.engines import cuda_libraries


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Two installation folders that each hold a part of NVIDIA's packages."""
    files = (
        "image/nvidia/cudnn/lib/libcudnn.so.9",
        "image/nvidia/cudnn/lib/libcudnn_ops.so.9",
        "image/nvidia/cu13/lib/libcublas.so.13",
        "image/nvidia/cu13/lib/libcublasLt.so.13",
        "image/nvidia/nccl/lib/libnccl.so.2",
        "target/nvidia/cu13/lib/libcudart.so.13",
    )
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "target"), str(tmp_path / "image")])
    monkeypatch.delitem(sys.modules, "nvidia", raising=False)
    return tmp_path


def test_libraries_come_after_those_that_they_need(site):
    found = [str(path.relative_to(site)) for path in cuda_libraries.find_libraries()]
    assert found == [
        "target/nvidia/cu13/lib/libcudart.so.13",
        "image/nvidia/cu13/lib/libcublasLt.so.13",
        "image/nvidia/cu13/lib/libcublas.so.13",
        "image/nvidia/cudnn/lib/libcudnn.so.9",
    ]


def test_one_that_cannot_be_loaded_does_not_keep_the_others(site, monkeypatch):
    tried = []

    def load(path):
        tried.append(path)
        raise OSError("file too short")

    monkeypatch.setattr(ctypes, "CDLL", load)
    cuda_libraries.preload_libraries()
    assert len(tried) == 4


def test_without_nvidias_packages_nothing_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "nvidia", raising=False)
    assert cuda_libraries.find_libraries() == []
