"""Features of whole structures, against the engines' own call for one structure."""

import numpy as np
import pytest

from rgan_sdk.errors import ConfigurationError, MeasurementError
from rgan_train.evaluation.features.volumes import VolumeExtractor

pytest.importorskip("radiomics", reason="radiomics is not installed; `make eval-deps` installs it")
pytest.importorskip("flash_radiomics", reason="not installed; pip install '.[flash]' does")

import SimpleITK
from radiomics.featureextractor import RadiomicsFeatureExtractor as Pyradiomics

SPACING = (2.0, 0.9, 0.7)
FILE = """imageType: {Original: {}, LoG: {sigma: [2.0]}, Wavelet: {}}
featureClass: {firstorder: , glcm: [Contrast, JointEntropy], shape: [MeshVolume]}
setting: {binWidth: 20}
"""


@pytest.fixture(scope="module")
def volume():
    """Noise of a few pixels' grain, and two structures, one with a hole."""
    rng = np.random.default_rng(0)
    hu = rng.normal(0, 60, (12, 32, 40)).astype(np.float32)
    hu += np.roll(hu, 1, 2) + np.roll(hu, 1, 1)
    masks = np.zeros((2, *hu.shape), np.bool_)
    masks[0, 3:9, 8:24, 10:30] = True
    masks[1, 2:7, 20:30, 5:20] = True
    masks[1, 4, 25, 12] = False
    return hu, list(masks)


@pytest.fixture
def parameters(tmp_path):
    path = tmp_path / "parameters.yaml"
    path.write_text(FILE)
    return path


def images(hu, mask):
    pair = [SimpleITK.GetImageFromArray(one) for one in (hu, mask.astype(np.uint8))]
    for image in pair:
        image.SetSpacing(SPACING[::-1])
    return pair


def test_values_are_those_of_pyradiomics_for_each_structure(volume, parameters):
    hu, masks = volume
    found = VolumeExtractor(parameters, engine="pyradiomics").extract(hu, SPACING, masks)
    alone = Pyradiomics(str(parameters), additionalInfo=False)
    for values, mask in zip(found, masks, strict=True):
        expected = alone.execute(*images(hu, mask))
        assert values == {name: float(value) for name, value in expected.items()}
        assert len([name for name in values if name.startswith("wavelet-HHH")]) == 20


def test_engines_agree_but_for_kurtosis(volume, parameters):
    hu, masks = volume
    both = [
        VolumeExtractor(parameters, engine=engine).extract(hu, SPACING, masks)
        for engine in ("pyradiomics", "flash")
    ]
    for one, other in zip(*both, strict=True):
        assert one.keys() < other.keys()
        different = {
            name
            for name, value in one.items()
            if not np.isclose(value, other[name], rtol=1e-6, atol=1e-9)
        }
        assert {name.rpartition("_")[2] for name in different} == {"Kurtosis"}
        excess = other["original_firstorder_Kurtosis"]
        assert one["original_firstorder_Kurtosis"] == pytest.approx(excess + 3)


@pytest.mark.parametrize("engine", ["pyradiomics", "flash"])
def test_planes_and_resampling_are_settings(volume, parameters, engine):
    hu, masks = volume
    plain, flat, fine = (
        VolumeExtractor(parameters, engine=engine, **options)
        for options in ({}, {"dimensions": 2}, {"resample": 1.0})
    )
    assert len({one.sha256 for one in (plain, flat, fine)}) == 3
    (resampled, _) = fine.extract(hu, SPACING, masks)
    (expected, _) = plain.extract(hu, SPACING, masks)
    name = "original_glcm_Contrast"
    assert resampled[name] != expected[name]
    assert resampled["original_shape_MeshVolume"] == pytest.approx(
        expected["original_shape_MeshVolume"], rel=0.1
    )
    # On one plane neighbours across planes do not count.
    alone = np.zeros_like(masks[0])
    alone[5] = masks[0][5]
    (planes,) = flat.extract(hu, SPACING, [alone])
    (single,) = flat.extract(hu[5:6], SPACING, [alone[5:6]])
    assert planes[name] == pytest.approx(single[name])


@pytest.mark.parametrize("engine", ["pyradiomics", "flash"])
@pytest.mark.parametrize("resample", [None, 1.0])
def test_a_structure_that_is_refused_does_not_stop_others(volume, parameters, engine, resample):
    hu, masks = volume
    single = np.zeros_like(masks[0])
    single[4, 4, 4] = True
    extractor = VolumeExtractor(parameters, resample=resample, engine=engine)
    refused, kept = extractor.extract(hu, SPACING, [single, masks[1]])
    assert isinstance(refused, MeasurementError)
    assert "refuses it" in str(refused)
    assert kept["original_firstorder_Mean"] == pytest.approx(hu[masks[1]].mean(), abs=5)


def test_the_default_set_has_shape_in_three_dimensions_only():
    three, two = VolumeExtractor(None, 3), VolumeExtractor(None, 2)
    assert three.engine == "pyradiomics"
    assert "shape" in three.description["features"]
    assert "shape" not in two.description["features"]


def test_a_table_of_volumes_with_padding_as_it_was_is_another():
    assert VolumeExtractor(None).description["padding"] == "filled"


@pytest.mark.parametrize("engine", ["pyradiomics", "flash"])
def test_a_file_that_is_no_parameter_file(tmp_path, engine):
    path = tmp_path / "no.yaml"
    path.write_text("imageTypes: [1]")
    with pytest.raises(ConfigurationError, match=r"no\.yaml: no parameter file"):
        VolumeExtractor(path, engine=engine)


def test_flash_says_what_is_missing(monkeypatch):
    monkeypatch.setattr("rgan_train.evaluation.features.flash.NEEDED", ("numpy", "not_there"))
    with pytest.raises(ConfigurationError, match=r"not_there.*rgan-sdk\[flash\]"):
        VolumeExtractor(engine="flash")
