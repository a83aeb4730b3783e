"""Label maps, structure sets and segmentations of a series, written as clinics have them."""

import warnings
from pathlib import Path

import numpy as np
import SimpleITK
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import RTStructureSetStorage

from rgan_sdk.dicom.series import Series
from support.dicom_phantoms import save, uid


def write_label_map(path: Path, labels: NDArray[np.uint8], series: Series) -> Path:
    """Write ``[N, H, W]`` labels on the grid of a series, as NIfTI, NRRD or MetaImage."""
    image = SimpleITK.GetImageFromArray(labels)
    rows, columns = series.pixel_spacing
    image.SetSpacing([columns, rows, series.slices[1].position - series.slices[0].position])
    image.SetOrigin(series.slices[0].origin)
    SimpleITK.WriteImage(image, str(path))
    return path


def write_box(path: Path, name: str, series: Series) -> Path:
    """Write a structure set with one structure: the middle of all slices."""
    height, width = (
        mm * size for mm, size in zip(series.pixel_spacing, _size(series), strict=True)
    )
    contours = []
    for file in series.slices:
        x, y, z = file.origin
        corners = [(0.3, 0.3), (0.6, 0.3), (0.6, 0.6), (0.3, 0.6)]
        points = [(x + width * right, y + height * down, z) for right, down in corners]
        contours.append(Dataset())
        contours[-1].ContourGeometricType = "CLOSED_PLANAR"
        contours[-1].NumberOfContourPoints = len(points)
        contours[-1].ContourData = [f"{value:.3f}" for value in np.ravel(points)]
    frame = dcmread(series.slices[0].path, stop_before_pixels=True).FrameOfReferenceUID
    dataset, roi, drawn = Dataset(), Dataset(), Dataset()
    dataset.SOPClassUID = RTStructureSetStorage
    dataset.SOPInstanceUID = uid(7)
    dataset.Modality = "RTSTRUCT"
    roi.ROINumber = drawn.ReferencedROINumber = 1
    roi.ROIName = name
    roi.ReferencedFrameOfReferenceUID = frame
    drawn.ContourSequence = contours
    dataset.StructureSetROISequence = [roi]
    dataset.ROIContourSequence = [drawn]
    return save(path, dataset)


def write_segmentation(path: Path, name: str, series: Series) -> Path:
    """Write a DICOM segmentation with one segment: the middle of all slices."""
    rows, columns = _size(series)
    pixels = np.zeros((len(series.slices), rows, columns), np.bool_)
    pixels[:, rows // 3 : rows // 2, columns // 3 : columns // 2] = True
    segment = SegmentDescription(
        segment_number=1,
        segment_label=name,
        segmented_property_category=codes.SCT.Organ,
        segmented_property_type=codes.SCT.Liver,
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            "a", codes.DCM.ArtificialIntelligence, "1"
        ),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Segmentation(
            source_images=[dcmread(file.path) for file in series.slices],
            pixel_array=pixels,
            segmentation_type="BINARY",
            segment_descriptions=[segment],
            series_instance_uid=uid(6),
            series_number=6,
            sop_instance_uid=uid(6, 1),
            instance_number=1,
            manufacturer="Test",
            manufacturer_model_name="Test",
            software_versions="1",
            device_serial_number="1",
        ).save_as(path)
    return path


def _size(series: Series) -> tuple[int, int]:
    return series.slices[0].rows, series.slices[0].columns
