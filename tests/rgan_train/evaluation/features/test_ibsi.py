"""Features of the digital phantom of the Image Biomarker Standardisation Initiative (IBSI).

The reference values are those for "dig. phantom" in the table that follows each feature's
definition in chapter 3 of the reference manual (Zwanenburg, Leger, Vallières, Löck; arXiv
1612.07003; the study itself: Zwanenburg et al., Radiology 295:328, 2020). They have three
significant digits and no tolerance, so our values must agree when rounded to three digits.

3-D values are computed by pyradiomics alone from the whole phantom; textures with a matrix for each
direction are "3D, averaged" in the manual. 2-D values are computed by ``FeatureExtractor`` from
each slice; the mean of the four slices is "2D" or "2D, averaged" in the manual. There are no
filters, and bins are 1 wide, which keeps the phantom's grey levels 1, 3, 4 and 6.
"""

import numpy as np
import pytest
from support.requirements import require_data

from rgan_train.evaluation.features.extractor import FeatureExtractor

pytest.importorskip("radiomics", reason="radiomics is not installed; `make eval-deps` installs it")

import SimpleITK
from radiomics.featureextractor import RadiomicsFeatureExtractor

# Name of pyradiomics: value in 3-D. Entropy and Uniformity are IBSI's of the intensity histogram.
FIRST_ORDER = {
    "10Percentile": 1,
    "90Percentile": 4,
    "Energy": 567,
    "Entropy": 1.27,
    "InterquartileRange": 3,
    "Maximum": 6,
    "MeanAbsoluteDeviation": 1.55,
    "Mean": 2.15,
    "Median": 1,
    "Minimum": 1,
    "Range": 5,
    "RobustMeanAbsoluteDeviation": 1.11,
    "RootMeanSquared": 2.77,
    "Skewness": 1.08,
    "Uniformity": 0.512,
    "Variance": 3.05,
}
EXCESS_KURTOSIS = -0.355

# Class: name of pyradiomics: value in 2-D, value in 3-D.
TEXTURE = {
    "glcm": {
        "Autocorrelation": (5.09, 5.06),
        "ClusterProminence": (79.1, 145),
        "ClusterShade": (7, 16.6),
        "ClusterTendency": (5.47, 7.07),
        "Contrast": (5.28, 5.32),
        "Correlation": (-0.0121, 0.157),
        "DifferenceAverage": (1.42, 1.43),
        "DifferenceEntropy": (1.4, 1.56),
        "DifferenceVariance": (2.9, 3.06),
        "Id": (0.678, 0.677),
        "Idm": (0.619, 0.618),
        "Idmn": (0.899, 0.898),
        "Idn": (0.851, 0.851),
        "Imc1": (-0.155, -0.157),
        "Imc2": (0.487, 0.52),
        "InverseVariance": (0.0567, 0.0604),
        "JointAverage": (2.14, 2.14),
        "JointEnergy": (0.368, 0.303),
        "JointEntropy": (2.05, 2.4),
        "MaximumProbability": (0.519, 0.503),
        "SumAverage": (4.28, 4.29),
        "SumEntropy": (1.6, 1.92),
        "SumSquares": (2.69, 3.1),  # IBSI: joint variance
    },
    "glrlm": {
        "GrayLevelNonUniformity": (5.2, 21.8),
        "GrayLevelNonUniformityNormalized": (0.46, 0.43),
        "GrayLevelVariance": (3.35, 3.46),
        "HighGrayLevelRunEmphasis": (9.82, 9.7),
        "LongRunEmphasis": (3.78, 3.06),
        "LongRunHighGrayLevelEmphasis": (17.4, 17.6),
        "LongRunLowGrayLevelEmphasis": (3.14, 2.39),
        "LowGrayLevelRunEmphasis": (0.604, 0.603),
        "RunEntropy": (2.17, 2.43),
        "RunLengthNonUniformity": (6.12, 26.9),
        "RunLengthNonUniformityNormalized": (0.492, 0.513),
        "RunPercentage": (0.627, 0.68),
        "RunVariance": (0.761, 0.574),
        "ShortRunEmphasis": (0.641, 0.705),
        "ShortRunHighGrayLevelEmphasis": (8.57, 8.54),
        "ShortRunLowGrayLevelEmphasis": (0.294, 0.352),
    },
    "glszm": {
        "GrayLevelNonUniformity": (1.41, 1.4),
        "GrayLevelNonUniformityNormalized": (0.323, 0.28),
        "GrayLevelVariance": (3.97, 2.64),
        "HighGrayLevelZoneEmphasis": (16.4, 15.6),
        "LargeAreaEmphasis": (43.9, 550),
        "LargeAreaHighGrayLevelEmphasis": (113, 1490),
        "LargeAreaLowGrayLevelEmphasis": (40.4, 503),
        "LowGrayLevelZoneEmphasis": (0.371, 0.253),
        "SizeZoneNonUniformity": (1.49, 1),
        "SizeZoneNonUniformityNormalized": (0.333, 0.2),
        "SmallAreaEmphasis": (0.363, 0.255),
        "SmallAreaHighGrayLevelEmphasis": (10.3, 2.76),
        "SmallAreaLowGrayLevelEmphasis": (0.0259, 0.0256),
        "ZoneEntropy": (1.93, 2.32),
        "ZonePercentage": (0.24, 0.0676),
        "ZoneVariance": (21, 331),
    },
    # IBSI: neighbouring grey level dependence matrix (NGLDM), coarseness 0.
    "gldm": {
        "DependenceEntropy": (2.71, 4.4),
        "DependenceNonUniformity": (3.96, 4.86),
        "DependenceNonUniformityNormalized": (0.212, 0.0657),
        "DependenceVariance": (2.73, 22.1),
        "GrayLevelNonUniformity": (10.2, 37.9),
        "GrayLevelVariance": (2.7, 3.05),
        "HighGrayLevelEmphasis": (7.49, 7.66),
        "LargeDependenceEmphasis": (19.2, 109),
        "LargeDependenceHighGrayLevelEmphasis": (49.5, 235),
        "LargeDependenceLowGrayLevelEmphasis": (17.6, 102),
        "LowGrayLevelEmphasis": (0.702, 0.693),
        "SmallDependenceEmphasis": (0.158, 0.045),
        "SmallDependenceHighGrayLevelEmphasis": (3.06, 0.736),
        "SmallDependenceLowGrayLevelEmphasis": (0.0473, 0.00963),
    },
    "ngtdm": {
        "Busyness": (2.99, 6.54),
        "Coarseness": (0.121, 0.0296),
        "Complexity": (10.4, 13.5),
        "Contrast": (0.925, 0.584),
        "Strength": (2.88, 0.763),
    },
}
FEATURES = [(kind, name) for kind, features in TEXTURE.items() for name in features]


