"""Each comparison of a series with a model's card."""

import dataclasses

import pytest
from support.dicom_phantoms import uid, write_ct, write_series
from support.models import make_card, make_domain_card

from rgan_sdk.card import Range
from rgan_sdk.dicom.domain import domain_notes, find_outside, noise_notes
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.harmonizer import DOMAINS

FILTERED = "filtered back projection"
CARD = make_domain_card(manufacturers=("SIEMENS", "GE MEDICAL SYSTEMS"))


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    write_series(folder, 2, Manufacturer="SIEMENS")
    return dataclasses.replace(find_series(folder).series[0], reconstruction=FILTERED)


@pytest.fixture
def outside(inside):
    """Return a function that gives the series other attributes, and says what is outside."""

    def outside(card=CARD, **attributes):
        return find_outside(dataclasses.replace(inside, **attributes), card)

    return outside


def test_a_series_like_the_training_data_is_inside(inside):
    assert find_outside(inside, CARD) == {}
    assert domain_notes(inside, CARD) == ()


def test_each_is_named_as_the_user_accepts_it(outside):
    found = outside(
        convolution_kernel="B70f",
        manufacturer="Philips",
        pixel_spacing=(0.5, 0.5),
        reconstruction="ITERATIVE",
    )
    assert tuple(found) == DOMAINS


@pytest.mark.parametrize(
    ("kernel", "text"),
    [
        ("B70f", "ConvolutionKernel (0018,1210) is B70f; the model takes B40f"),
        (None, "no ConvolutionKernel (0018,1210); the model takes B40f"),
    ],
)
def test_kernel(outside, kernel, text):
    assert outside(convolution_kernel=kernel) == {"kernel": text}


@pytest.mark.parametrize(
    ("stated", "names"),
    [
        ("SIEMENS", ["siemens", "Siemens Healthineers", "Siemens-Healthineers", " SIEMENS AG"]),
        ("Siemens-Healthineers", ["SIEMENS", "Siemens, Healthineers"]),
        ("GE MEDICAL SYSTEMS", ["GE", "GE  HEALTHCARE", "GE-Healthcare", "G.E. Medical Systems"]),
        ("Philips Medical Systems", ["PHILIPS", "Philips, Best", "Philips Healthcare"]),
        ("TOSHIBA", ["Canon Medical Systems", "TOSHIBA_MEC", "CANON"]),
        ("Canon", ["TOSHIBA"]),
        ("Scanner Works, Ltd.", ["SCANNER-WORKS LTD"]),
    ],
)
def test_a_company_has_several_names(outside, stated, names):
    for name in ["", stated, *names]:
        assert outside(make_domain_card(manufacturers=(stated,)), manufacturer=name) == {}


@pytest.mark.parametrize(
    "name",
    ["Philips", "Getinge", "General Imaging", "Siemensstadt Scanners", "The Siemens", "---", "GEX"],
)
def test_another_manufacturer(outside, name):
    takes = "the model takes SIEMENS, GE MEDICAL SYSTEMS"
    text = f"Manufacturer (0008,0070) is {name}; {takes}"
    assert outside(manufacturer=name) == {"manufacturer": text}
    assert outside(make_domain_card(manufacturers=()), manufacturer=name) == {}


def test_companies_that_share_their_first_word_are_told_apart(outside):
    card = make_domain_card(manufacturers=("Shenzhen Scanners",))
    assert list(outside(card, manufacturer="Shenzhen Tubes")) == ["manufacturer"]


def find_mixed(folder, *each):
    """Return a series whose slices differ in some attributes."""
    for number, attributes in enumerate(each):
        write_ct(folder / f"{number}.dcm", SOPInstanceUID=uid(1, 1, number + 1), **attributes)
    (series,) = find_series(folder).series
    return series


@pytest.mark.parametrize(
    ("makers", "is_outside"),
    [
        (("SIEMENS", "Siemens Healthineers"), False),
        (("SIEMENS", ""), False),
        (("SIEMENS", "Philips"), True),
        (("Philips", "SIEMENS"), True),
    ],
)
def test_slices_that_name_several_manufacturers(tmp_path, makers, is_outside):
    series = find_mixed(tmp_path, *({"Manufacturer": maker} for maker in makers))
    assert ("manufacturer" in find_outside(series, CARD)) == is_outside
    assert series.notes == ("Manufacturer (0008,0070) is not the same in all slices",)


def test_an_empty_name_on_a_card_says_nothing(inside, outside):
    silent = make_domain_card(manufacturers=("", " "))
    assert outside(silent, manufacturer="Philips") == {}
    assert domain_notes(dataclasses.replace(inside, manufacturer=""), silent) == ()
    other = make_domain_card(manufacturers=("", "SIEMENS"))
    text = "Manufacturer (0008,0070) is Philips; the model takes SIEMENS"
    assert outside(other, manufacturer="Philips") == {"manufacturer": text}


