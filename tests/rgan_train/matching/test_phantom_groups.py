"""Models from scans of a QA phantom, instead of patients or beside them."""

import numpy as np
import pytest
from support.kernels import chests, exponential
from support.qa_phantoms import RODS, Rod, scan, write_scan
from support.training import train

from rgan_sdk.errors import TrainingError
from rgan_train.matching.groups import measure_group, open_group
from rgan_train.matching.match import match

SOFT, SHARP = exponential(3.5, 2.0), exponential(5.5, 2.0)


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Phantoms that lie elsewhere, on other pixels."""
    root = tmp_path_factory.mktemp("qa")
    moved = [Rod(rod.right, -rod.down, rod.radius, rod.contrast) for rod in RODS]
    write_scan(root / "soft", scan(SOFT, 4, seed=1), "SOFT", 11)
    write_scan(root / "sharp", scan(SHARP, 4, 0.5, rods=moved, seed=2), "SHARP", 12, 0.5)
    return root


def test_a_pair_of_phantom_scans_gives_the_filter(scans, tmp_path):
    output = tmp_path / "model.onnx"
    phantoms = ("--source-phantom", scans / "sharp", "--target-phantom", scans / "soft")
    done = train("match", *phantoms, "-o", output)
    assert done.exit_code == 0, done.output
    gains = {
        int(words[0]): float(words[2])
        for words in map(str.split, done.output.splitlines())
        if words[1:2] == ["lp/cm"]
    }
    for frequency in range(1, 6):
        at = np.array([float(frequency)])
        assert gains[frequency] == pytest.approx(float(SOFT(at)[0] / SHARP(at)[0]), rel=0.05)


def test_the_card_of_a_model_from_phantoms_states_no_noise_and_covers_chests(scans, tmp_path):
    source = open_group("source", [], phantoms=[scans / "sharp"])
    target = open_group("target", [], phantoms=[scans / "soft"])
    card = match(source, target, tmp_path / "model.onnx").exported.card
    assert (card.source_kernels, card.target_kernel) == (("SHARP",), "SOFT")
    assert card.noise_hu is None
    assert card.thickness_seen == ()
    assert card.series_seen == ()
    assert card.pixel_spacing.min < 0.5
    assert card.pixel_spacing.max > 0.95


def test_patients_and_phantoms_may_be_one_group(scans, tmp_path):
    write_scan(tmp_path, chests(SOFT, 0.8, 3, seed=3), "SOFT", 13, 0.8)
    group = open_group("source", [tmp_path], phantoms=[scans / "soft"])
    spectra = measure_group(group)
    assert len(group.patients) == 1
    assert np.isnan(spectra.edge).tolist() == [True] * 3 + [False] * 4


def test_a_phantom_that_does_not_tell_its_kernel_is_named(tmp_path):
    write_scan(tmp_path, scan(SOFT, 2, rods=(), wires=()), "SOFT", 14)
    group = open_group("source", [], phantoms=[tmp_path])
    with pytest.raises(TrainingError, match=r"the source group: phantom, .*no insert stands out"):
        measure_group(group)


def test_each_group_needs_patients_or_a_phantom(scans, tmp_path):
    refused = train("match", "--source-phantom", scans / "sharp", "-o", tmp_path / "m.onnx")
    assert refused.exit_code == 2
    assert "give --target DIR or --target-phantom DIR" in refused.output


def test_a_phantom_below_the_folder_of_patients_stays_a_phantom(scans):
    group = open_group("source", [scans], phantoms=[scans / "soft", scans / "sharp"], mixed=True)
    assert len(group.series) == 2
    assert not group.patients
    with pytest.raises(TrainingError, match="given as a folder of patients and of a phantom"):
        open_group("source", [scans], phantoms=[scans])
