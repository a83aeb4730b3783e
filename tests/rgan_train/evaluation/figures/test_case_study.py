from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from rgan_sdk.errors import OutputError
from rgan_sdk.hu import HUWindow
from rgan_train.evaluation.figures.case_study import CaseStudy, difference_limit, draw_case_study
from rgan_train.evaluation.figures.save import save_figure
from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE, psnr
from rgan_train.evaluation.regions.boxes import Box

BOX = Box(10, 20, 34, 38)


@pytest.fixture
def study():
    rng = np.random.default_rng(0)
    target = rng.normal(0, 300, (48, 64)).astype(np.float32)
    images = {
        name: target + rng.normal(0, sigma, target.shape).astype(np.float32)
        for name, sigma in (("source", 60), ("ours", 10))
    }
    padding = np.zeros(target.shape, np.bool_)
    display = HUWindow(-800, 800)
    return CaseStudy(images, ("target", target), BOX, display, padding, "Made for the test.")


def panels(figure):
    """Return the axes as drawn, row by row, and the scale of the differences."""
    grid = np.array(figure.axes).reshape(3, -1)
    (scale,) = grid[2, -1].child_axes
    return grid, scale


def test_columns_show_the_slice_and_the_region(study):
    grid, _ = panels(draw_case_study(study))
    assert [axes.get_title() for axes in grid[0]] == ["source", "ours", "target"]
    columns = [*study.images.values(), study.target[1]]
    for (whole, region), hu in zip(grid[:2].T, columns, strict=True):
        np.testing.assert_array_equal(whole.images[0].get_array(), hu)
        np.testing.assert_array_equal(region.images[0].get_array(), hu[20:38, 10:34])
        assert whole.images[0].get_clim() == region.images[0].get_clim() == (-800, 800)
        (outline,) = whole.patches
        assert outline.get_bbox().bounds == (9.5, 19.5, 24, 18)


def test_differences_share_one_scale_and_the_target_has_none(study):
    grid, scale = panels(draw_case_study(study))
    limit = difference_limit(study)
    for axes, hu in zip(grid[2], study.images.values(), strict=False):
        error = (hu - study.target[1])[BOX.part]
        np.testing.assert_array_equal(axes.images[0].get_array(), error)
        assert axes.images[0].get_clim() == (-limit, limit)
    assert not grid[2, -1].images
    assert scale.get_ylabel() == "HU"
    assert scale.get_ylim() == (-limit, limit)


def test_psnr_stands_below_each_column(study):
    grid, _ = panels(draw_case_study(study))
    for axes, hu in zip(grid[2], study.images.values(), strict=False):
        whole = psnr(hu, study.target[1], QUALITY_RANGE)
        region = psnr(hu[BOX.part], study.target[1][BOX.part], QUALITY_RANGE)
        assert axes.get_xlabel() == f"PSNR {whole:.2f} dB\nin the region {region:.2f} dB"
    assert grid[2, -1].get_xlabel() == ""


def test_the_ranges_and_the_caption_are_written(study):
    text = draw_case_study(study).get_supxlabel().replace("\n", " ")
    assert text == "Display −800 to 800 HU. PSNR over −1024 to 1000 HU. Made for the test."


@pytest.mark.parametrize(
    ("error", "limit"), [(0, 1), (1, 1), (3, 5), (7, 10), (99, 100), (150, 200), (1500, 2000)]
)
def test_the_scale_ends_at_a_round_number(study, error, limit):
    images = {"source": study.target[1] + np.float32(error)}
    assert difference_limit(replace(study, images=images)) == pytest.approx(limit)


def test_an_image_equal_to_the_target(study):
    figure = draw_case_study(replace(study, images={"same": study.target[1]}))
    assert panels(figure)[0][2, 0].get_xlabel() == "PSNR inf dB\nin the region inf dB"


def test_what_is_written_is_not_blank_and_nothing_is_cut_off(study, tmp_path):
    path = tmp_path / "figure.png"
    # matplotlib would take this name for broken mathematics; it also needs two lines.
    images = {"$broken [$ and longer than a column": study.images["source"]}
    figure = draw_case_study(replace(study, images=images))
    save_figure(figure, path)
    pixels = np.asarray(Image.open(path).convert("L"))
    assert pixels.shape == tuple(round(inches * 200) for inches in figure.get_size_inches()[::-1])
    for axes in panels(figure)[0].ravel()[:-1]:
        left, top, right, bottom = axes.get_window_extent().extents * 200 / figure.dpi
        panel = pixels[
            round(len(pixels) - bottom) : round(len(pixels) - top), round(left) : round(right)
        ]
        assert panel.std() > 10
    assert (pixels[[0, -1]] == 255).all()
    assert (pixels[:, [0, -1]] == 255).all()


@pytest.mark.parametrize("box", [Box(0, 0, 2, 48), Box(0, 0, 64, 2)])
def test_a_long_region_makes_no_giant_figure(study, box):
    width, height = draw_case_study(replace(study, box=box)).get_size_inches()
    assert 0.4 < width / height < 2.5


@pytest.mark.parametrize(
    ("name", "reason"),
    [("figure.doc", "name the file .png"), ("no/folder.png", "cannot be written")],
)
def test_a_figure_that_cannot_be_written(study, tmp_path, name, reason):
    with pytest.raises(OutputError, match=reason):
        save_figure(draw_case_study(study), tmp_path / name)
