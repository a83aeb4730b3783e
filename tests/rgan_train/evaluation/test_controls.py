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
from rgan_train.evaluation.regions.choice import choose_random_regions, choose_regions
from rgan_train.evaluation.regions.rois import WHOLE, Roi, whole_slices
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


def neutral_rois(stack, target):
    images = {TARGET: target, INPUT: stack.source_hu, "mine": stack.source_hu}
    table, _ = choose_neutrally(images, stack, 20, take_masks)
    assert set(table.values) == {TARGET, INPUT, "mine"}
    return table.rois


def density(rois):
    """Return which part of their boxes the regions of soft tissue fill, in the mean."""
    masks = [roi.mask for roi in rois if roi.group == "[-100, 250] HU"]
    sides = [[np.ptp(places) + 1 for places in np.nonzero(mask)] for mask in masks]
    return np.mean([mask.sum() / np.prod(side) for mask, side in zip(masks, sides, strict=True)])


def test_noise_of_the_target_makes_holes_only_in_masks_that_are_chosen_on_it(stack):
    noise = np.random.default_rng(1).normal(0, 150, stack.target_hu.shape).astype(np.float32)
    clean, noisy = stack.target_hu, stack.target_hu + noise
    on_target, on_noisy = (
        density(choose_random_regions(hu, stack.padding, 20, [])) for hu in (clean, noisy)
    )
    assert on_noisy < 0.9 * on_target
    assert density(neutral_rois(stack, noisy)) > 0.95 * density(neutral_rois(stack, clean))


def test_the_target_and_the_input_count_alike(stack):
    swapped = Stack((), stack.target_hu, stack.source_hu, stack.padding)
    ours = [roi.mask for roi in neutral_rois(stack, stack.target_hu)]
    theirs = [roi.mask for roi in neutral_rois(swapped, stack.source_hu)]
    assert np.array_equal(ours, theirs)


def test_controls_have_three_of_the_five_repeats(stack):
    images = {TARGET: stack.target_hu, INPUT: stack.source_hu}
    table, _ = choose_neutrally(images, stack, 20, take_masks)
    assert {roi.repeat for roi in table.rois} == {0, 1, 2}
    rois, _ = choose_regions(stack.target_hu, stack.padding, (), 20)
    random = randomize(stack, rois, take_masks)
    kept = [roi for roi in rois if roi.group != WHOLE and roi.repeat < 3]
    assert random.rois == kept
    assert len(kept) < len(rois)


def test_few_regions_are_noted_as_those_of_the_control(stack):
    images = {TARGET: stack.target_hu, INPUT: stack.source_hu}
    _, notes = choose_neutrally(images, stack, 10_000, take_masks)
    assert notes
    assert all(note.startswith("control: masks on neither kernel: [") for note in notes)
    assert all("instead of 6000;" in note for note in notes)
