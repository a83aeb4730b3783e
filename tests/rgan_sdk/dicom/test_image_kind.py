"""Which values of ImageType say that an image is no plain axial reconstruction."""

from pathlib import Path

import pytest
from support.dicom_phantoms import write_series

from rgan_sdk.dicom.image_kind import kind_notes, special_kind
from rgan_sdk.dicom.inventory import find_series


@pytest.mark.parametrize(
    ("image_type", "said"),
    [
        (r"DERIVED\SECONDARY\AXIAL\CT_SOM5 MIP", "MIP (an intensity projection)"),
        (r"DERIVED\SECONDARY\MINIP", "MINIP (an intensity projection)"),
        (r"DERIVED\PRIMARY\VOLUME\MAX_IP", "MAX IP (an intensity projection)"),
        (r"DERIVED\SECONDARY\MPR", "MPR (a reformation)"),
        (r"DERIVED\SECONDARY\REFORMATTED\AVERAGE", "REFORMATTED (a reformation)"),
        (r"DERIVED\SECONDARY\AXIAL\AVERAGE", "AVERAGE (an average of images)"),
        (r"DERIVED\SECONDARY\AXIAL\IODINE_NO_WATER", "IODINE (an iodine map)"),
        (r"DERIVED\PRIMARY\AXIAL\VMI 70 KEV", "VMI (a virtual monoenergetic image)"),
        (r"DERIVED\SECONDARY\AXIAL\MONO_65KEV", "MONO (a virtual monoenergetic image)"),
        (r"DERIVED\SECONDARY\AXIAL\GSI\MONO70", "MONO70 (a virtual monoenergetic image)"),
        (r"DERIVED\SECONDARY\AXIAL\GSI\WATER", "WATER (a material image)"),
        (r"ORIGINAL\PRIMARY\AXIAL\GSI 70KEV", "70KEV (a virtual monoenergetic image)"),
        (r"DERIVED\SECONDARY\AXIAL\CT_SOM7 VNC", "VNC (a virtual non-contrast image)"),
        (r"DERIVED\SECONDARY\VIRTUAL_NON_CONTRAST", "VIRTUAL NON CONTRAST (a virtual non-contr"),
        (r"DERIVED\PRIMARY\AXIAL\MAT_SPECIFIC", "MAT SPECIFIC (a material image)"),
        (r"ORIGINAL\PRIMARY\AXIAL\CT_SOM5 SPI DUAL\DET_AB", "DET AB (mixed from both detectors"),
    ],
)
def test_words_that_tell_another_kind(image_type, said):
    assert (special_kind(image_type.split("\\")) or "").startswith(said)


@pytest.mark.parametrize(
    "image_type",
    [
        r"ORIGINAL\PRIMARY\AXIAL",
        r"ORIGINAL\PRIMARY\AXIAL\CT_SOM5 SPI",
        r"ORIGINAL\PRIMARY\AXIAL\HELIX",
        r"ORIGINAL\PRIMARY\AXIAL\DIXIE\MONOLITH",
        r"DERIVED\SECONDARY",
        r"DERIVED\SECONDARY\AXIAL",
        r"DERIVED\SECONDARY\RESAMPLED",
        "",
    ],
)
def test_plain_reconstructions(image_type):
    assert special_kind(image_type.split("\\")) is None


def test_a_series_of_another_kind_has_a_note(tmp_path: Path):
    write_series(tmp_path, 2, ImageType=["DERIVED", "SECONDARY", "MPR", "CANARY^JOHN"])
    (series,) = find_series(tmp_path).series
    (note,) = kind_notes(series)
    assert note.startswith("ImageType says MPR (a reformation): no plain axial reconstruction")
    assert "CANARY" not in note
