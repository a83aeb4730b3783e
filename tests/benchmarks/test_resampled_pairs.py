"""Pairs on other pixels are valid series of the same patient, in the same place."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from support.training import write_pair_of_scans

from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_train.pairs.find import find_pairs, open_pairs

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "quality"))
from resampled_pairs import write_resampled_pair


def open_series(folder: Path):
    pairs = find_pairs([folder]).pairs
    assert len(pairs) == 1
    return sorted(open_pairs(pairs)[0], key=lambda series: series.convolution_kernel)


def test_a_resampled_pair_is_a_pair_around_the_same_centre(tmp_path):
    write_pair_of_scans(tmp_path / "scans", slices=2)
    before = open_series(tmp_path / "scans")
    spacing = before[0].pixel_spacing[0] * 1.4
    write_resampled_pair(tmp_path / "scans", tmp_path / "coarse", spacing)
    after = open_series(tmp_path / "coarse")
    for old, new in zip(before, after, strict=True):
        assert new.convolution_kernel == old.convolution_kernel
        assert new.series_instance_uid != old.series_instance_uid
        assert new.pixel_spacing == pytest.approx((spacing, spacing), rel=1e-5)
        assert [s.position for s in new.slices] == pytest.approx([s.position for s in old.slices])
        assert "RESAMPLED" in read_slice(new.slices[0].path).dataset.DerivationDescription
        for one, other in zip(old.slices, new.slices, strict=True):
            assert np.allclose(centre(one), centre(other), atol=1e-3)


def centre(file) -> np.ndarray:
    """Return where the middle of a slice with axial orientation lies."""
    dataset = read_slice(file.path).dataset
    rows, columns = (float(value) for value in dataset.PixelSpacing)
    half = np.array([(dataset.Columns - 1) * columns, (dataset.Rows - 1) * rows]) / 2
    return np.array(dataset.ImagePositionPatient[:2], float) + half


def test_a_pair_that_is_there_is_not_written_again(tmp_path):
    write_pair_of_scans(tmp_path / "scans", slices=2)
    (tmp_path / "coarse").mkdir()
    write_resampled_pair(tmp_path / "scans", tmp_path / "coarse", 1.0)
    assert not list((tmp_path / "coarse").iterdir())
