"""One whole evaluation: regions, features, quality, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from support.lungs import make_chest, write_chest
from support.models import make_card, write_model
from support.requirements import require_module
from support.training import list_pairs, write_pair_of_scans

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.config import DataConfig
from rgan_train.evaluation import evaluate as module
from rgan_train.evaluation.evaluate import EvaluationOptions, evaluate, with_combat
from rgan_train.evaluation.regions.choice import choose_regions
from rgan_train.evaluation.regions.rois import Roi
from rgan_train.evaluation.results import FeatureTable
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset

DIRECTION = DataConfig(source_kernel="B40f", target_kernel="B70f")


@pytest.fixture(scope="module", autouse=True)
def _pyradiomics():
    require_module("radiomics", "make eval-deps")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = write_pair_of_scans(tmp_path_factory.mktemp("scans"), slices=16, size=96)
    return load_dataset(read_pairs(list_pairs(root)), DIRECTION, needed=("test",))


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    parameters = tmp_path_factory.mktemp("parameters") / "few.yaml"
    parameters.write_text(
        "imageType: {Original: {}, Gradient: {}}\n"
        "featureClass: {firstorder: [Mean, Variance, Entropy], glcm: [Contrast, Correlation]}\n"
    )
    return EvaluationOptions(parameters, regions=10)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "blur.onnx")


def run(dataset, model, tmp_path, options, **more):
    return evaluate(dataset, {"blur": model}, tmp_path / "features", options=options, **more)


def test_an_evaluation(dataset, model, tmp_path, options):
    told = []
    noted = replace(dataset, notes=("a remark of the data set",))
    found = run(noted, model, tmp_path, options, progress=lambda *args: told.append(args))
    assert found.methods == ["input", "blur"]
    assert found.notes[0] == "a remark of the data set"
    assert (found.source_kernel, found.target_kernel, found.patients) == ("B40f", "B70f", 1)
    assert set(found.images) == {"target", "input", "blur"}
    assert found.table.groups == ["whole slice", "[-100, 250] HU"]
    assert len(found.table.names) == 10
    assert told[-1] == ("image quality", 2, 2)
    assert ("features", 15, 15) in told  # 5 test slices, 3 variants
    assert ("features of random pixels", 10, 10) in told
    assert ("features in other masks", 15, 15) in told
    assert list(found.controls.rows) == [
        "control: random pixels",
        "control: masks on neither kernel, input",
        "control: masks on neither kernel, blur",
    ]
    assert {(one.method, one.block) for one in found.stability} == {("input", 2), ("blur", 2)}
    # The source is smoother than the target, and the model makes it smoother yet.
    psnr = [found.quality[name].psnr_db.mean for name in found.methods]
    assert psnr[0] > psnr[1]
    gradient = found.table.names.index("gradient_firstorder_Mean")
    rows = found.table.rows("whole slice")
    means = [found.table.values[n][rows, gradient].mean() for n in ("target", "input", "blur")]
    assert means[0] > means[1] > means[2]
    assert found.provenance["models"]["blur"]["name"] == "test-blur"
    assert found.provenance["models"]["blur"]["target_kernel"] == "B70f"
    assert found.provenance["scans"]["target"]["kernels"] == ["B70f"]
    assert found.provenance["split"]["slices"]["test"] == 5
    assert found.provenance["regions"]["groups"]["whole slice"] == 5
    assert found.provenance["statistics"]["bootstrap_samples"] == 1000
    assert any("[300, 800] HU: 0 regions instead of 10" in note for note in found.notes)
    assert not found.lungs
    assert any("no lung was found" in note for note in found.notes)
    outside, unknown = found.provenance["models"]["blur"]["notes"]
    assert "does not say which series it was made with" in unknown
    assert "mm on 5 of 5 slices, and the model is of format 1 and states none" in outside
    assert f"blur: {outside}" in found.notes


def test_lung_density_where_there_are_lungs(tmp_path, model, options):
    hu, _ = make_chest()
    write_chest(tmp_path / "scans" / "soft", hu[8:13])
    write_chest(tmp_path / "scans" / "sharp", hu[8:13], "B70f", series=2)
    parts = {"train_slices": "0", "validation_slices": "1", "test_slices": "2-4"}
    config = replace(DIRECTION, **parts)
    pairs = read_pairs(list_pairs(tmp_path / "scans"))
    found = run(load_dataset(pairs, config, needed=("test",)), model, tmp_path, options)
    (case,) = found.lungs
    assert set(case.densities) == {"target", "input", "blur"}
    assert case.densities["input"] == case.densities["target"]
    assert case.densities["blur"].laa_950 < case.densities["input"].laa_950


def test_a_perfect_model_reproduces_all(dataset, model, tmp_path, options, monkeypatch):
    def perfect(model, stack, source_kernel, target_kernel, on_done):
        return stack.target_hu.copy(), {"notes": []}

    monkeypatch.setattr(module, "harmonize_stack", perfect)
    found = run(dataset, model, tmp_path, options)
    for group in found.table.groups:
        for threshold, count in found.agreement(group, "blur").counts.items():
            assert count.features == count.total == 10, threshold
        assert found.agreement(group, "input").counts[0.85].features < 10
    assert found.quality["blur"].psnr_db.mean == np.inf
    assert found.quality["blur"].ssim.mean == pytest.approx(1)
    assert {one.method for one in found.differences} == {"blur"}
    features = [one for one in found.differences if one.measure == "features"]
    assert all(one.value > 0 for one in features)


def test_patients_are_those_with_test_slices(dataset, model, tmp_path, options):
    more = replace(dataset, patients=(*dataset.patients, "trained on"))
    assert run(more, model, tmp_path, options).patients == 1


def test_places_say_whether_the_patient_is_known_from_training(dataset):
    assert {place.known for place in module.find_places(dataset)} == {True}
    whole = replace(dataset, train=(), validation=())
    places = module.find_places(whole)
    assert {place.known for place in places} == {False}
    assert [place.position for place in places] == [item.position for item in dataset.test]


def test_the_same_bits_again(dataset, model, tmp_path, options):
    first, second = (run(dataset, model, tmp_path / name, options) for name in "ab")
    assert np.array_equal(first.table.values["blur"], second.table.values["blur"])
    assert [a.counts for a in first.agreements] == [a.counts for a in second.agreements]


def test_regions_are_chosen_on_the_target_and_in_the_patient(dataset, options):
    stack = module.read_test_stack(dataset)
    rois, _ = choose_regions(stack.target_hu, stack.padding, (), options.regions)
    soft = [roi for roi in rois if roi.group == "[-100, 250] HU"]
    assert len(soft) >= 10
    for roi in soft:
        values = stack.target_hu[roi.slice_number][roi.mask]
        assert -100 <= values.min() <= values.max() <= 250


def test_a_region_without_texture_is_named_and_left_out(dataset):
    stack = module.read_test_stack(dataset)
    point = np.zeros(stack.target_hu.shape[1:], np.bool_)
    point[48, 48] = True
    given = [Roi("tumour", 0, point), Roi("tumour", 1, ~point), Roi("tumour", 2, point & ~point)]
    rois, notes = choose_regions(stack.target_hu, stack.padding, given, 10)
    assert [roi.slice_number for roi in rois if roi.group == "tumour"] == [1]
    assert any(note.startswith("tumour, slice 0: left out, 1 pixel") for note in notes)
    assert "tumour, slice 2: left out, empty" in notes


def test_combat_gives_features_the_targets_mean_and_spread():
    rng = np.random.default_rng(0)
    mask = np.ones((2, 2), np.bool_)
    rois = [Roi(group, n, mask) for group in ("a", "b") for n in range(20)]
    target = rng.normal(0, 1, (40, 3))
    target[20:] += 50
    source = 3 * target + rng.normal(0, 0.1, target.shape) + 7
    table = with_combat(FeatureTable(rois, ("f", "g", "h"), {"target": target, "input": source}))
    found = table.values["input + ComBat"]
    for group in ("a", "b"):
        rows = table.rows(group)
        assert np.allclose(found[rows].mean(axis=0), target[rows].mean(axis=0))
        assert np.allclose(found[rows], target[rows], atol=0.3)
    assert "input + ComBat, empirical Bayes" in table.values


@pytest.mark.parametrize(
    ("kernels", "reason"),
    [
        ({"source_kernels": ("Br40",)}, "is for Br40, and the source is B40f"),
        ({"target_kernel": "B30f"}, "harmonizes to B30f, and the target is B70f"),
    ],
)
def test_a_model_for_other_kernels_is_refused(dataset, tmp_path, options, kernels, reason):
    other = write_model(tmp_path / "other.onnx", make_card(**kernels))
    with pytest.raises(ConfigurationError, match=reason):
        run(dataset, other, tmp_path, options)


@pytest.mark.parametrize("name", ["target", "input", "control: random pixels"])
def test_names_that_are_taken(dataset, model, tmp_path, options, name):
    with pytest.raises(ConfigurationError, match=name):
        evaluate(dataset, {name: model}, tmp_path, options=options)


def test_no_test_slices(dataset, model, tmp_path, options):
    with pytest.raises(TrainingError, match="no slices to test on"):
        run(replace(dataset, test=()), model, tmp_path, options)


def test_slices_of_different_grids(dataset, model, tmp_path, options):
    first, *rest = dataset.test
    mixed = replace(dataset, test=(replace(first, pixel_spacing=(0.5, 0.5)), *rest))
    with pytest.raises(ConfigurationError, match=r"different grids \(96x96 of 0.5 mm"):
        run(mixed, model, tmp_path, options)
