"""Groups of series of different patients."""

import numpy as np

from support.dicom_phantoms import uid, write_ct


def write_series(folder, slices, kernel, number, spacing=0.8, **tags):
    """Write a series of another patient for each number, with other values of some tags."""
    for index, hu in enumerate(slices):
        stored = np.clip(hu + 1024, 0, 4095).astype(np.uint16)
        write_ct(
            folder / f"{index:02d}.dcm",
            stored,
            bits_stored=12,
            PatientID=f"patient {number}",
            StudyInstanceUID=uid(number),
            FrameOfReferenceUID=uid(number, 2),
            SeriesInstanceUID=uid(number, 1),
            SOPInstanceUID=uid(number, 1, index + 1),
            ImagePositionPatient=[0, 0, 2.0 * index],
            PixelSpacing=[spacing, spacing],
            ConvolutionKernel=kernel,
            Manufacturer="Scanner Works",
            **tags,
        )
    return folder
