import pytest
from support.public_index import make_tables, row

from rgan_train.public import index
from rgan_train.public.descriptions import Reconstruction, read_description


def describe(monkeypatch, description, collection, **changes):
    """Return what is read of a series with this description."""
    one = row(1, 10, description, collection_id=collection, **changes)
    monkeypatch.setattr(index, "read_tables", lambda _: make_tables(collection, [one]))
    return read_description(index.read_index(collection).series[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,OPA,SE,SEN16,B30f,341,5,120,45,30,na", Reconstruction("B30f", "5", "341")),
        ("0,OPA,TO,AQUL4,FC51,279.3,2,120,50,na,na", Reconstruction("FC51", "2", "279.3")),
        ("0,OPA,PH,MX8000,D,na,3.2", Reconstruction("D", "3.2", "na")),
        ("0,OPL,SE,SEN4,T20s,512,1,80,266.5,266,1", None),
        ("0,OPA,PH,MX8000,unkn,500,0.8,120,na,na,na", None),
        ("0,OPA,PH,MX8000", None),
        ("Thorax  1.0  B70f", None),
        ("", None),
        (None, None),
    ],
)
def test_descriptions_of_nlst(monkeypatch, text, expected):
    assert describe(monkeypatch, text, "nlst") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thorax  1.0  B70f", Reconstruction("B70f", "1.0", scan="Thorax")),
        ("ThoraxRoutine  8.0.0  B40f", Reconstruction("B40f", "8.0.0", scan="ThoraxRoutine")),
        ("Abd 2 3.0  Br40d  cor", Reconstruction("Br40d", "3.0", scan="Abd 2  cor")),
        ("0,OPA,SE,SEN16,B30f,341,5,120,45,30,na", None),
        ("CT CHEST W", None),
    ],
)
def test_descriptions_of_siemens(monkeypatch, text, expected):
    assert (
        describe(monkeypatch, text, "lung_scans", Manufacturer="Siemens Healthineers") == expected
    )


def test_other_scanners_name_no_kernel(monkeypatch):
    assert describe(monkeypatch, "Thorax  1.0  B70f", "lung_scans", Manufacturer="Philips") is None
