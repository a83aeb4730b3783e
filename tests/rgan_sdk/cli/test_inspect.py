"""``rgan-harmonize inspect``: the domain of a model in words, and its validity map as a picture."""

from dataclasses import replace

import pytest
from PIL import Image
from support.models import make_card, make_domain_card, write_model
from support.runs import harmonize

from rgan_sdk.card import ModelCard, SpacingRange, ValidityMap
from rgan_sdk.cli.validity_map import GAINS, LOSSES
from rgan_sdk.kernels import MatchCertificate

MAP = ValidityMap(
    data="5 slices of a phantom",
    pixel_spacing=(0.5, 0.646484375, 0.9),
    added_noise=(0.0, 10.0),
    over_input=((4.0, 2.0), (11.8, 3.0), (0.02, -1.46)),
    over_linear=((0.4, 0.2), (6.2, 1.0), (0.5, 0.1)),
)


def domain_card(**changes: object) -> ModelCard:
    spacing = SpacingRange(0.627, 0.9, 0.646484375)
    return make_domain_card(**{"pixel_spacing": spacing, "validity": MAP} | changes)


def lines(*arguments: object) -> list[str]:
    result = harmonize("inspect", *arguments)
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.output.splitlines()]


def colours(path) -> set[str]:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        found = picture.getcolors(picture.width * picture.height)
    return {"#{:02x}{:02x}{:02x}".format(*colour) for count, colour in found if count > 3000}


def test_a_file_and_its_card_are_shown(tmp_path):
    path = write_model(tmp_path / "m.onnx")
    shown = lines(path)
    assert "precision fp32" in shown
    assert '"name": "test-blur",' in shown
    assert '"source_kernels": [ "B40f" ],' in shown
    assert "series seen not stated" in shown
    assert harmonize("inspect", path, "--model-sha256", "00").exit_code == 1


def test_the_domain_is_shown_in_plain_words(tmp_path):
    shown = lines(write_model(tmp_path / "m.onnx", domain_card()))
    for line in (
        "kernels B40f, made to look like B70f",
        "HU -1024 to 1000 HU; pixels outside keep their value",
        "pixel spacing 0.627 to 0.9 mm; the training data were reconstructed at 0.646 mm",
        "noise 5 to 40 HU, standard deviation in soft tissue",
        "slice thickness 1, 3 mm in the training data",
        "reconstruction filtered back projection",
        "manufacturers SIEMENS",
    ):
        assert line in shown


def test_what_a_card_does_not_state_is_named(tmp_path):
    card = domain_card(noise_hu=None, thickness_seen=(), reconstruction=(), manufacturers=())
    shown = lines(write_model(tmp_path / "m.onnx", card))
    for heading in ("noise", "slice thickness", "manufacturers"):
        assert f"{heading} not stated" in shown
    assert "reconstruction the headers of the training data name none" in shown


def test_a_model_without_a_domain_says_so(tmp_path):
    (line,) = [
        line for line in lines(write_model(tmp_path / "m.onnx", make_card())) if "spacing" in line
    ]
    assert line.startswith("pixel spacing not stated: format 1")


def test_the_validity_map_is_shown_as_tables(tmp_path):
    shown = lines(write_model(tmp_path / "m.onnx", domain_card()))
    start = shown.index("validity map: gain in PSNR, dB, on 5 slices of a phantom")
    assert shown[start + 1 : start + 12] == [
        "Slices were resampled and noise was added: they are computed, not scanned.",
        "",
        "over the source; added noise in HU to the right",
        "mm 0 10",
        "0.5 +4.0 +2.0 not on the card",
        "0.646 +11.8 +3.0",
        "0.9 0.0 -1.5",
        "",
        "over a linear filter; added noise in HU to the right",
        "mm 0 10",
        "0.5 +0.4 +0.2 not on the card",
    ]


def test_what_speaks_for_a_match_is_shown_in_words(tmp_path):
    certificate = MatchCertificate(halves=0.62, source_to_itself=0.4, target_to_itself=None)
    shown = lines(write_model(tmp_path / "m.onnx", domain_card(certificate=certificate)))
    start = next(index for index, line in enumerate(shown) if line.startswith("certificate: "))
    assert shown[start + 1 : start + 3] == [
        "halves of both groups differ by: 0.62 dB (rms)",
        "half of the source against the other half: 0.40 dB (rms)",
    ]
    assert not any("third group" in line for line in shown)


def test_losses_and_gains_have_colours_of_their_own(tmp_path):
    picture = tmp_path / "map.png"
    lines(write_model(tmp_path / "m.onnx", domain_card()), "--map", picture)
    assert colours(picture) >= {LOSSES[1], *GAINS}
    without = replace(MAP, over_linear=())
    lines(write_model(tmp_path / "m.onnx", domain_card(validity=without)), "--map", picture)
    assert GAINS[0] not in colours(picture)


@pytest.mark.parametrize("card", [domain_card(validity=None), make_card()])
def test_a_card_without_a_map_says_what_to_do(tmp_path, card):
    picture = tmp_path / "map.png"
    result = harmonize("inspect", write_model(tmp_path / "m.onnx", card), "--map", picture)
    assert result.exit_code == 1
    assert "no validity map" in result.output
    assert "rgan-train export" in result.output
    assert not picture.exists()


def test_a_picture_replaces_nothing_but_pictures(tmp_path):
    model = write_model(tmp_path / "m.onnx", domain_card())
    content = model.read_bytes()
    result = harmonize("inspect", model, "--map", model)
    assert result.exit_code == 2
    assert "must end in .png" in result.output
    assert model.read_bytes() == content


def test_a_picture_that_cannot_be_written_says_so(tmp_path):
    model = write_model(tmp_path / "m.onnx", domain_card())
    result = harmonize("inspect", model, "--map", tmp_path / "absent" / "map.png")
    assert result.exit_code == 1
    assert "map.png: cannot be written (No such file or directory)" in " ".join(
        result.output.split()
    )
