"""Two kernels of real scans, measured on different slices, against the same slices with both."""

from dataclasses import replace

import numpy as np
from support.requirements import require_data

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.read.spectra import measure_series
from rgan_sdk.kernels import fit_transfer, frequencies

VALIDATION = 19


def psnr(image, target):
    error = np.clip(image, -1024, 1000) - np.clip(target, -1024, 1000)
    return 10 * np.log10(2024**2 / np.mean(error**2))


def filtered(hu, spacing, gain):
    wide = np.pad(hu, 16, mode="reflect")
    spectrum = np.fft.rfft2(wide) * gain(frequencies(wide.shape, spacing))
    return np.fft.irfft2(spectrum, wide.shape)[16:-16, 16:-16]


def test_filters_from_other_slices():
    root = require_data("pair_lungdx_A0002_siemens")
    soft, sharp = (find_series(root / kernel).series[0] for kernel in ("B40f", "B70f"))
    a, b = (
        measure_series(replace(series, slices=series.slices[part]), slices=9)
        for series, part in ((soft, slice(9)), (sharp, slice(9, 18)))
    )
    files = [series.slices[VALIDATION] for series in (soft, sharp)]
    first, second = (read_slice(file.path, file.stamp).hu for file in files)
    there, back = fit_transfer(a, b, resamples=0), fit_transfer(b, a, resamples=0)
    assert psnr(first, second) < 36.5
    assert psnr(filtered(first, soft.pixel_spacing, there.gain), second) > 44
    assert psnr(filtered(second, soft.pixel_spacing, back.gain), first) > 50
