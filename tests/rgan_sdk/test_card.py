"""The model card: round trip, schema, and what is refused."""

import hashlib
import json
from dataclasses import replace

import jsonschema
import pytest
from support.models import make_card, make_domain_card

from rgan_sdk.card import ErrorBound, ModelCard, ValidityMap, hash_series
from rgan_sdk.errors import ModelFormatError
from rgan_sdk.kernels import CardCurves, MatchCertificate, MeanSpectra

DOMAIN = {
    "pixel_spacing",
    "noise_hu",
    "thickness_seen",
    "reconstruction",
    "validity",
    "certificate",
    "series_seen",
}
CERTIFICATE = MatchCertificate(halves=0.62, source_to_itself=0.4, target_to_itself=None)
UIDS = ("1.2.3.1", "1.2.3.2", "1.2.3.3")
SEEN = tuple(sorted(map(hash_series, UIDS)))


def changed(**changes):
    return json.dumps({**json.loads(make_card().to_json()), **changes})


def test_round_trip():
    card = make_card(error_bounds={"fp16": ErrorBound(max=4.5, p999=1.5)})
    assert ModelCard.from_json(card.to_json()) == card


def test_round_trip_of_format_2():
    validity = ValidityMap("pair", (0.6, 0.9), (0.0, 20.0), ((8.0, 4.0), (9.0, 4.5)))
    card = make_domain_card(validity=validity, certificate=CERTIFICATE, series_seen=SEEN)
    assert ModelCard.from_json(card.to_json()) == card
    assert json.loads(card.to_json())["format"] == 2


SPECTRA = (MeanSpectra(0.7, (0.0, 9.0, 4.0, 2.0, 1.0), 12, (0.0, 5.0, 3.0, 2.0, 1.0), 4),)
CURVES = CardCurves(source=SPECTRA, target=(*SPECTRA, replace(SPECTRA[0], pixel_spacing=0.8)))


def test_curves_are_optional():
    card = make_domain_card(curves=CURVES)
    assert ModelCard.from_json(card.to_json()) == card
    assert "curves" not in json.loads(make_domain_card().to_json())
    with pytest.raises(ModelFormatError, match="'curves' belongs to format 2"):
        make_card(curves=CURVES).to_json()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mtf": [1.0]}, "'mtf' was unexpected"),
        ({"even": [0.0, -1.0]}, "less than the minimum"),
        ({"even_blocks": 0}, r"curves.source: even: expected blocks"),
        ({"structure": [0.0, 9.0, 4.0, 2.0]}, r"curves.source: structure: expected blocks"),
    ],
)
def test_curves_that_show_no_kernel_are_refused(changes, message):
    fields = json.loads(make_domain_card(curves=CURVES).to_json())
    fields["curves"]["source"][0] |= changes
    with pytest.raises(ModelFormatError, match=message):
        ModelCard.from_json(json.dumps(fields))


def test_a_card_without_a_domain_is_of_format_1():
    fields = json.loads(make_card().to_json())
    assert fields["format"] == 1
    assert not DOMAIN & fields.keys()


@pytest.mark.parametrize("name", sorted(DOMAIN - {"pixel_spacing"}))
def test_a_domain_without_pixel_spacings_is_not_dropped_in_silence(name):
    validity = ValidityMap("pair", (0.7,), (0.0,), ((8.0,),))
    whole = make_domain_card(validity=validity, certificate=CERTIFICATE, series_seen=SEEN)
    stated = getattr(whole, name)
    with pytest.raises(ModelFormatError, match=f"'{name}' belongs to format 2, this is format 1"):
        make_card(**{name: stated}).to_json()


def changed_domain(**changes):
    return json.dumps({**json.loads(make_domain_card().to_json()), **changes})


VALIDITY = {"data": "", "pixel_spacing": [0.7], "added_noise": [0, 10], "over_linear": []}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (changed_domain(pixel_spacing={"min": 0.6, "max": 0.9}), "'reference' is a required"),
        (
            changed_domain(pixel_spacing={"min": 0.6, "max": 0.9, "reference": 0.5}),
            "min <= reference <= max",
        ),
        (changed_domain(noise_hu={"min": 9, "max": 5}), "noise_hu: expected min <= max"),
        (
            changed_domain(validity={**VALIDITY, "over_input": [[1]]}),
            "over_input: expected 1 rows of 2 numbers",
        ),
        (changed(thickness_seen=[1.0]), "'thickness_seen' belongs to format 2"),
        (changed(format=2), "'pixel_spacing' is a required property"),
    ],
)
def test_what_breaks_a_domain_is_refused(text, message):
    with pytest.raises(ModelFormatError, match=message):
        ModelCard.from_json(text)


