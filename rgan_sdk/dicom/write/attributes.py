"""Which attributes of a derived header are replaced, moved or removed.

All other attributes stay as the source has them. ``docs/dicom-conformance.md`` gives the reasons.
"""

from __future__ import annotations

from typing import Final

MOVED_TO_EQUIPMENT: Final = (
    "DeviceSerialNumber",
    "StationName",
    "GantryID",
    "UDISequence",
    "DateOfLastCalibration",
    "TimeOfLastCalibration",
    "SpatialResolution",
)
"""They describe the scanner, so they move into ContributingEquipmentSequence (PS3.3 C.12.1)."""

COPIED_TO_EQUIPMENT: Final = (
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "DeviceUID",
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
)
"""They are copied into the same item. The first four then change to those of this software."""

OUTDATED: Final = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "SmallestImagePixelValueInPlane",
    "LargestImagePixelValueInPlane",
    "IconImageSequence",
    "DigitalSignaturesSequence",
    "MACParametersSequence",
    "InstanceCreatorUID",
    "ReferencedPerformedProcedureStepSequence",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "PerformedProcedureStepEndDate",
    "PerformedProcedureStepEndTime",
    "PerformedProcedureStepID",
    "PerformedProcedureStepDescription",
    "PerformedProtocolCodeSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "DataSetTrailingPadding",
)
"""They describe the pixel data, the file or the processing step of the source."""

READ_FROM_SOURCE: Final = (
    *COPIED_TO_EQUIPMENT,
    *MOVED_TO_EQUIPMENT,
    "SpecificCharacterSet",
    "ImageType",
    "SOPClassUID",
    "TimezoneOffsetFromUTC",
    "SeriesDescription",
    "ConvolutionKernel",
    "ContributingEquipmentSequence",
    "SeriesInstanceUID",
    "SeriesNumber",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleType",
    "DerivationCodeSequence",
)
"""All that the elements of ``WRITTEN`` depend on.

Slices of a series that agree in these attributes get the same values for ``WRITTEN``.
"""

WRITTEN: Final = (
    "ImageType",
    "InstanceCreationDate",
    "InstanceCreationTime",
    "SOPClassUID",
    "SeriesDate",
    "ContentDate",
    "SeriesTime",
    "ContentTime",
    "Manufacturer",
    "SeriesDescription",
    "ManufacturerModelName",
    "DerivationDescription",
    "DerivationCodeSequence",
    "DeviceUID",
    "SoftwareVersions",
    "ContributingEquipmentSequence",
    "ContentQualification",
    "SeriesInstanceUID",
    "SeriesNumber",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleType",
)
"""What a derived header does not take from its source.

SOPInstanceUID and SourceImageSequence are missing here: they differ from slice to slice.
"""

REMOVED: Final = (*OUTDATED, *MOVED_TO_EQUIPMENT)
"""No derived header has these, but for items of its sequences."""
