"""The comparison of an exported model with what was expected of it."""

import numpy as np
import pytest
from support.models import blur, make_domain_card, make_model

from rgan_sdk.errors import TrainingError
from rgan_train.export.parity import EXTREMES, Check, add_extremes, check_parity


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(0, 300, (40, 48)).astype(np.float32)


CARD = make_domain_card()


def expect(image, spacing=0.7):
    return blur(image[None], CARD, spacing)[0]


def test_the_deviation_is_that_of_all_pixels(image):
    flat = np.zeros_like(image)
    checks = [Check(image, 0.8, expect(image, 0.8)), Check(flat, 0.7, expect(flat) + 0.25)]
    deviation = check_parity(make_model(CARD), checks, limit=0.5)
    assert deviation.max == pytest.approx(0.25, abs=0.01)
    assert deviation.mean == pytest.approx(0.125, abs=0.01)


def test_slices_outside_the_card_are_compared_too(image):
    outside = CARD.pixel_spacing.max + 0.1
    check = Check(image, outside, expect(image, outside))
    assert check_parity(make_model(CARD), [check], limit=0.5).max < 0.5


def test_a_deviation_above_the_limit(image):
    with pytest.raises(TrainingError, match=r"by up to 1\.000 HU; 0\.5 HU are allowed"):
        check_parity(make_model(CARD), [Check(image, 0.7, expect(image) + 1)], limit=0.5)


def test_a_deviation_that_is_no_number(image):
    expected = expect(image)
    expected[0, 0] = np.nan
    with pytest.raises(TrainingError, match="by up to nan HU"):
        check_parity(make_model(CARD), [Check(image, 0.7, expected)], limit=0.5)


def test_a_graph_that_changes_pixels_outside_its_window(image):
    model = make_model(CARD)
    model.graph.node[-1].input[1] = "change"  # is not faded out
    with pytest.raises(TrainingError, match="changes pixels outside its HU window"):
        check_parity(model, [Check(add_extremes(image), 0.7, image)], limit=1e6)


def test_extremes_are_added_to_a_copy(image):
    before = image.copy()
    extreme = add_extremes(image)
    assert np.array_equal(image, before)
    changed = extreme != image
    assert set(extreme[changed]) == set(np.float32(EXTREMES))
    assert 0 < changed.mean() < 0.25
