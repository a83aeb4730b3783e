"""Controls of a paired evaluation: random pixels, and masks that neither kernel has shaped."""

import numpy as np
import pytest
from support.lungs import make_chest
from support.requirements import require_module

from rgan_train.evaluation import stacks
from rgan_train.evaluation.controls import choose_neutrally, randomize
from rgan_train.evaluation.features.extractor import FeatureExtractor
from rgan_train.evaluation.features.regions import RegionFeatures
from rgan_train.evaluation.metrics.reproducibility import compare_all
from rgan_train.evaluation.random_pixels import RANDOM, random_pixels
from rgan_train.evaluation.regions.choice import choose_random_regions
from rgan_train.evaluation.regions.rois import Roi, whole_slices
from rgan_train.evaluation.results import INPUT, TARGET, FeatureTable

SPACING = (0.8, 0.8)


class Stack(stacks.TestStack):
    """Slices that come from nowhere."""

    pixel_spacing = SPACING


@pytest.fixture(scope="module")
def stack():
    target = make_chest()[0][10:14]
    source = target + np.random.default_rng(5).normal(0, 20, target.shape).astype(np.float32)
    return Stack((), source.astype(np.float32), target, np.zeros(target.shape, np.bool_))


def regions_of_sizes():
    """Return 40 rectangles of very different sizes on each of four slices."""
    rois = []
    for number in range(4):
        for size in range(40):
            mask = np.zeros((192, 192), np.bool_)
            mask[10 : 14 + 2 * size, 10 : 20 + 2 * size] = True
            rois.append(Roi("organ", number, mask))
    return rois


def test_random_pixels_keep_what_the_mask_gives_and_no_texture(stack, tmp_path):
    require_module("radiomics", "make eval-deps")
    parameters = tmp_path / "few.yaml"
    parameters.write_text(
        "imageType: {Original: {}}\nfeatureClass: {firstorder: [Energy, Mean], glcm: [Contrast]}\n"
    )
    features = RegionFeatures(
        FeatureExtractor(parameters), tmp_path / "kept", parameters, 1, stack.padding, SPACING
    )
    rois = [*whole_slices(stack.padding), *regions_of_sizes()]
    table = randomize(
        stack, rois, lambda images, chosen: features.compute(images, chosen, lambda n: lambda: None)
    )
    assert table.groups == ["organ"]  # whole slices are all alike
    (found,) = compare_all(table)
    ccc = dict(zip(table.names, found.ccc, strict=True))
    assert found.method == RANDOM
    assert ccc["original_firstorder_Energy"] > 0.99
    assert abs(ccc["original_firstorder_Mean"]) < 0.6
    assert ccc["original_glcm_Contrast"] < 0.5


def test_random_pixels_differ_by_image_and_are_repeated(stack):
    once, again = random_pixels(stack.target_hu), random_pixels(stack.target_hu)
    other = random_pixels(stack.source_hu)
    assert np.array_equal(once, again)
    assert abs(np.corrcoef(once.ravel(), other.ravel())[0, 1]) < 0.05
    assert 95 < once.std() < 105


def take_masks(images, rois):
    return FeatureTable(rois, (), {name: np.empty((len(rois), 0)) for name in images})


def neutral_masks(stack, target):
    images = {TARGET: target, INPUT: stack.source_hu, "mine": stack.source_hu}
    table, _ = choose_neutrally(images, stack, 20, take_masks)
    assert set(table.values) == {TARGET, INPUT, "mine"}
    return np.array([roi.mask for roi in table.rois])


def agree(one, other):
    """Return the Dice coefficient of masks that are compared place by place."""
    return 2 * np.sum(one & other) / (np.sum(one) + np.sum(other))


def test_noise_of_the_target_shapes_only_masks_that_are_chosen_on_it(stack):
    noise = np.random.default_rng(1).normal(0, 150, stack.target_hu.shape).astype(np.float32)
    noisy = stack.target_hu + noise
    in_range = [
        np.any([roi.mask for roi in choose_random_regions(hu, stack.padding, 400, [])], axis=0)
        for hu in (stack.target_hu, noisy)
    ]
    on_neither = [np.any(neutral_masks(stack, hu), axis=0) for hu in (stack.target_hu, noisy)]
    assert agree(*on_neither) > agree(*in_range) + 0.1


def test_the_target_and_the_input_count_alike(stack):
    swapped = Stack((), stack.target_hu, stack.source_hu, stack.padding)
    ours = neutral_masks(stack, stack.target_hu)
    theirs = neutral_masks(swapped, stack.source_hu)
    assert np.array_equal(ours, theirs)


def test_few_regions_are_noted_as_those_of_the_control(stack):
    images = {TARGET: stack.target_hu, INPUT: stack.source_hu}
    _, notes = choose_neutrally(images, stack, 10_000, take_masks)
    assert notes
    assert all(note.startswith("control: masks on neither kernel: [") for note in notes)