def test_a_card_tells_the_series_that_the_model_was_made_with():
    card = ModelCard.from_json(make_domain_card(series_seen=SEEN).to_json())
    assert all(map(card.has_seen, UIDS))
    assert not card.has_seen("1.2.3.4")
    assert not make_domain_card().has_seen(UIDS[0])


def test_series_are_told_by_hashes_and_never_by_their_uids():
    assert hash_series(UIDS[0]) == hashlib.sha256(b"1.2.3.1").hexdigest()[:16]
    text = make_domain_card(series_seen=SEEN).to_json()
    assert not any(uid in text for uid in UIDS)
    assert "series_seen" not in json.loads(make_domain_card().to_json())


@pytest.mark.parametrize(
    "seen",
    [
        None,
        "0123456789abcdef",
        [1],
        ["0123456789abcde"],
        ["0123456789ABCDEF"],
        ["0123456789abcdef\n"],
        ["1.2.3"],
        ["1" * 16, "0" * 16],
        ["0" * 16, "0" * 16],
        [f"{number:016x}" for number in range(100_001)],
    ],
    ids=lambda seen: repr(seen)[:40],
)
def test_malformed_hashes_of_series_are_refused(seen):
    with pytest.raises(ModelFormatError, match="series_seen"):
        ModelCard.from_json(changed_domain(series_seen=seen))


def test_the_schema_is_a_schema():
    from importlib.resources import files

    schema = json.loads(files("rgan_sdk").joinpath("model_card.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "is not of type 'object'"),
        (changed(format=3), "newer than this software"),
        (changed(extra=1), "'extra' was unexpected"),
        (changed(multiple=0), r"\$\.multiple"),
        ("[" * 200_000, "not valid JSON"),
        (
            changed(window={"lower": float("nan"), "upper": 10, "handover": 8}),
            "NaN is not a number",
        ),
        (changed(source_kernels=[]), r"\$\.source_kernels"),
        (changed(source_kernels=[" "]), r"\$\.source_kernels"),
        (changed(target_kernel="\\"), r"\$\.target_kernel"),
        (changed(source_kernels=["B40f\0"]), r"U\+0000"),
        (changed(target_kernel="B\ud800"), "half a surrogate pair"),
        (changed(name="../evil"), r"\$\.name"),
        (changed(name="name\n"), r"\$\.name"),
        (changed(version="1.0.0\n"), r"\$\.version"),
        (changed(window={"lower": 0, "upper": 10, "handover": 8}), "narrower than two hand-overs"),
        (changed(window={"lower": 10, "upper": 0, "handover": 8}), "narrower than two hand-overs"),
    ],
)
def test_what_breaks_the_schema_is_refused(text, message):
    with pytest.raises(ModelFormatError, match=message):
        ModelCard.from_json(text)


def test_a_missing_key_is_named():
    fields = json.loads(make_card().to_json())
    del fields["target_kernel"]
    with pytest.raises(ModelFormatError, match="'target_kernel' is a required property"):
        ModelCard.from_json(json.dumps(fields))


@pytest.mark.parametrize(
    ("kernel", "accepted"), [("B40f", True), ("b40F", True), ("B40", False), (None, False)]
)
def test_kernels_of_one_value(kernel, accepted):
    assert make_card().accepts_kernel(kernel) is accepted


@pytest.mark.parametrize(
    ("named", "kernel", "accepted"),
    [
        (r"Br40d\3", r"Br40d\3", True),
        (r"Br40d\3", r"BR40D \3 ", True),
        (r"br40d \ 3", r"Br40d\3", True),
        (r"Br40d\3", "Br40d", False),
        (r"Br40d\3", r"Br40d\2", False),
        ("Br40d", r"Br40d\3", False),
        ("Br40d", "Br40d\\", True),
        ("Br40d", "\\", False),
    ],
)
def test_kernels_are_compared_whole_and_without_case(named, kernel, accepted):
    card = replace(make_card(), source_kernels=("B70f", named))
    assert ModelCard.from_json(card.to_json()).accepts_kernel(kernel) is accepted


def test_a_whole_number_with_a_point_is_one():
    assert isinstance(ModelCard.from_json(changed(multiple=8.0)).multiple, int)
