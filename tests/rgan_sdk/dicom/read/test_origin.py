"""What this project made is told from originals, however it was copied."""

import dataclasses
import shutil
import uuid
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    RLELossless,
)
from support.dicom_phantoms import ct_dataset, save, uid, write_series
from support.models import make_domain_card, write_model
from support.native import DERIVATION, scan_header
from support.runs import harmonize, read_report

from rgan_sdk.dicom.header import read_header
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.uids import (
    HARMONIZED_CODE,
    IDENTITY_CODE,
    code_item,
    has_mark,
    hashed_uid,
    marked_uid,
)
from rgan_sdk.dicom.write.derivation import Derivation
from rgan_sdk.dicom.write.writer import write_derived
from rgan_sdk.errors import IneligibleError

HARMONIZED = dataclasses.replace(
    DERIVATION,
    target_kernel="Br64d\\3",
    model_name="b40f-to-b70f, mine",
    model_version="1.2.0",
)
IDENTITY = dataclasses.replace(HARMONIZED, engine="identity")
MODEL = " by model b40f-to-b70f, mine 1.2.0"


def derived(tmp_path: Path, derivation: Derivation = HARMONIZED) -> Dataset:
    source = read_slice(save(tmp_path / "original.dcm", ct_dataset()))
    write_derived(source, source.hu, derivation, tmp_path / "derived.dcm")
    return dcmread(tmp_path / "derived.dcm")


def reason_against(path: Path) -> str:
    """Return why a file is no original: both readers must say the same."""
    with pytest.raises(IneligibleError) as caught:
        read_header(path)
    scanned = scan_header(path)
    assert str(scanned) == str(caught.value)
    return str(scanned)


MARKS = (
    "DerivationCodeSequence",
    "DerivationDescription",
    "SeriesDescription",
    "SOPInstanceUID",
    "SeriesInstanceUID",
)


@pytest.mark.parametrize("kept", MARKS)
@pytest.mark.parametrize(
    ("derivation", "name"),
    [(HARMONIZED, "harmonized already"), (IDENTITY, "identity engine's copy, not an original")],
)
def test_one_mark_is_enough(tmp_path: Path, kept: str, derivation: Derivation, name: str):
    dataset = derived(tmp_path, derivation)
    for keyword in MARKS:
        if keyword != kept:
            delattr(dataset, keyword)
    dataset.SOPInstanceUID = dataset.get("SOPInstanceUID", uid(7, 1))
    dataset.SeriesInstanceUID = dataset.get("SeriesInstanceUID", uid(7))
    path = save(tmp_path / "copy.dcm", dataset)
    by = MODEL if kept == "DerivationDescription" and derivation.harmonizes else ""
    assert reason_against(path) == f"{name}{by} ({kept} says so)"


def test_a_copy_without_any_mark_cannot_be_told(tmp_path: Path):
    dataset = derived(tmp_path)
    del dataset.DerivationCodeSequence, dataset.DerivationDescription, dataset.SeriesDescription
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID = uid(7, 1), uid(7)
    read_header(save(tmp_path / "copy.dcm", dataset))


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEGLosslessSV1,
    ],
)
@pytest.mark.parametrize("is_anonymous", [False, True])
def test_another_encoding_hides_nothing(tmp_path: Path, syntax: str, is_anonymous: bool):
    dataset = derived(tmp_path)
    if is_anonymous:
        del dataset.DerivationCodeSequence, dataset.DerivationDescription
    reason = reason_against(save(tmp_path / "folder" / "IM0", dataset, syntax))
    assert reason.startswith("harmonized already" + ("" if is_anonymous else MODEL))


def test_lossy_compression_by_others_hides_nothing(tmp_path: Path):
    """It gives a new UID, another code, and its own text in front."""
    dataset = derived(tmp_path)
    dataset.SOPInstanceUID = uid(7, 1)
    dataset.DerivationCodeSequence = Sequence([code_item("113040", "DCM", "Lossy Compression")])
    dataset.DerivationDescription = "Lossy compression 10:1;\r\n" + dataset.DerivationDescription
    dataset.SpecificCharacterSet = "ISO_IR 192"
    reason = reason_against(save(tmp_path / "copy.dcm", dataset))
    assert reason == f"harmonized already{MODEL} (DerivationDescription says so)"


@pytest.mark.parametrize(
    "attributes",
    [
        {"SeriesDescription": "ORGAN>B70f"},
        {"SeriesDescription": "Chest SIMULATED>B70f"},
        {"DerivationDescription": "Harmonized with ComBat"},
        {"DerivationCodeSequence": [code_item("SIMULATED", "99RGAN", "x")]},
        {"SOPInstanceUID": hashed_uid("a"), "SeriesInstanceUID": f"2.25.{uuid.UUID(int=9).int}"},
        {"SeriesInstanceUID": f"2.25.{2**128 - 1}"},
        {"SeriesInstanceUID": "2.25." + "9" * 39},
        {"SeriesInstanceUID": marked_uid(HARMONIZED_CODE, "a") + ".1"},
    ],
)
def test_what_others_made_is_an_original(tmp_path: Path, attributes: dict[str, object]):
    path = save(tmp_path / "file.dcm", ct_dataset(**attributes))
    read_header(path)
    assert not isinstance(scan_header(path), Exception)


def test_a_mark_belongs_to_one_code_and_to_one_uid():
    made = [marked_uid(HARMONIZED_CODE, str(number)) for number in range(1000)]
    assert len(set(made)) == 1000
    assert all(has_mark(one, HARMONIZED_CODE) for one in made)
    assert not any(has_mark(one, IDENTITY_CODE) for one in made)
    neighbours = [f"2.25.{int(one.removeprefix('2.25.')) + 1}" for one in made]
    assert not any(has_mark(one, HARMONIZED_CODE) for one in neighbours)
    version = {uuid.UUID(int=int(one.removeprefix("2.25."))).version for one in made}
    assert version == {5}


def test_an_output_is_no_input(tmp_path: Path):
    """Scan and run skip it under any name, also when an anonymizer gave it new UIDs."""
    write_series(tmp_path / "in" / "original", 2)
    card = make_domain_card(manufacturers=("Scanner Works",))
    options = ("--engine", "identity", "--model", write_model(tmp_path / "model.onnx", card))
    report = tmp_path / "report.json"
    done = harmonize("run", tmp_path / "in", tmp_path / "out", *options)
    assert done.exit_code == 0, done.output
    for number, path in enumerate(sorted((tmp_path / "out").glob("2.25.*/*.dcm"))):
        shutil.copy(path, tmp_path / "in" / f"renamed-{number}")
        anonymous = dcmread(path)
        anonymous.SOPInstanceUID, anonymous.SeriesInstanceUID = uid(8, number + 1), uid(8)
        save(tmp_path / "in" / "anonymous" / str(number), anonymous, ImplicitVRLittleEndian)
    (series,) = find_series(tmp_path / "in").series
    assert series.series_instance_uid == uid(1, 1)
    for command in (("scan", tmp_path / "in"), ("run", tmp_path / "in", tmp_path / "2", *options)):
        assert harmonize(*command, "--report", report).exit_code == 0
        skipped = [file for file in read_report(report)["files"] if file["status"] == "skipped"]
        assert len(skipped) == 4
        for file in skipped:
            assert file["reason"].startswith("identity engine's copy, not an original (")
