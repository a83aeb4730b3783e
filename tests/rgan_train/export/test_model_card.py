"""What the card of an exported model says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.training import tiny_config

from rgan_sdk.card import Range, SpacingRange, TrainingData, ValidityMap, hash_series
from rgan_sdk.hu import HUWindow
from rgan_train.config import Config, DataConfig, DomainConfig, MethodConfig
from rgan_train.export.model_card import (
    make_card,
    measure_quality,
    missing_facts,
    noise_range,
    spacing_range,
    training_data,
)
from rgan_train.methods import METHODS
from rgan_train.networks.graph import HarmonizationGraph
from rgan_train.pairs import Dataset, PairedFiles, PairedSample
from rgan_train.training import RunFolder

UIDS = ("1.2.1", "1.2.2")
SLICES = [
    PairedFiles("p", Path("a"), Path("b"), "1", "2", UIDS, "3", 0.0, 64, 64, (spacing, spacing))
    for spacing in (0.5, 0.6, 0.7)
]
DATASET = Dataset(
    train=tuple(SLICES),
    validation=(),
    test=(),
    source_kernel="B 40f",
    target_kernel="B70f",
    patients=("p",),
    manufacturers=("Scanner Works",),
    series_uids=("1", "2"),
    thickness=(1.0, 3.0),
    reconstruction=("iDose level 3",),
)
VALIDITY = ValidityMap("phantom", (0.6,), (0.0, 30.0), ((1.0, 1.0),))
DATA = DataConfig("B 40f", "B70f\\3", name="phantom", licence="CC0-1.0")


def test_training_data_without_name_or_licence():
    assert training_data(DATA) == TrainingData("phantom", "CC0-1.0", "")
    assert not missing_facts(DATA)
    unnamed = DataConfig(licence="CC0-1.0")
    assert training_data(unnamed) == TrainingData("not stated", "CC0-1.0", "")
    assert missing_facts(unnamed).endswith("training data's name; give --data-name")
    assert missing_facts(DataConfig()).endswith(
        "name and licence; give --data-name and --data-licence"
    )


@pytest.mark.parametrize(("name", "expected"), [(None, "b-40f-to-b70f-3"), ("mine", "mine")])
def test_the_name_comes_from_the_kernels_unless_it_is_given(tmp_path, name, expected):
    folder, config = RunFolder(tmp_path), Config(data=DATA)
    folder.create(config, {"manufacturers": ["Scanner Works"]}, {})
    graph = HarmonizationGraph(METHODS["linear"].build_network(config), HUWindow(-1032, 1008))
    card = make_card(folder, config, DATASET, graph, (), VALIDITY, name=name, version="2.0.0")
    assert (card.name, card.version, card.window) == (expected, "2.0.0", HUWindow(-1032, 1008))
    assert (card.source_kernels, card.target_kernel) == (("B 40f",), "B70f\\3")
    assert card.manufacturers == ("Scanner Works",)


def test_quality_is_the_mean_over_slices():
    target = np.zeros((16, 16), np.float32)
    samples = [PairedSample(target + error, target) for error in (10.0, 100.0)]
    outputs = [target + 1, target + 10]
    psnr, ssim = measure_quality(samples, outputs, HUWindow(-500, 500), DATA)
    assert (psnr.metric, psnr.slices, psnr.data) == ("PSNR, dB", 2, "validation slices of phantom")
    assert (psnr.input, psnr.output) == (30.0, 50.0)
    assert ssim.metric == "SSIM"


@pytest.mark.parametrize(
    ("method", "domain", "spacing", "added", "noise"),
    [
        ("compact", DomainConfig(True, added_noise=30.0), (0.485, 0.98), 30.0, (9.1, 31.6)),
        # asked for, but the slices showed no noise to add
        ("compact", DomainConfig(True, 0.75, 1.2, added_noise=30), (0.485, 0.84), 0, (9.1, 10.0)),
        ("choe", DomainConfig(), (0.485, 0.721), 0, (9.1, 10.0)),
    ],
)
def test_the_domain_of_the_card(tmp_path, method, domain, spacing, added, noise):
    config = Config(method=MethodConfig(method), data=DATA, domain=domain)
    folder = RunFolder(tmp_path)
    folder.create(config, {"noise_hu": [9.1, 10.0], "added_noise_hu": added}, {})
    graph = HarmonizationGraph(METHODS[method].build_network(config), HUWindow(-1032, 1008))
    card = make_card(folder, config, DATASET, graph, (), VALIDITY, name=None, version="1.0.0")
    assert card.pixel_spacing == SpacingRange(*spacing, reference=0.6)
    assert card.noise_hu == Range(*noise)
    assert card.thickness_seen == (1.0, 3.0)
    assert card.reconstruction == ("iDose level 3",)


def test_the_card_tells_the_series_of_training_and_validation_and_of_the_teacher(tmp_path):
    folder, config = RunFolder(tmp_path), Config(data=DATA)
    folder.create(config, {"teacher": {"series_seen": [hash_series("1.2.9")]}}, {})
    graph = HarmonizationGraph(METHODS["linear"].build_network(config), HUWindow(-1032, 1008))
    parts = {
        part: (replace(SLICES[0], series_uids=(f"1.2.{number}", f"1.2.{number + 1}")),)
        for number, part in ((3, "validation"), (5, "test"))
    }
    dataset = replace(DATASET, **parts)
    card = make_card(folder, config, dataset, graph, (), VALIDITY, name=None, version="1.0.0")
    expected = map(hash_series, (*UIDS, "1.2.3", "1.2.4", "1.2.9"))
    assert card.series_seen == tuple(sorted(expected))


def test_noise_that_was_not_measured(tmp_path):
    folder = RunFolder(tmp_path)
    folder.create(Config(data=DATA), {"noise_hu": [], "added_noise_hu": 0}, {})
    assert noise_range(folder, 30.0) is None


def test_noise_with_which_the_model_loses_is_not_claimed(tmp_path):
    folder = RunFolder(tmp_path)
    folder.create(Config(data=DATA), {"noise_hu": [9.1, 12.0], "added_noise_hu": 30.0}, {})
    assert noise_range(folder, 5.0) == Range(9.1, 13.0)


@pytest.mark.parametrize("method", ["linear", "physics+gan"])
def test_a_filter_is_not_known_beyond_its_table(method):
    slices = [replace(DATASET.train[0], pixel_spacing=(mm, mm)) for mm in (0.4, 0.6, 0.9)]
    config = tiny_config(f"method.name={method}", "domain.spacing_aware=true")
    network = METHODS[method].build_network(config)
    for name, tensor in network.named_buffers():
        if name.endswith("reference"):
            tensor.fill_(0.6)
    graph = HarmonizationGraph(network, HUWindow(-1032, 1008))
    limits = spacing_range(config, replace(DATASET, train=tuple(slices)), graph)
    assert (limits.reference, limits.max) == (0.6, 0.84)
    assert limits.min == pytest.approx(0.6 * 0.75, rel=0.1)
