"""Slices outside the pixel spacings of a model's card are named."""

from support.models import make_card, make_domain_card

from rgan_train.evaluation.domain import spacing_notes


def test_slices_inside_the_card():
    assert spacing_notes(make_domain_card(), [0.6, 0.7, 0.9, 0.9005]) == ()


def test_slices_outside_the_card():
    (note,) = spacing_notes(make_domain_card(), [0.5, 0.7, 0.95, 0.95])
    assert note == (
        "the pixel spacing is 0.5 to 0.95 mm on 3 of 4 slices, and the model is made for 0.6 to "
        "0.9 mm: `rgan-harmonize run` skips such series"
    )


def test_a_model_of_format_1():
    (note,) = spacing_notes(make_card(), [0.7, 0.7])
    assert "is 0.7 mm on 2 of 2 slices, and the model is of format 1 and states none" in note
