"""What is off the protocol of lung density."""

import pytest
from support.dicom_phantoms import write_ct

from rgan_sdk.dicom.read.acquisition import read_acquisition
from rgan_train.evaluation.lungs.protocol import off_protocol

THICK = "SliceThickness (0018,0050) is 2 mm, above 1.5 mm"
CONTRAST = "ContrastBolusAgent (0018,0010) states contrast"
EXPIRATION = "the header states expiration"


@pytest.mark.parametrize(
    ("attributes", "reasons"),
    [
        ({}, ()),
        ({"SliceThickness": 1.5}, ()),
        ({"SliceThickness": 2}, (THICK,)),
        ({"SliceThickness": None}, ()),
        ({"ContrastBolusAgent": "Iohexol 350"}, (CONTRAST,)),
        ({"ContrastBolusAgent": "NONE"}, ()),
        ({"SeriesDescription": "Thorax INSP 1.0"}, ()),
        ({"SeriesDescription": "HR Expert lung"}, ()),
        ({"SeriesDescription": "THORAX_EXP 1.0"}, (EXPIRATION,)),
        ({"ProtocolName": "Lunge Exspiration"}, (EXPIRATION,)),
        ({"ImageComments": "exhaled"}, (EXPIRATION,)),
        ({"SliceThickness": 2, "SeriesDescription": "Expiration"}, (THICK, EXPIRATION)),
    ],
)
def test_reasons(attributes, reasons, tmp_path):
    path = write_ct(tmp_path / "a.dcm", **{"SliceThickness": 1, **attributes})
    assert off_protocol([read_acquisition(path)]) == reasons


def test_one_thick_slice_of_many(tmp_path):
    paths = [write_ct(tmp_path / f"{mm}.dcm", SliceThickness=mm) for mm in (1, 2)]
    assert off_protocol(map(read_acquisition, paths)) == (THICK,)