@pytest.mark.parametrize("spacing", [(0.6, 0.6), (0.9, 0.9), (0.5995, 0.5995), (0.9008, 0.9008)])
def test_a_spacing_may_be_rounded(outside, spacing):
    assert outside(pixel_spacing=spacing) == {}


@pytest.mark.parametrize(
    ("spacing", "shown"),
    [
        ((0.598, 0.598), "0.598 mm"),
        ((0.9, 0.904), "0.9 and 0.904 mm, in the mean 0.902 mm"),
        ((2, 2), "2 mm"),
    ],
)
def test_another_spacing(outside, spacing, shown):
    text = f"PixelSpacing (0028,0030) is {shown}; the model takes 0.6 to 0.9"
    assert outside(pixel_spacing=spacing) == {"spacing": text}


def test_a_model_of_format_1_states_no_spacing(outside):
    text = "PixelSpacing (0028,0030) is 0.7 mm; the model, of format 1, states none"
    assert outside(make_card()) == {"spacing": text}


@pytest.mark.parametrize(
    ("stated", "taken"),
    [((FILTERED,), FILTERED), ((), "series that state none")],
)
def test_another_reconstruction(outside, stated, taken):
    card = dataclasses.replace(CARD, reconstruction=stated)
    text = f"reconstruction is level 40; the model takes {taken}"
    assert outside(card, reconstruction="level 40") == {"reconstruction": text}
    assert outside(card, reconstruction=None) == {}
    assert outside(CARD, reconstruction=" Filtered  BACK projection") == {}


@pytest.mark.parametrize(
    ("stated", "shown"),
    [
        (("ITERATIVE", ""), "ITERATIVE in some slices"),
        (("LEVEL_50", "LEVEL_40"), "LEVEL_40 and LEVEL_50"),
    ],
)
def test_slices_of_several_reconstructions_are_outside(tmp_path, stated, shown):
    series = find_mixed(tmp_path, *({"ReconstructionAlgorithm": one} for one in stated))
    found = find_outside(series, dataclasses.replace(CARD, reconstruction=("ITERATIVE",)))
    assert shown in found["reconstruction"]


@pytest.mark.parametrize(
    ("attributes", "note"),
    [
        ({"manufacturer": ""}, "no Manufacturer (0008,0070); the model is made for SIEMENS, GE"),
        ({"reconstruction": None}, f"state no reconstruction; the model is made for {FILTERED}"),
        ({"slice_thickness": None}, "no SliceThickness (0018,0050), or several; the model is made"),
        ({"slice_thickness": 3.31}, "SliceThickness (0018,0050) is 3.31 mm; the model is made for"),
        ({"slice_thickness": 0.9}, "SliceThickness (0018,0050) is 0.9 mm; the model is made for 1"),
    ],
)
def test_remarks(inside, attributes, note):
    series = dataclasses.replace(inside, **attributes)
    assert find_outside(series, CARD) == {}
    (found,) = domain_notes(series, CARD)
    assert note in found


@pytest.mark.parametrize("thickness", [0.92, 1.0, 2.0, 3.0, 3.29])
def test_a_thickness_within_a_tenth_is_no_remark(inside, thickness):
    assert domain_notes(dataclasses.replace(inside, slice_thickness=thickness), CARD) == ()


def test_one_value_is_no_range(inside):
    card = dataclasses.replace(CARD, thickness_seen=(8.0, 8.0))
    assert domain_notes(inside, card) == (
        "SliceThickness (0018,0050) is 2 mm; the model is made for 8 mm",
    )


def test_a_silent_card_gives_no_remark(inside):
    silent = make_domain_card(manufacturers=(), thickness_seen=(), reconstruction=())
    absent = {"manufacturer": "", "slice_thickness": None, "reconstruction": None}
    assert domain_notes(dataclasses.replace(inside, **absent), silent) == ()
    assert noise_notes(300.0, make_domain_card(noise_hu=None)) == ()


@pytest.mark.parametrize(
    ("noise", "note"),
    [
        (5.0, None),
        (39.9, None),
        (4.9, "noise is 4.9 HU; the model is made for 5 to 40 HU"),
        (77.3, "noise is 77.3 HU; the model is made for 5 to 40 HU"),
        (None, "noise not measured, as where there is little even soft tissue; the model is made"),
    ],
)
def test_noise(noise, note):
    found = noise_notes(noise, make_domain_card(noise_hu=Range(5.0, 40.0)))
    assert len(found) == (note is not None)
    assert all(note in text for text in found)
