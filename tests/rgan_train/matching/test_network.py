"""A network from two groups of series of different patients: it learns from simulated pairs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.dicom_phantoms import uid
from support.groups import write_series
from support.kernels import chests, exponential
from support.training import settings, train

from rgan_sdk.card import SpacingRange
from rgan_sdk.errors import OutputError, TrainingError
from rgan_sdk.hu import HUWindow
from rgan_sdk.model import HarmonizationModel
from rgan_train.config import Config, DataConfig
from rgan_train.evaluation.metrics.image_quality import psnr
from rgan_train.matching.groups import open_group
from rgan_train.matching.network import describe_outside, split_pairs
from rgan_train.matching.simulated import simulate_pairs
from rgan_train.pairs import Pair, SliceReader, read_pairs
from rgan_train.training import RunFolder

SOFT, SHARP = exponential(3.5, 2.0), exponential(5.5, 2.0)
COUNT, RANGE = 8, HUWindow(-1024, 1000)
TINY = (
    "compact.channels=4",
    "compact.layers=2",
    "training.crop=32",
    "training.batch_size=2",
    "training.steps_per_epoch=3",
    "training.epochs=1",
)


def command(root, run, output, *more):
    groups = ("--source", root / "soft", "--target", root / "sharp", "-o", output)
    return train("match", *groups, "--method", "compact", "--run", run, *more)


@pytest.fixture(scope="module")
def trained(soft_and_sharp, tmp_path_factory):
    root = tmp_path_factory.mktemp("trained")
    done = command(soft_and_sharp, root / "run", root / "m.onnx", *settings(base=TINY))
    assert done.exit_code == 0, done.output
    return root, done.output


def test_the_sharper_series_are_softened_as_the_softer_kernel_would(sharpening, tmp_path):
    assert sharpening.target_is_sharper
    calls = []
    (pair,) = simulate_pairs(sharpening, tmp_path, lambda *call: calls.append(call))
    assert calls == [(number, COUNT) for number in range(1, COUNT + 1)]
    assert (pair.kernel_a, pair.kernel_b) == ("SHARP", "SOFT")
    (series,) = open_group("source", [tmp_path / "simulated"]).series
    simulated = [SliceReader(0).read_image(item.path, (256, 256)) for item in series.slices]
    sharp, soft = (chests(mtf, 0.7, COUNT, seed=2, noise=5.0) for mtf in (SHARP, SOFT))
    before, after = (
        np.mean([psnr(*two, RANGE) for two in zip(images, soft, strict=True)])
        for images in (sharp, simulated)
    )
    assert after > before + 8


def test_the_card_tells_simulated_pairs_from_real_ones(trained):
    root, output = trained
    card = HarmonizationModel.open(str(root / "m.onnx")).card
    assert (card.name, card.source_kernels, card.target_kernel) == (
        "soft-to-sharp",
        ("SOFT",),
        "SHARP",
    )
    assert card.manufacturers == ("Scanner Works",)
    assert {one.data for one in card.quality} == {"simulated pairs (there were no real ones)"}
    assert card.validity.data == "simulated pairs (there were no real ones)"
    assert card.certificate is not None
    assert card.pixel_spacing.reference == 0.7
    assert card.thickness_seen == (1.0,)  # of the sharper group, the target
    assert card.has_seen(uid(1, 1))  # of both groups
    assert card.has_seen(uid(2, 1))
    assert "halves of both groups differ by" in output
    assert "of the measured transfer below 1 lp/cm" in output


def test_the_run_goes_on_and_is_exported_as_any_other(trained):
    root, _ = trained
    resume = ("fit", root / "run" / "pairs.csv", "-o", root / "run", "--resume")
    assert train(*resume, "--set", "training.epochs=2").exit_code == 0
    assert RunFolder(root / "run").state("last").epoch == 2
    done = train("export", root / "run", "-o", root / "again.onnx", "--no-fp16")
    assert done.exit_code == 0, done.output
    card = HarmonizationModel.open(str(root / "again.onnx")).card
    assert card.certificate == HarmonizationModel.open(str(root / "m.onnx")).card.certificate
    assert "the command `match` tells that started the run" in " ".join(done.output.split())


def test_the_same_command_goes_on_and_loses_nothing(soft_and_sharp, trained):
    root, _ = trained
    longer = settings(("training.epochs=3",), base=TINY)
    done = command(soft_and_sharp, root / "run", root / "mine.onnx", "--name", "mine", *longer)
    assert done.exit_code == 0, done.output
    assert RunFolder(root / "run").state("last").epoch == 3
    assert HarmonizationModel.open(str(root / "mine.onnx")).card.name == "mine"
    assert "of the measured transfer below 1 lp/cm" in done.output


def test_a_run_goes_on_with_its_own_series_only(soft_and_sharp, trained, tmp_path):
    root, _ = trained
    write_series(tmp_path, chests(SOFT, 0.8, 4, seed=3), "SOFT", 3)
    done = command(
        soft_and_sharp, root / "run", root / "m.onnx", *settings(base=TINY), "--source", tmp_path
    )
    assert done.exit_code == 1
    message = "started with other series in the source group"
    assert message in " ".join(done.output.split())


def test_a_run_from_pairs_is_not_touched(soft_and_sharp, tmp_path):
    run = RunFolder(tmp_path)
    run.create(Config(), {}, {})
    done = command(soft_and_sharp, tmp_path, tmp_path / "m.onnx", *settings(base=TINY))
    assert done.exit_code == 1
    assert "holds a run that has pairs; choose another folder" in " ".join(done.output.split())


def test_all_slices_are_for_training_or_validation(trained):
    root, _ = trained
    provenance = json.loads((root / "run" / "provenance.json").read_text())
    assert provenance["slices"] == {"train": 7, "validation": 1, "test": 0}
    assert len(read_pairs(root / "run" / "pairs.csv")) == 1


def listed(*patients, slices=20):
    pair = Pair("", "A", "B", "", slices, 8, 8, "1", "", "1.1", "1.2", Path("a"), Path("b"))
    return [replace(pair, patient=patient) for patient in patients]


def test_patients_go_whole_into_training_or_validation():
    pairs, data = split_pairs(listed("p", "q", "r", "p"), DataConfig())
    parts = {pair.patient: pair.split for pair in pairs}
    assert sorted(parts.values()) == ["train", "train", "validation"]
    assert data == DataConfig()


def test_the_users_split_takes_precedence():
    for own in (DataConfig(split="position"), DataConfig(fold=2)):
        assert split_pairs(listed("p", "q", "r"), own) == (listed("p", "q", "r"), own)


def test_too_few_patients_are_split_as_any_pairs_are():
    assert split_pairs(listed("p", "p"), DataConfig()) == (listed("p", "p"), DataConfig())


def test_source_pixels_that_no_training_slice_had_are_noted(trained, sharpening):
    card = HarmonizationModel.open(str(trained[0] / "m.onnx")).card
    assert describe_outside(sharpening.source, card) == ""
    narrow = replace(card, pixel_spacing=SpacingRange(0.6, 0.7, 0.65))
    assert "pixels of 0.8 mm are outside" in describe_outside(sharpening.source, narrow)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--run", "run"), "--run is for the training of a network"),
        (("--set", "training.epochs=2"), "--set is for the training of a network"),
        (("--method", "compact"), "give a folder with --run RUN"),
    ],
)
def test_options_that_would_be_ignored(soft_and_sharp, tmp_path, arguments, message):
    groups = ("--source", soft_and_sharp / "soft", "--target", soft_and_sharp / "sharp")
    done = train("match", *groups, "-o", tmp_path / "m.onnx", *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def test_kernels_are_those_of_the_groups(soft_and_sharp, tmp_path):
    more = settings(("data.target_kernel=OTHER",), base=TINY)
    done = command(soft_and_sharp, tmp_path / "run", tmp_path / "m.onnx", *more)
    assert done.exit_code == 1
    assert "the target group has SHARP" in " ".join(done.output.split())


def test_a_simulation_that_was_cut_off(sharpening, tmp_path):
    (tmp_path / "simulated").mkdir()
    with pytest.raises(OutputError, match="left from a start that did not get to its training"):
        simulate_pairs(sharpening, tmp_path, lambda *call: None)


def test_a_network_needs_patients_with_the_sharper_kernel(sharpening, tmp_path):
    target = sharpening.target
    phantoms = frozenset((one.series_instance_uid, one.group) for one in target.series)
    shown = replace(sharpening, target=replace(target, phantoms=phantoms))
    with pytest.raises(TrainingError, match="learns from patients with the sharper kernel SHARP"):
        simulate_pairs(shown, tmp_path, lambda *call: None)
