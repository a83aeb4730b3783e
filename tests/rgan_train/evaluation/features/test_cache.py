"""Features of many slices: in processes, in files, and not computed twice."""

import os

import numpy as np
import pytest
from support.requirements import require_module

from rgan_sdk.errors import OutputError
from rgan_train.evaluation.features.cache import SliceRegions, extract_all
from rgan_train.evaluation.features.extractor import FeatureExtractor

PARAMETERS = """
imageType: {Original: {}}
featureClass: {firstorder: [Mean, Range], glcm: [Contrast]}
setting: {binWidth: 25}
"""


@pytest.fixture(scope="module")
def parameters(tmp_path_factory):
    require_module("radiomics", "make eval-deps")
    path = tmp_path_factory.mktemp("parameters") / "few.yaml"
    path.write_text(PARAMETERS)
    return path


@pytest.fixture(scope="module")
def extractor(parameters):
    return FeatureExtractor(parameters)


def make_tasks(count=3):
    rng = np.random.default_rng(0)
    mask = np.zeros((32, 32), np.bool_)
    mask[4:20, 6:30] = True
    return [
        SliceRegions(rng.normal(0, 100, (32, 32)).astype(np.float32), (1.0, 1.0), (mask, ~mask))
        for _ in range(count)
    ]


def test_what_is_there_is_not_computed_again(extractor, tmp_path, monkeypatch):
    tasks, done = make_tasks(), []
    first = extract_all(tasks, extractor, tmp_path / "new", on_done=lambda: done.append(1))
    assert [values.shape for values in first] == [(2, 3)] * 3
    assert len(done) == 3
    monkeypatch.setattr(extractor, "extract", lambda *_: pytest.fail("computed again"))
    again = extract_all(tasks, extractor, tmp_path / "new", on_done=lambda: done.append(1))
    assert len(done) == 6
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a, b)


def test_processes_give_the_same_bits(extractor, parameters, tmp_path):
    tasks = make_tasks()
    alone = extract_all(tasks, extractor, tmp_path / "1")
    shared = extract_all(tasks, extractor, tmp_path / "2", parameters=parameters, workers=2)
    for a, b in zip(alone, shared, strict=True):
        assert np.array_equal(a, b)


def test_the_environment_is_as_before(parameters, extractor, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", raising=False)
    extract_all(make_tasks(2), extractor, tmp_path, parameters=parameters, workers=2)
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS" not in os.environ


def test_an_interrupted_run_keeps_what_it_has(extractor, tmp_path, monkeypatch):
    tasks, extract = make_tasks(), extractor.extract

    def interrupted(hu, *rest):
        if hu is tasks[2].hu:
            raise KeyboardInterrupt
        return extract(hu, *rest)

    monkeypatch.setattr(extractor, "extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract_all(tasks, extractor, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("change", ["hu", "spacing", "mask"])
def test_the_key_depends_on_all_that_counts(change):
    task = make_tasks(1)[0]
    hu, spacing, masks = task.hu.copy(), task.pixel_spacing, task.masks
    if change == "hu":
        hu[0, 0] += 1
    elif change == "spacing":
        spacing = (1.0, 0.5)
    else:
        masks = masks[:1]
    assert SliceRegions(hu, spacing, masks).digest != task.digest
    assert SliceRegions(task.hu.copy(), task.pixel_spacing, task.masks).digest == task.digest


def test_a_cache_that_cannot_be_made(extractor, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        extract_all(make_tasks(1), extractor, tmp_path / "file" / "cache")
