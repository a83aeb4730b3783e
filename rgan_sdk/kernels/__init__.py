"""What a convolution kernel does to an image: its MTF, its noise power, its edges.

Plain arrays with their pixel spacing in, numbers out; nothing here knows DICOM.
"""

from rgan_sdk.kernels.card.certificate import MatchCertificate
from rgan_sdk.kernels.card.curves import CardCurves, MeanSpectra, as_spectra
from rgan_sdk.kernels.comparison import KernelDifference, compare_kernel
from rgan_sdk.kernels.edge_response import (
    EdgePoints,
    EdgeProfile,
    edge_points,
    edge_profile,
    edge_rise,
)
from rgan_sdk.kernels.limits import Curve, Interval, KernelCurves
from rgan_sdk.kernels.mtf import ASSUMED_MTFS, KernelMTF, assumed_mtf, frequencies
from rgan_sdk.kernels.name import kernel_name
from rgan_sdk.kernels.noise import soft_tissue_noise, tissue_noise
from rgan_sdk.kernels.noise_power import (
    NoisePowerSpectrum,
    noise_power_distance,
    noise_power_ratio,
    noise_power_spectrum,
    soft_tissue_blocks,
)
from rgan_sdk.kernels.spectra import KernelSpectra, join_spectra, measure_kernel
from rgan_sdk.kernels.transfer import TransferRatio, fit_kernel, fit_transfer

__all__ = [
    "ASSUMED_MTFS",
    "CardCurves",
    "Curve",
    "EdgePoints",
    "EdgeProfile",
    "Interval",
    "KernelCurves",
    "KernelDifference",
    "KernelMTF",
    "KernelSpectra",
    "MatchCertificate",
    "MeanSpectra",
    "NoisePowerSpectrum",
    "TransferRatio",
    "as_spectra",
    "assumed_mtf",
    "compare_kernel",
    "edge_points",
    "edge_profile",
    "edge_rise",
    "fit_kernel",
    "fit_transfer",
    "frequencies",
    "join_spectra",
    "kernel_name",
    "measure_kernel",
    "noise_power_distance",
    "noise_power_ratio",
    "noise_power_spectrum",
    "soft_tissue_blocks",
    "soft_tissue_noise",
    "tissue_noise",
]
