"""Features of many regions at once, compared with plain pyradiomics for each region."""

import json
import sys
from importlib import metadata

import numpy as np
import pytest

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.features.extractor import (
    ABSENT_BANDS,
    FeatureExtractor,
    region_problem,
)
from rgan_train.evaluation.features.pyradiomics import DEFAULT_FILTERS

pytest.importorskip("radiomics", reason="radiomics is not installed; `make eval-deps` installs it")

import SimpleITK
from radiomics.featureextractor import RadiomicsFeatureExtractor

SPACING = (0.7, 0.9)
ORIGINAL = "imageType: {Original: {}}\n"
FEW = "imageType: {Original: {}, LoG: {sigma: [1.0]}, Wavelet: {}}\n"

# Zero except for rounding in regions of a few pixels; MCC is the root of such a value.
ROUNDING = {"glcm_ClusterShade": 1e-10, "firstorder_Skewness": 1e-12, "glcm_MCC": 1e-8}


# Warnings of pyradiomics and scikit-image on regions without neighbours, and on HU.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:Applying `local_binary_pattern`:UserWarning"),
]


@pytest.fixture(scope="module")
def default():
    return FeatureExtractor()


@pytest.fixture
def parameters(tmp_path):
    """Write a parameter file."""

    def write(text):
        path = tmp_path / "parameters.yaml"
        path.write_text(text)
        return path

    return write


def smooth(noise, width):
    """Blur noise, and give it a standard deviation of 1."""
    frequency = np.hypot(
        np.fft.fftfreq(noise.shape[0])[:, np.newaxis], np.fft.fftfreq(noise.shape[1])
    )
    blurred = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-((frequency * width * 4) ** 2))).real
    return blurred / blurred.std()


def draw_image(seed, shape=(64, 64)):
    """Tissue with noise; both are about 20 times stronger on the right than on the left."""
    rng = np.random.default_rng(seed)
    texture = 90 * smooth(rng.normal(size=shape), 3) + rng.normal(0, 30, shape)
    return (texture * np.geomspace(0.2, 4, shape[1]) - 150).astype(np.float32)


def draw_masks(seed, shape=(64, 64), count=4):
    """Irregular regions with holes and several parts; they touch the border and overlap."""
    rng = np.random.default_rng(1000 + seed)
    masks = []
    while len(masks) < count:
        first, last = sorted(rng.integers(0, shape[1] + 1, 2))
        mask = smooth(rng.normal(size=shape), 4) > 0.3
        mask[:, :first] = mask[:, last:] = False
        if mask.sum() >= 100:
            masks.append(mask)
    return masks


def plain(hu, masks, names, parameters=None):
    """Compute features by pyradiomics alone; NaN if it has no feature of this name."""
    if parameters:
        extractor = RadiomicsFeatureExtractor(str(parameters), additionalInfo=False)
    else:
        extractor = RadiomicsFeatureExtractor(additionalInfo=False)
        extractor.enableImageTypes(**DEFAULT_FILTERS)
    rows = []
    for mask in masks:
        with np.errstate(all="ignore"):
            values = extractor.execute(as_image(hu), as_image(mask.astype(np.uint8)))
        rows.append([float(values.get(name, np.nan)) for name in names])
    return np.array(rows)


def as_image(array):
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(SPACING[::-1])
    return image


def assert_equal(values, expected, names, rounding=None):
    """Compare within 1e-9 relative; ``rounding`` has absolute tolerances by feature."""
    absolute = [(rounding or {}).get(name.split("_", 1)[1], 0) for name in names]
    same = np.isclose(values, expected, rtol=1e-9, atol=absolute, equal_nan=True)
    wrong = [
        f"region {region}, {names[column]}: {values[region, column]}, "
        f"pyradiomics {expected[region, column]}"
        for region, column in np.argwhere(~same)
    ]
    assert not wrong, "\n".join(wrong[:20])


def check(extractor, hu, masks, parameters=None, rounding=None):
    values = extractor.extract(hu, SPACING, masks)
    expected = plain(hu, masks, extractor.names, parameters)
    assert np.isfinite(expected).any()
    assert_equal(values, expected, extractor.names, rounding)
    return values


