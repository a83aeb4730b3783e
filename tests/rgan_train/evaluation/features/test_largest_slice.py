"""Features of the slice where a structure is largest are those of an evaluation."""

import numpy as np
import pytest
from support.requirements import require_module

from rgan_sdk.errors import MeasurementError
from rgan_train.evaluation.features.extractor import FeatureExtractor
from rgan_train.evaluation.features.largest_slice import LargestSliceExtractor

require_module("radiomics", "make eval-deps")

SPACING = (5.0, 0.7, 0.8)


@pytest.fixture
def parameters(tmp_path):
    path = tmp_path / "few.yaml"
    path.write_text(
        "imageType: {Original: {}, Gradient: {}}\n"
        "featureClass: {firstorder: [Mean], glcm: [Contrast]}\n"
    )
    return path


@pytest.fixture
def hu():
    return np.random.default_rng(0).normal(0, 100, (3, 24, 32)).astype(np.float32)


def test_values_and_hash_are_those_of_an_evaluation(parameters, hu):
    mask = np.zeros(hu.shape, np.bool_)
    mask[0, 4:8, 4:8] = mask[1, 4:14, 4:12] = mask[2, 4:8, 4:9] = True
    extractor, evaluation = LargestSliceExtractor(parameters), FeatureExtractor(parameters)
    (found,) = extractor.extract(hu, SPACING, [mask])
    (expected,) = evaluation.extract(hu[1], SPACING[1:], [mask[1]])
    assert list(found) == list(evaluation.names)
    assert np.array_equal(list(found.values()), expected)
    assert extractor.sha256 == evaluation.sha256


def test_a_structure_without_texture_is_refused_and_others_are_not(parameters, hu):
    point, square = np.zeros((2, *hu.shape), np.bool_)
    point[1, 5, 5] = square[2, 4:9, 4:9] = True
    refused, found, empty = LargestSliceExtractor(parameters).extract(
        hu, SPACING, [point, square, ~point & point]
    )
    assert isinstance(refused, MeasurementError)
    assert "its largest part on a slice is 1 pixel" in str(refused)
    assert np.isfinite(list(found.values())).all()
    assert "is empty" in str(empty)
