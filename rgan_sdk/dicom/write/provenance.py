"""Where a derived object comes from: the source image, the processing, the equipment."""

from __future__ import annotations

import copy
from typing import Final

from pydicom import Dataset
from pydicom.uid import CTImageStorage

from rgan_sdk.dicom import uids, values
from rgan_sdk.dicom.write.attributes import COPIED_TO_EQUIPMENT, MOVED_TO_EQUIPMENT

MANUFACTURER: Final = "RGAN SDK project"
MODEL_NAME: Final = "rgan-sdk"


def add_derivation_code(dataset: Dataset, code: str, meaning: str) -> None:
    """Append a code of this project to DerivationCodeSequence (PS3.3 C.7.6.1.1.3).

    Codes of earlier processing steps stay in front of it.
    """
    dataset.DerivationCodeSequence = [
        *(dataset.get("DerivationCodeSequence") or ()),
        uids.code_item(code, uids.CODING_SCHEME, meaning),
    ]


def source_reference(source: Dataset) -> Dataset:
    """Return the item of SourceImageSequence that names the source (PS3.3 C.7.6.1)."""
    reference = Dataset()
    reference.ReferencedSOPClassUID = CTImageStorage
    reference.ReferencedSOPInstanceUID = values.uid(source, "SOPInstanceUID")
    reference.SpatialLocationsPreserved = "YES"
    reference.PurposeOfReferenceCodeSequence = [
        uids.code_item("121322", "DCM", "Source image for image processing operation")
    ]
    return reference


def set_equipment(dataset: Dataset, source: Dataset, software: str) -> None:
    """Name this software as the equipment, and the source's as contributing (PS3.3 C.12.1).

    A source without Manufacturer gives no item of ContributingEquipmentSequence, because
    Manufacturer is required there.

    Parameters
    ----------
    dataset
        A copy of the source's header, to be changed.
    software
        Name and version, for example ``rgan-sdk 0.1.0``.
    """
    if values.text(source, "Manufacturer"):
        earlier = dataset.get("ContributingEquipmentSequence") or ()
        dataset.ContributingEquipmentSequence = [*earlier, _source_equipment(dataset, source)]
    for keyword in MOVED_TO_EQUIPMENT:
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = MODEL_NAME
    dataset.SoftwareVersions = software[:64]
    dataset.DeviceUID = uids.hashed_uid("device", software)


def _source_equipment(dataset: Dataset, source: Dataset) -> Dataset:
    character_set = dataset.original_character_set
    equipment = Dataset(parent_encoding=character_set)
    equipment.set_original_encoding(False, True, character_set)
    for keyword in (*COPIED_TO_EQUIPMENT, *MOVED_TO_EQUIPMENT):
        if (element := dataset.get_item(keyword)) is not None:
            equipment[element.tag] = copy.deepcopy(element)  # a text with the source's bytes
    is_derived = values.text(source, "ImageType").upper() == "DERIVED"
    equipment.PurposeOfReferenceCodeSequence = [
        uids.code_item("109102", "DCM", "Processing Equipment")
        if is_derived
        else uids.code_item("109101", "DCM", "Acquisition Equipment")
    ]
    return equipment
