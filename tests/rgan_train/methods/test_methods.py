"""All methods through the same contract: trained, resumed, exported, used."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.librgan import Engine, Model
from support.training import (
    SMALL_METHODS,
    list_pairs,
    open_dataset,
    tiny_config,
    weights,
    write_pair_of_scans,
)

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.harmonizer import Harmonizer
from rgan_train.config import MethodName
from rgan_train.export.export import export_run, load_graph
from rgan_train.methods import METHODS
from rgan_train.networks.graph import harmonize_slice
from rgan_train.pairs import read_pairs
from rgan_train.training import Job, RunFolder, fit

TRAINED = ("radiomicgan", "physics+gan", "choe", "ganai", "stan_ct", "compact")
FITTED = ("linear", "histogram")
AWARE = ("radiomicgan", "physics+gan", "compact")
"""Methods trained in steps whose networks can know the pixel spacing."""
LONG = ("choe", "ganai", "stan_ct")
"""The way of these from pairs to a model is gone by ``make test-all`` only."""
SPACINGS_AND_NOISE = ("domain.spacing_aware=true", "domain.added_noise=20")


@pytest.fixture(scope="module")
def large_scans(tmp_path_factory):
    """A scan whose slices hold a block of the linear filter."""
    return write_pair_of_scans(tmp_path_factory.mktemp("large"), size=160)


@pytest.fixture(scope="module")
def job(large_scans, tmp_path_factory):
    def make(name, *assignments):
        config = tiny_config(*SMALL_METHODS, f"method.name={name}", *assignments)
        run = RunFolder(tmp_path_factory.mktemp("runs") / "run")
        return Job(config, open_dataset(large_scans), read_pairs(list_pairs(large_scans)), run)

    return make


def ignore(report):
    pass


def test_the_table_names_each_method_of_the_configuration():
    assert tuple(METHODS) == MethodName.__args__ == (*TRAINED, *FITTED)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in LONG else name
        for name in (*TRAINED, *FITTED)
    ],
)
def test_from_pairs_to_a_model_that_runs(job, name, tmp_path):
    aware = name in (*AWARE, "linear")
    work = job(name, f"domain.spacing_aware={str(aware).lower()}")
    outcome = fit(work, ignore)
    assert outcome.status == "finished"
    assert outcome.state.epoch == (2 if name in TRAINED else 1)
    spacings = export_run(work.folder, tmp_path / "model.onnx").card.pixel_spacing
    native = work.dataset.train[0].spacing
    assert spacings.max == pytest.approx(native * (1.4 if aware else 1.03), abs=1e-4)
    hu = np.random.default_rng(0).normal(0, 300, (2, 48, 56)).astype(np.float32)
    graph = load_graph(work.folder, work.config, "best")
    for file, limit in (("model.onnx", 0.05), ("model.fp16.onnx", 5.0)):
        with Harmonizer.load(tmp_path / file, engine="onnxruntime", device="cpu") as harmonizer:
            out = harmonizer(hu, pixel_spacing=spacings.max)
        with Model(tmp_path / file) as model, Engine(model) as library:
            assert np.array_equal(library.harmonize(hu, spacings.max), out)
        wanted = np.stack([harmonize_slice(graph, image, spacings.max) for image in hu])
        assert np.abs(out - wanted).max() < limit


@pytest.mark.parametrize(
    ("name", "settings"),
    [*((name, ()) for name in TRAINED), *((name, SPACINGS_AND_NOISE) for name in AWARE)],
)
def test_a_run_that_is_continued_ends_alike(job, name, settings):
    whole, parts = (job(name, f"training.epochs={count}", *settings) for count in (3, 2))
    fit(whole, ignore)
    fit(parts, ignore)
    fit(replace(parts, config=whole.config, resume=True), ignore)
    for file in whole.folder.load(whole.folder.state("last")):
        first, second = weights(whole.folder.path, file), weights(parts.folder.path, file)
        assert all(np.array_equal(first[key], second[key]) for key in first), file
    assert whole.folder.state("last").method == parts.folder.state("last").method


@pytest.mark.parametrize("name", TRAINED)
def test_training_changes_the_network(job, name):
    work = job(name)
    fit(work, ignore)
    torch.manual_seed(work.config.training.seed)
    start = METHODS[name].build_network(work.config).state_dict()
    trained = weights(work.folder.path)
    moved = {key for key in trained if not np.array_equal(trained[key], start[key].numpy())}
    parameters = {key for key, _ in METHODS[name].build_network(work.config).named_parameters()}
    assert {key for key in parameters if key.endswith("weight")} <= moved


@pytest.mark.parametrize("name", ["choe", "ganai", "stan_ct", "linear"])
def test_weights_of_an_encoder_that_is_not_there(job, name, tmp_path):
    file = tmp_path / "weights.npz"
    file.touch()
    with pytest.raises(ConfigurationError, match=f"{name} has no pretrained"):
        fit(replace(job(name), vgg_weights=file), ignore)


def test_the_filter_of_physics_gan_is_the_linear_method_s_and_stays(job):
    linear, hybrid = job("linear"), job("physics+gan")
    fit(linear, ignore)
    fit(hybrid, ignore)
    fitted, front = (
        weights(linear.folder.path)["taps_0"],
        weights(hybrid.folder.path)["front.taps_0"],
    )
    assert fitted.any()
    assert np.array_equal(fitted, front)


def test_physics_gan_starts_where_the_filter_ends(job):
    config = job("physics+gan").config
    network = METHODS["physics+gan"].build_network(config)
    torch.nn.init.normal_(network.front.taps_0)
    call = torch.rand(1, 1, 32, 32), torch.tensor([0.7])
    with torch.no_grad():
        assert torch.equal(network.predict_at(*call), network.front.predict_at(*call))
    direct = tiny_config("method.name=physics+gan", "generator.output=direct")
    with pytest.raises(ConfigurationError, match=r"set generator\.output"):
        METHODS["physics+gan"].build_network(direct)


def test_ganai_takes_turns(job, monkeypatch):
    turns = []
    for name in ("train_discriminator", "train_generator"):
        original = getattr(METHODS["ganai"], name)

        def spy(self, *arguments, name=name, original=original):
            turns.append((name, self.phase, self.phase_steps))
            return original(self, *arguments)

        monkeypatch.setattr(METHODS["ganai"], name, spy)
    # Goals out of reach: each phase has its two steps.
    goals = ("ganai.discriminator_accuracy=0.999", "ganai.generator_accuracy=0.001")
    work = job("ganai", "training.steps_per_epoch=5", "training.epochs=1", *goals)
    fit(work, ignore)
    phases = ["discriminator"] * 2 + ["generator"] * 2 + ["discriminator"]
    assert turns == [(f"train_{name}", name, i % 2) for i, name in enumerate(phases)]
    (record,) = map(json.loads, (work.folder.path / "metrics.jsonl").open())
    assert 0 <= record["D_accuracy"] <= 1
    assert work.folder.state("last").method == {"phase": "discriminator", "phase_steps": 1}


def test_selection_needs_a_discriminator(job):
    for name, other in (("choe", ()), ("radiomicgan", ("loss.adversarial_weight=0",))):
        work = job(name, "curriculum.schedule=selection", *other)
        with pytest.raises(ConfigurationError, match="needs a discriminator"):
            fit(work, ignore)


def test_a_crop_within_reach_of_the_filter(job):
    with pytest.raises(ConfigurationError, match=r"set training\.crop to 68 or more"):
        fit(job("physics+gan", "linear.taps=63"), ignore)