@pytest.fixture(scope="module")
def phantom():
    """Image and mask."""
    folder = require_data("ibsi_1_digital_phantom") / "nifti"
    return [
        SimpleITK.ReadImage(str(folder / name))
        for name in ("image/phantom.nii.gz", "mask/mask.nii.gz")
    ]


@pytest.fixture(scope="module")
def in_3d(phantom):
    extractor = RadiomicsFeatureExtractor(binWidth=1, additionalInfo=False)
    return {name: float(value) for name, value in extractor.execute(*phantom).items()}


@pytest.fixture(scope="module")
def in_2d(phantom, tmp_path_factory):
    """The mean over the slices."""
    path = tmp_path_factory.mktemp("ibsi") / "parameters.yaml"
    path.write_text("imageType: {Original: {}}\nsetting: {binWidth: 1}\n")
    extractor = FeatureExtractor(path)
    image, mask = (SimpleITK.GetArrayFromImage(one) for one in phantom)
    values = [
        extractor.extract(hu, (2, 2), [inside])[0]
        for hu, inside in zip(image.astype(np.float32), mask > 0, strict=True)
    ]
    return dict(zip(extractor.names, np.mean(values, axis=0), strict=True))


def round_to_three_digits(value):
    return float(f"{value:.3g}")


def test_the_phantom(phantom):
    image, mask = (SimpleITK.GetArrayFromImage(one) for one in phantom)
    assert image.shape == mask.shape == (4, 4, 5)
    assert phantom[0].GetSpacing() == (2, 2, 2)
    levels, counts = np.unique(image[mask > 0], return_counts=True)
    assert dict(zip(levels, counts, strict=True)) == {1: 50, 3: 1, 4: 16, 6: 7}


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_first_order(in_3d, name):
    assert round_to_three_digits(in_3d[f"original_firstorder_{name}"]) == FIRST_ORDER[name]


def test_kurtosis_is_not_excess_kurtosis(in_3d):
    assert round_to_three_digits(in_3d["original_firstorder_Kurtosis"] - 3) == EXCESS_KURTOSIS


def test_total_energy_is_energy_times_the_voxels_volume(in_3d):
    """IBSI has no such feature."""
    assert in_3d["original_firstorder_TotalEnergy"] == 567 * 2**3


@pytest.mark.parametrize(("kind", "name"), FEATURES)
def test_texture_in_3d(in_3d, kind, name):
    assert round_to_three_digits(in_3d[f"original_{kind}_{name}"]) == TEXTURE[kind][name][1]


@pytest.mark.parametrize(("kind", "name"), FEATURES)
def test_texture_in_2d(in_2d, kind, name):
    assert round_to_three_digits(in_2d[f"original_{kind}_{name}"]) == TEXTURE[kind][name][0]


def test_all_features_have_been_compared(in_2d):
    """All but two, which IBSI does not have."""
    compared = [f"{kind}_{name}" for kind, name in FEATURES]
    compared += [f"firstorder_{name}" for name in (*FIRST_ORDER, "Kurtosis")]
    without = {name.removeprefix("original_") for name in in_2d} - set(compared)
    assert without == {"firstorder_TotalEnergy", "glcm_MCC"}
