"""Texts of a derived object have the bytes of the source, in any character set."""

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from support.dicom_phantoms import ct_dataset, save
from support.native import DERIVATION, write_unchanged

from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.write.writer import derive, encode

SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]
KATAKANA = b"\xcb\xaf\xc4 CT1"  # half-width katakana beside ASCII
TOP = ["PatientName", "StudyDescription", "InstitutionName", "PatientComments"]
EQUIPMENT = ["InstitutionName", "StationName", "Manufacturer"]


def write_source(path: Path, character_set: str, text: bytes, syntax: UID) -> Path:
    """Write a slice whose texts have these bytes."""
    place = "#" * len(text)
    step = Dataset()
    step.ScheduledProcedureStepDescription = place
    dataset = ct_dataset(
        **dict.fromkeys([*TOP, *EQUIPMENT, "SeriesDescription"], place),
        SpecificCharacterSet=character_set,
        RequestAttributesSequence=[step],
    )
    plain = ExplicitVRLittleEndian if syntax.is_deflated else syntax
    path = save(path, dataset, plain)
    path.write_bytes(path.read_bytes().replace(place.encode(), text))
    if syntax.is_deflated:
        dataset = dcmread(path)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path)
    return path


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    ("character_set", "text"),
    [
        ("ISO_IR 13", KATAKANA),
        ("ISO_IR 100", b"H\xf4pital"),
        ("ISO_IR 192", "Hôpital 病院".encode()),
        ("ISO_IR 192", b"H\xf4pital"),  # not in the character set that the file states
    ],
)
def test_texts_have_the_bytes_of_the_source(
    tmp_path: Path, character_set: str, text: bytes, syntax: UID
):
    path = write_source(tmp_path / "in" / "x", character_set, text, syntax)
    (derived,) = write_unchanged(tmp_path / "in", tmp_path / "out")
    source = read_slice(path)
    by_pydicom = dcmread(BytesIO(encode(derive(source, source.hu, DERIVATION).dataset)))
    for dataset in (derived, by_pydicom):
        (equipment,) = dataset.ContributingEquipmentSequence
        (step,) = dataset.RequestAttributesSequence
        found = [*map(dataset.get_item, TOP), *map(equipment.get_item, EQUIPMENT)]
        found.append(step.get_item("ScheduledProcedureStepDescription"))
        assert {element.value.strip() for element in found} == {text}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_description_keeps_katakana_beside_ascii(tmp_path: Path, syntax: UID):
    path = write_source(tmp_path / "in" / "x", "ISO_IR 13", KATAKANA, syntax)
    (derived,) = write_unchanged(tmp_path / "in", tmp_path / "out")
    source = read_slice(path)
    in_memory = derive(source, source.hu, DERIVATION).dataset
    for dataset in (derived, in_memory, dcmread(BytesIO(encode(in_memory)))):
        value = dataset.get_item("SeriesDescription").value
        assert value.startswith(KATAKANA + b" RGAN>")
        assert dataset.SeriesDescription.startswith("ﾋｯﾄ CT1 RGAN>")
