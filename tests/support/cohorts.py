"""Groups of chest phantoms of different patients, in memory and as DICOM."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rgan_train.evaluation.cohorts.cohort import Cohort, Scan
from support.dicom_phantoms import uid, write_ct
from support.kernels import chests, exponential

SOFT, SHARP = exponential(3.5, 2.0), exponential(5.5, 2.0)
SPACING, THICKNESS = 0.8, 3.0


def make_cohort(name: str, mtf, kernel: str, seed: int, patients=1, slices=6) -> Cohort:
    """Return a group in memory, each patient with one scan."""
    scans = []
    for number in range(patients):
        hu = np.maximum(chests(mtf, SPACING, slices, seed=100 * seed + number), -1024)
        padding = np.zeros(hu.shape, np.bool_)
        padding[:, :4] = True
        who, series = f"{name} {number}", uid(3, 100 * seed + number)
        scans.append(Scan(who, kernel, (SPACING, SPACING), THICKNESS, hu, padding, series))
    return Cohort(name, tuple(scans), patients)


def write_group(folder: Path, mtf, kernel: str, seed: int, patients=1, slices=6) -> Path:
    """Write a group as DICOM, each patient with one series."""
    for number in range(patients):
        patient = 100 * seed + number
        for index, hu in enumerate(chests(mtf, SPACING, slices, seed=patient)):
            write_ct(
                folder / f"{patient}-{index:02d}.dcm",
                np.clip(hu + 1024, 0, 4095).astype(np.uint16),
                bits_stored=12,
                PatientID=f"patient {patient}",
                StudyInstanceUID=uid(1, patient),
                FrameOfReferenceUID=uid(2, patient),
                SeriesInstanceUID=uid(3, patient),
                SOPInstanceUID=uid(3, patient, index + 1),
                ImagePositionPatient=[0, 0, THICKNESS * index],
                PixelSpacing=[SPACING, SPACING],
                SliceThickness=THICKNESS,
                ConvolutionKernel=kernel,
            )
    return folder
