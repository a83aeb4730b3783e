"""NIfTI files of small CT scans, written directly or by dcm2niix."""

import json
import subprocess
from pathlib import Path

import dcm2niix
import nibabel
import numpy as np

from rgan_sdk.phantom import synthetic_slices

AFFINE = np.array([[-0.7, 0, 0, 20], [0, 0.7, 0, -30], [0, 0, 5, 10], [0, 0, 0, 1]])
"""As dcm2niix writes it for a patient who lies on the back: to the left, to the front, up."""


def scan_hu(slices: int = 3, size: int = 32) -> np.ndarray:
    """Return a synthetic chest, ``[N, H, W]`` whole HU."""
    return np.rint(np.stack(list(synthetic_slices("B40f", slices, size=size))))


def array_of(hu: np.ndarray) -> np.ndarray:
    """Return slices as dcm2niix writes them: ``[X, Y, N]``, the rows reversed."""
    return hu.transpose(2, 1, 0)[:, ::-1]


def slices_of(path: Path) -> np.ndarray:
    """Return what ``array_of`` was made of, in HU."""
    image = nibabel.load(path)
    stored = np.asarray(image.dataobj.get_unscaled()).astype(np.float64)
    hu = (stored * image.dataobj.slope + image.dataobj.inter).astype(np.float32)
    return hu[:, ::-1].transpose(2, 1, 0)


def write_nifti(
    path: Path,
    hu: np.ndarray,
    dtype: str = "int16",
    slope: float = 1.0,
    intercept: float = 0.0,
    affine: np.ndarray = AFFINE,
    sidecar: dict | None = None,
    **header: object,
) -> Path:
    """Write slices ``[N, H, W]``; ``header`` are fields of its header."""
    stored = (array_of(hu).astype(np.float64) - intercept) / slope
    if np.dtype(dtype).kind in "iu":
        stored = np.rint(stored)
    image = nibabel.Nifti1Image(stored.astype(dtype), affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    image.header.set_xyzt_units("mm")
    for name, value in {"scl_slope": slope, "scl_inter": intercept, **header}.items():
        image.header[name] = value
    nibabel.save(image, path)
    if sidecar is not None:
        path.with_name(path.name.split(".")[0] + ".json").write_text(json.dumps(sidecar))
    return path


def convert(folder: Path, out: Path) -> Path:
    """Convert one DICOM series with dcm2niix, and return the NIfTI file."""
    out.mkdir()
    command = [dcm2niix.bin, "-z", "n", "-f", "scan", "-o", str(out), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return out / "scan.nii"