@pytest.mark.parametrize(("seed", "shape"), [(0, (64, 64)), (1, (63, 50)), (2, (51, 71))])
def test_all_default_features(default, seed, shape):
    values = check(default, draw_image(seed, shape), draw_masks(seed, shape))
    assert np.isfinite(values).all()


@pytest.mark.parametrize("seed", range(10, 18))
def test_many_seeds(parameters, seed):
    path = parameters(FEW)
    check(FeatureExtractor(path), draw_image(seed), draw_masks(seed), path)


def test_regions_with_few_and_many_grey_levels(parameters):
    path = parameters(FEW)
    hu = draw_image(20)
    masks = [box((8, 56), (column, column + 4)) for column in range(0, 64, 4)]
    levels = [np.ptp(hu[mask]) / 25 for mask in masks]
    assert min(levels) < 5 < 50 < max(levels)
    check(FeatureExtractor(path), hu, masks, path)


def pixels(*places):
    mask = np.zeros((64, 64), bool)
    mask[tuple(np.transpose(places))] = True
    return mask


def box(rows, columns):
    mask = np.zeros((64, 64), bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


SPECIAL = {
    "one value": box((5, 15), (5, 15)),
    "several values, one grey level": box((20, 30), (5, 15)),
    "two grey levels": box((35, 45), (5, 15)),
    "a diagonal line": pixels(*[(n, n) for n in range(20, 50)]),
    "the other diagonal": pixels(*[(n, 60 - n) for n in range(20, 50)]),
    "a line of ones and a half": pixels(*[(n // 2, n) for n in range(20, 50)]),
    "two rows": box((40, 42), (20, 60)),
    "two columns": box((20, 60), (40, 42)),
    "four pixels": box((30, 32), (40, 42)),
    "a corner": pixels((30, 40), (30, 41), (31, 40)),
    "pixels that do not touch": pixels((3, 40), (10, 60), (20, 50)),
    "a chess board": pixels(*[(y, x) for y in range(20, 40) for x in range(y % 2 + 30, 60, 2)]),
    "the image's border": ~box((1, 63), (1, 63)),
    "two corners of the image": box((0, 5), (0, 6)) | box((60, 64), (59, 64)),
}


@pytest.fixture(scope="module")
def special_image():
    hu = draw_image(7)
    hu[5:15, 5:15] = 60
    hu[20:30, 5:15] = np.linspace(1, 24, 100).reshape(10, 10)
    hu[35:45, 5:15] = np.where(hu[35:45, 5:15] > hu[35:45, 5:15].mean(), 30, 10)
    return hu


def test_special_regions(special_image, parameters):
    path = parameters(FEW)
    check(FeatureExtractor(path), special_image, list(SPECIAL.values()), path, ROUNDING)


@pytest.mark.parametrize("name", SPECIAL)
def test_a_special_region_alone(special_image, parameters, name):
    path = parameters(ORIGINAL)
    check(FeatureExtractor(path), special_image, [SPECIAL[name]], path, ROUNDING)


def test_a_flat_slice(parameters):
    path = parameters(ORIGINAL)
    hu = np.full((32, 32), -1000, np.float32)
    check(FeatureExtractor(path), hu, [box((4, 12), (4, 12))[:32, :32]], path)


@pytest.mark.parametrize(
    "text",
    [
        "imageType: {Original: {}, Wavelet: {}}\nsetting: {binCount: 16}\n",
        "imageType: {Original: {}, Gradient: {gradientUseSpacing: false}, Exponential: {}}\n",
        "imageType: {LoG: {sigma: [2.5], binWidth: 5}, Square: {binCount: 8}}\n",
        "imageType: {Wavelet: {level: 2, start_level: 1, wavelet: db2}}\n",
        "setting: {normalize: true, normalizeScale: 100, removeOutliers: 2}\n",
        "setting: {symmetricalGLCM: false, gldm_a: 2, voxelArrayShift: 1000}\n",
        "setting: {distances: [2]}\n",
        "featureClass: {firstorder: [StandardDeviation, Mean], glcm: , ngtdm: [Busyness]}\n",
        "featureClass: {glszm: , shape2D: }\n",
    ],
)
def test_parameter_files(parameters, text):
    path = parameters(text)
    check(FeatureExtractor(path), draw_image(22), draw_masks(22), path)


def test_a_slice_has_no_axis_to_leave_out(parameters):
    force = "setting: {force2D: true, force2Ddimension: 1}\n"
    extractor = FeatureExtractor(parameters(FEW + force))
    check(extractor, draw_image(23), draw_masks(23), parameters(FEW))


def test_local_binary_patterns(parameters):
    pytest.importorskip("skimage", reason="scikit-image is not installed; it is in group test")
    path = parameters("imageType: {LBP2D: {binWidth: 1}}\n")
    extractor = FeatureExtractor(path)
    assert extractor.names[0] == "lbp-2D_firstorder_10Percentile"
    check(extractor, draw_image(12), draw_masks(12), path)


@pytest.mark.parametrize(
    "settings",
    [
        "{resegmentRange: [-400, 200]}",
        "{resegmentRange: [-2, 2], resegmentMode: sigma}",
        "{resampledPixelSpacing: [1.5, 1.5], interpolator: sitkLinear}",
        "{preCrop: true, padDistance: 8}",
        "{weightingNorm: euclidean}",
    ],
)
def test_settings_that_change_image_or_mask_of_each_region(parameters, settings):
    path = parameters(f"{FEW}setting: {settings}\n")
    check(FeatureExtractor(path), draw_image(24), draw_masks(24), path)


def test_a_slice_less_one_pixel(default):
    mask = np.ones((64, 64), bool)
    mask[-1, -1] = False
    check(default, draw_image(14), [mask])


def test_a_whole_slice(parameters):
    """Plain pyradiomics refuses a mask without background, so it gets one more row."""
    path = parameters(ORIGINAL)
    extractor = FeatureExtractor(path)
    hu = draw_image(15, (40, 40))
    mask = np.ones(hu.shape, bool)
    larger, outside = np.pad(hu, ((0, 1), (0, 0))), np.pad(mask, ((0, 1), (0, 0)))
    expected = plain(larger, [outside], extractor.names, path)
    assert_equal(extractor.extract(hu, SPACING, [mask]), expected, extractor.names)


def test_a_region_does_not_depend_on_the_others(default):
    hu, masks = draw_image(16), draw_masks(16, count=8)
    together = default.extract(hu, SPACING, masks)
    alone = np.concatenate([default.extract(hu, SPACING, [mask]) for mask in masks])
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    backwards = default.extract(hu, SPACING, masks[::-1])[::-1]
    np.testing.assert_allclose(together, backwards, rtol=1e-12)


def test_the_image_around_a_region_counts_in_filters_only(default):
    hu, (mask, *_) = draw_image(17), draw_masks(17)
    other = np.where(mask, hu, hu + 500).astype(np.float32)
    before, after = (default.extract(image, SPACING, [mask])[0] for image in (hu, other))
    original = np.array([name.startswith("original_") for name in default.names])
    np.testing.assert_array_equal(before[original], after[original])
    assert (before[~original] != after[~original]).mean() > 0.9


def test_no_regions(default):
    assert default.extract(draw_image(18), SPACING, []).shape == (0, 1395)


def test_a_filter_that_does_not_apply_leaves_nan(default):
    hu = draw_image(19, (20, 20))
    mask = np.zeros((20, 20), bool)
    mask[4:16, 4:16] = True
    values = default.extract(hu, (0.25, 0.25), [mask])[0]  # 5 and 6 mm are longer than the slice
    too_wide = ("log-sigma-5-0-mm-3D_", "log-sigma-6-0-mm-3D_")
    expected = [name.startswith(too_wide) for name in default.names]
    np.testing.assert_array_equal(np.isnan(values), expected)


def test_filters_that_divide_by_the_slice_leave_nan_on_zeros(default):
    values = default.extract(np.zeros((64, 64), np.float32), SPACING, [box((4, 12), (4, 12))])[0]
    expected = [name.startswith(("square_", "logarithm_")) for name in default.names]
    np.testing.assert_array_equal(np.isnan(values), expected)


def test_names(default):
    filters = [
        "original",
        *[f"log-sigma-{sigma}-0-mm-3D" for sigma in range(1, 7)],
        *[f"wavelet-{band}" for band in ("LH", "HL", "HH", "LL")],
        "square",
        "squareroot",
        "logarithm",
        "gradient",
    ]
    counts = {"firstorder": 18, "glcm": 24, "glrlm": 16, "glszm": 16, "gldm": 14, "ngtdm": 5}
    expected = [
        f"{image}_{name}"
        for image in filters
        for name, count in counts.items()
        for _ in range(count)
    ]
    assert [name.rsplit("_", 1)[0] for name in default.names] == expected
    assert len(set(default.names)) == len(default.names) == 1395


def test_columns_are_in_the_order_of_names(default):
    hu, (mask, *_) = draw_image(20), draw_masks(20)
    values = dict(zip(default.names, default.extract(hu, SPACING, [mask])[0], strict=True))
    assert values["original_firstorder_Maximum"] == hu[mask].max()
    assert values["original_firstorder_Mean"] == pytest.approx(hu[mask].mean(dtype=float))
    area = SPACING[0] * SPACING[1]
    energy = values["original_firstorder_Energy"]
    assert values["original_firstorder_TotalEnergy"] == pytest.approx(energy * area)


def test_shape_is_listed_and_not_counted(default, parameters):
    path = parameters(ORIGINAL + "featureClass: {shape2D: []}\n")
    extractor = RadiomicsFeatureExtractor(str(path), additionalInfo=False)
    (mask, *_) = draw_masks(21)
    found = extractor.execute(as_image(draw_image(21)), as_image(mask.astype(np.uint8)))
    assert set(default.shape_names) == set(found)
    assert not set(default.shape_names) & set(default.names)


def test_a_feature_set_has_a_hash(default, parameters):
    other = FeatureExtractor(parameters(ORIGINAL + "setting: {binWidth: 10}\n"))
    again = FeatureExtractor(parameters(ORIGINAL + "setting: {binWidth: 10}\n"))
    assert FeatureExtractor().sha256 == default.sha256 != other.sha256 == again.sha256
    description = json.loads(json.dumps(other.description))
    assert description["filters"] == {"Original": {}}
    assert description["settings"]["binWidth"] == 10
    assert len(description["features"]["glcm"]) == 24


@pytest.mark.parametrize(
    ("mask", "problem"),
    [
        (np.zeros((9, 9), bool), "empty"),
        (np.eye(9, dtype=bool) & (np.arange(9) == 4), "1 pixel"),
        (np.arange(81).reshape(9, 9) // 9 == 4, "9 pixel"),
        (np.arange(81).reshape(9, 9) % 9 == 4, "9 pixel"),
    ],
)
def test_regions_without_texture(default, mask, problem):
    assert problem in region_problem(mask)
    with pytest.raises(ConfigurationError, match=problem):
        default.extract(np.zeros((9, 9), np.float32), SPACING, [np.ones((9, 9), bool), mask])


def test_regions_with_texture():
    assert region_problem(np.eye(2, dtype=bool)) is None


def test_a_mask_of_another_shape(default):
    with pytest.raises(ConfigurationError, match=r"a mask of \(64, 63\) for a slice of \(64, 64\)"):
        default.extract(draw_image(0), SPACING, [np.ones((64, 63), bool)])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_hu_that_are_not_finite(default, value):
    hu = draw_image(0)
    hu[3, 4] = value
    with pytest.raises(ConfigurationError, match="NaN or infinite"):
        default.extract(hu, SPACING, draw_masks(0))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2]",
        "imageType: {Sharp: {}}",
        "setting: {binWidth: -5}",
        "featureClass: {glcm: [X]}",
    ],
)
def test_files_that_are_no_parameter_file(parameters, text):
    path = parameters(text)
    with pytest.raises(ConfigurationError, match="parameter file of pyradiomics") as refused:
        FeatureExtractor(path)
    assert str(refused.value).startswith(f"{path}: ")


def test_a_parameter_file_that_does_not_exist(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml: .*parameter file"):
        FeatureExtractor(tmp_path / "nowhere.yaml")


def test_shape_alone_is_refused(parameters):
    with pytest.raises(ConfigurationError, match=r"parameters\.yaml: names no feature class"):
        FeatureExtractor(parameters("featureClass: {shape2D: []}\n"))


def test_without_pyradiomics(monkeypatch):
    for name in ("radiomics", "radiomics.featureextractor"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError, match="make eval-deps"):
        FeatureExtractor()


# In one direction of this region the second eigenvalue is 0, by rounding a little less.
UNRELATED = [
    [1, 1, 1, 0],
    [1, 1, 0, 1],
    [1, 0, 1, 1],
    [1, 0, 1, 1],
    [0, 1, 1, 1],
]


def test_an_eigenvalue_of_zero(parameters):
    path = parameters(ORIGINAL + "featureClass: {glcm: [MCC]}\n")
    hu = np.zeros((40, 40), np.float32)
    hu[7:12, 3:7] = 25 * np.array(UNRELATED)
    mask = np.zeros(hu.shape, bool)
    mask[7:12, 3:7] = True
    values = FeatureExtractor(path).extract(hu, SPACING, [mask])
    np.testing.assert_allclose(values, 0.3304924, atol=1e-6)  # as pyradiomics has it


def test_small_regions_have_fewer_directions_at_longer_distances(parameters):
    path = parameters("setting: {distances: [1, 2, 3]}\n")
    masks = [*draw_masks(25), box((8, 10), (8, 40)), box((8, 40), (8, 11)), box((8, 10), (8, 10))]
    check(FeatureExtractor(path), draw_image(25), masks, path, ROUNDING)


def test_features_that_pyradiomics_has_given_up(parameters):
    path = parameters(
        "featureClass: {glcm: [Dissimilarity, Contrast], gldm: [DependencePercentage]}\n"
    )
    values = check(FeatureExtractor(path), draw_image(26), draw_masks(26), path)
    np.testing.assert_array_equal(np.isfinite(values[0]), [False, True, False])


def test_a_mask_has_one_label(parameters, special_image):
    """The label in the file is about other masks."""
    extractor = FeatureExtractor(parameters(ORIGINAL + "setting: {label: 2}\n"))
    masks = [SPECIAL["one value"], SPECIAL["two rows"]]
    check(extractor, special_image, masks, parameters(ORIGINAL), ROUNDING)


def test_a_filter_has_a_weighting_of_its_own(parameters):
    path = parameters("imageType: {Original: {weightingNorm: euclidean}, Gradient: {}}\n")
    check(FeatureExtractor(path), draw_image(27), draw_masks(27), path)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("{resampledPixelSpacing: [1, 1, 1]}", "2-D required"),
        ("{resegmentRange: [5000, 6000]}", "excluded too many voxels"),
    ],
)
def test_settings_that_fit_no_region(parameters, settings, reason):
    extractor = FeatureExtractor(parameters(f"setting: {settings}\n"))
    with pytest.raises(ConfigurationError, match=reason):
        extractor.extract(draw_image(28), SPACING, draw_masks(28))


def test_a_whole_slice_computed_one_by_one(parameters):
    """Pyradiomics accepts no mask without background, so one pixel in the corner is left out."""
    extractor = FeatureExtractor(parameters("setting: {weightingNorm: euclidean}\n"))
    whole = np.ones((64, 64), bool)
    less = whole.copy()
    less[0, 0] = False
    found = [extractor.extract(draw_image(29), SPACING, [mask]) for mask in (whole, less)]
    assert np.isfinite(found[0]).any()
    assert np.array_equal(*found, equal_nan=True)


def test_wavelet_bands_that_a_single_slice_does_not_have():
    from radiomics.imageoperations import getWaveletImage

    hu = draw_image(30)
    image = SimpleITK.GetImageFromArray(hu[np.newaxis])
    largest = {
        name: np.abs(SimpleITK.GetArrayViewFromImage(band)).max()
        for band, name, _ in getWaveletImage(image, None)
    }
    absent = {name for name, value in largest.items() if value < 1e-5 * np.abs(hu).max()}
    assert absent == set(ABSENT_BANDS)
    assert len(largest) == 8


@pytest.mark.parametrize("version", ["v3.1.0", "3.1.1", "3.0.1.post15+ga1b", "2.2.0", "0+unknown"])
@pytest.mark.parametrize("where", ["module", "distribution"])
def test_another_version_of_pyradiomics_is_refused_by_name(monkeypatch, version, where):
    if where == "module":
        monkeypatch.setattr("radiomics.__version__", version)
    else:
        monkeypatch.setattr(metadata, "version", lambda name: version)
    with pytest.raises(ConfigurationError) as refused:
        FeatureExtractor()
    assert str(refused.value).startswith(f"pyradiomics {version.removeprefix('v')} is installed")
    assert "pyradiomics==3.0.1" in str(refused.value)
