"""The IBSI statement names what differs, and only of what was used."""

import pytest
from support.requirements import require_module
from support.writeups import FEATURES

from rgan_train.evaluation.features.extractor import FeatureExtractor
from rgan_train.evaluation.writeup.document import texts
from rgan_train.evaluation.writeup.ibsi import OTHER_FEATURES, OTHER_NAMES, ibsi_statement


def statement(**changes):
    return "\n".join(
        text for block in ibsi_statement({**FEATURES, **changes}) for text in texts(block)
    )


def test_features_with_another_definition():
    text = statement()
    assert "computed on each image: 6. Of these, 3 follow" in text
    assert "3 is not subtracted" in text
    assert "(MCC) of the GLCM is not defined" in text
    assert "NGLDM" in text


def test_only_what_was_used():
    text = statement(features={"ngtdm": ["Busyness"]}, filters={"Original": {}})
    assert "computed on each image: 1. Of these, 1 follow" in text
    for absent in ("Kurtosis", "MCC", "NGLDM", "Laplacian", "square", "Whybra"):
        assert absent not in text


def test_filters():
    text = statement()
    assert "(Laplacian of Gaussian and wavelet) were not compared" in text
    assert "scaled by sigma squared" in text
    assert "does not define: square." in text


@pytest.mark.parametrize(
    ("settings", "bins", "resampled"),
    [
        ({"binWidth": 25}, True, False),
        ({"binWidth": 25, "binCount": 32}, False, False),
        ({"binWidth": 25, "resampledPixelSpacing": [1, 1]}, True, True),
    ],
)
def test_processing(settings, bins, resampled):
    text = statement(settings=settings)
    assert ("multiples of the width" in text) is bins
    assert ("Resampling differs" in text) is resampled


def test_another_version_is_not_vouched_for():
    mark = "[state: how pyradiomics 3.1.0 agrees with IBSI's reference values]."
    assert statement(pyradiomics="3.1.0") == f"IBSI statement\n{mark}"


def test_the_names_are_those_of_pyradiomics():
    require_module("radiomics", "make eval-deps")
    features = FeatureExtractor().description["features"]
    known = {f"{kind}_{name}" for kind, names in features.items() for name in names}
    assert {*OTHER_FEATURES, *OTHER_NAMES} <= known
    assert "on each image: 93. Of these, 90 follow" in statement(features=features)
