"""Noise that both images of a pair share, and where it ends."""

from __future__ import annotations

import numpy as np

from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_train.pairs.noise import PairNoise
from rgan_train.pairs.samples import PairedSample


def test_strong_noise_in_air_is_not_taken_for_padding() -> None:
    fields = np.random.default_rng(0).normal(0, [[[1]], [[4]]], (2, 64, 64)).astype(np.float32)
    air = np.full((32, 32), -1000, np.float32)
    air[:4] = PADDING_HU
    noisy = PairNoise(fields).add(PairedSample(air, air), 300, np.random.default_rng(1))
    for hu in noisy:
        assert np.array_equal(hu < -1500, air == PADDING_HU)
        assert (hu[:4] == PADDING_HU).all()
