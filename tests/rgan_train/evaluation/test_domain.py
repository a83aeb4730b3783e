"""Models for other kernels are refused; slices outside a card's pixel spacings, and series that
a model was made with, are named.
"""

import pytest
from support.models import make_card, make_domain_card

from rgan_sdk.card import hash_series
from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.domain import check_kernels, seen_notes, spacing_notes


def test_names_of_kernels_are_compared_regardless_of_case_and_blanks():
    card = make_card(source_kernels=("Br40",), target_kernel="Br64\\3")
    check_kernels("mine.onnx", card, ("br40 ",), ("br64 \\ 3",))


def test_a_target_of_several_kernels_has_the_models_own():
    check_kernels("mine.onnx", make_card(), ("B40f",), ("B75f", "B70f"))
    with pytest.raises(
        ConfigurationError, match="harmonizes to B70f, and the target is B75f, B80f"
    ):
        check_kernels("mine.onnx", make_card(), ("B40f",), ("B75f", "B80f"))


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


def test_series_that_a_model_was_made_with():
    card = make_domain_card(series_seen=tuple(sorted(map(hash_series, ("1.1", "1.2", "1.3")))))
    assert seen_notes(card, ["1.4", "1.5"]) == ()
    assert seen_notes(card, ["1.1", "1.4", "1.1"]) == (
        "1 of the 2 tested series is among those that the model was made with, so its figures are "
        "not those of unseen patients",
    )
    (note,) = seen_notes(card, ["1.1", "1.2", "1.4"])
    assert note.startswith("2 of the 3 tested series are among those")


def test_a_model_that_tells_no_series_may_have_seen_all():
    (note,) = seen_notes(make_domain_card(), ["1.1"])
    assert "does not say which series it was made with" in note
