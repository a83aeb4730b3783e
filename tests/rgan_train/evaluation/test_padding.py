"""Padding counts in no measure of an evaluation, whatever its value, declared or not."""

import numpy as np
import pytest
from support.models import write_model
from support.padding import corners, pad_files
from support.requirements import require_module
from support.training import list_pairs, write_pair_of_scans

from rgan_train.config import DataConfig
from rgan_train.evaluation.evaluate import EvaluationOptions, evaluate
from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE, psnr
from rgan_train.evaluation.regions.rois import Roi
from rgan_train.evaluation.stacks import read_test_stack
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset

SIZE = 96
PADDING = corners(SIZE)
KINDS = {
    "declared": (-2000, {"PixelPaddingValue": -2000}),
    "undeclared": (-3024, {}),
    "bright": (3500, {"PixelPaddingValue": 3500}),
    "a range": (-1900, {"PixelPaddingValue": -3000, "PixelPaddingRangeLimit": -1500}),
}


@pytest.fixture(scope="module", autouse=True)
def _pyradiomics():
    require_module("radiomics", "make eval-deps")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Evaluate a padded scan: the function takes the value, attributes and padded folders."""
    model = write_model(tmp_path_factory.mktemp("model") / "blur.onnx")
    parameters = model.parent / "few.yaml"
    parameters.write_text(
        "imageType: {Original: {}, LoG: {sigma: [2.0]}, Square: {}}\n"
        "featureClass: {firstorder: [Mean, Minimum], glcm: [Contrast]}\n"
    )

    def evaluate_padded(hu, attributes, folders="*", given=()):
        root = write_pair_of_scans(tmp_path_factory.mktemp("scans"), slices=12, size=SIZE)
        for folder in root.glob(folders):
            pad_files(folder, PADDING, hu, **attributes)
        direction = DataConfig(source_kernel="B40f", target_kernel="B70f")
        dataset = load_dataset(read_pairs(list_pairs(root)), direction, needed=("test",))
        found = evaluate(
            dataset,
            {"blur": model},
            root / "features",
            options=EvaluationOptions(parameters, regions=5),
            given=given,
        )
        return found, read_test_stack(dataset)

    return evaluate_padded


@pytest.fixture(scope="module")
def declared(run):
    return run(*KINDS["declared"])


def test_no_region_has_padding(declared):
    found, _ = declared
    assert not any((roi.mask & PADDING).any() for roi in found.table.rois)
    whole = found.table.rows("whole slice")
    assert {found.table.rois[row].pixels for row in whole} == {np.count_nonzero(~PADDING)}
    assert any(note.startswith("padding, 2") for note in found.notes)


def test_no_feature_sees_it(declared):
    found, stack = declared
    whole = found.table.rows("whole slice")
    names = list(found.table.names)
    for name, hu in (("target", stack.target_hu), ("input", stack.source_hu)):
        means = found.table.values[name][whole, names.index("original_firstorder_Mean")]
        assert means == pytest.approx([image[~PADDING].mean() for image in hu], rel=1e-4)
    # Filters see no edge at its border: of -2000 HU it would be far below all others.
    log = found.table.values["target"][whole, names.index("log-sigma-2-0-mm-3D_firstorder_Minimum")]
    assert (log > -1000).all()


def test_image_quality_is_that_of_the_image(declared):
    found, stack = declared
    expected = [
        psnr(source[~PADDING], target[~PADDING], QUALITY_RANGE)
        for source, target in zip(stack.source_hu, stack.target_hu, strict=True)
    ]
    assert found.quality["input"].psnr_db.mean == pytest.approx(np.mean(expected))


def test_all_variants_show_the_same_padding(declared):
    found, _ = declared
    for images in found.images.values():
        assert {hu[PADDING].max() for hu in images} == {-3024}


@pytest.mark.parametrize("kind", ["undeclared", "bright", "a range"])
def test_its_value_does_not_matter(run, declared, kind):
    expected, (found, _) = declared[0], run(*KINDS[kind])
    for name, values in expected.table.values.items():
        np.testing.assert_array_equal(found.table.values[name], values)
    for name, quality in expected.quality.items():
        assert found.quality[name].psnr_db == quality.psnr_db
        assert found.quality[name].ssim == quality.ssim
        assert found.quality[name].mae_hu == quality.mae_hu


def test_padding_of_one_series_counts_in_neither(run):
    found, stack = run(*KINDS["declared"], folders="1-B70f")
    assert (stack.padding == PADDING).all()
    whole = found.table.rows("whole slice")
    assert {found.table.rois[row].pixels for row in whole} == {np.count_nonzero(~PADDING)}


def test_a_given_region_loses_its_padding_with_a_remark(run):
    mask = np.zeros((SIZE, SIZE), np.bool_)
    mask[:20, :20] = True
    lost = np.count_nonzero(mask & PADDING)
    given = [Roi("tumour", 0, mask), Roi("tumour", 1, PADDING)]
    found, _ = run(*KINDS["undeclared"], given=given)
    (row,) = found.table.rows("tumour")
    assert found.table.rois[row].pixels == 400 - lost
    assert f"tumour, slice 0: {lost} pixel(s) of padding left out" in found.notes
    assert "tumour, slice 1: left out, empty" in found.notes
