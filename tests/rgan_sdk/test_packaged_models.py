"""The models that come with the package: what they are, and that the commands know them."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from support.runs import harmonize

from rgan_sdk.errors import ModelFormatError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel, packaged_models

NAMES = ["b40f-to-b70f", "b70f-to-b40f"]
MAX_BYTES_TOGETHER = 3_000_000


def test_the_manifest_names_them_all():
    assert list(packaged_models()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_card_and_hash(name):
    model = HarmonizationModel.open(name)
    card = model.card
    assert model.sha256 == packaged_models()[name]
    assert name == f"{card.source_kernels[0]}-to-{card.target_kernel}".lower()
    assert all(data.licence and data.citation for data in card.training_data)
    assert len({figure.data for figure in card.quality}) >= 3  # in, held out, out of sample
    assert card.pixel_spacing.max >= 1.4 * card.pixel_spacing.reference
    assert card.validity is not None


def test_they_are_small():
    assert sum(len(HarmonizationModel.open(name).content) for name in NAMES) <= MAX_BYTES_TOGETHER


def test_a_tampered_one_is_refused(monkeypatch):
    monkeypatch.setattr("rgan_sdk.model.packaged_models", lambda: {NAMES[0]: "0" * 64})
    with pytest.raises(ModelFormatError, match="damaged or was replaced"):
        HarmonizationModel.open(NAMES[0])


@pytest.mark.parametrize("name", NAMES)
def test_same_bits_for_any_batch_size_and_order(name):
    hu = np.random.default_rng(0).normal(0, 300, (5, 64, 72)).astype(np.float32)
    results = []
    for batch_size in (1, 2, 5):
        with Harmonizer.load(name, device="cpu", batch_size=batch_size) as harmonizer:
            spacing = harmonizer.model.card.reference_spacing
            results.append(harmonizer(hu, pixel_spacing=spacing).tobytes())
            turned = harmonizer(hu[::-1], pixel_spacing=spacing)[::-1]
            results.append(np.ascontiguousarray(turned).tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (2, 512), (7, 9)])
def test_the_smallest_slices_work(shape):
    hu = np.random.default_rng(0).normal(0, 300, shape).astype(np.float32)
    with Harmonizer.load(NAMES[0], device="cpu") as harmonizer:
        assert harmonizer(hu, pixel_spacing=harmonizer.model.card.reference_spacing).shape == shape


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_same_bits_for_any_thread_count():
    code = f"""
import hashlib, os, sys
os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(sys.argv[1])]))
import numpy as np
from rgan_sdk.harmonizer import Harmonizer
hu = np.random.default_rng(0).normal(0, 300, (128, 128)).astype(np.float32)
harmonizer = Harmonizer.load("{NAMES[0]}", device="cpu")
out = harmonizer(hu, pixel_spacing=harmonizer.model.card.reference_spacing)
print(hashlib.sha256(out.tobytes()).hexdigest())
"""
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code, threads], check=True, capture_output=True, text=True
        ).stdout
        for threads in ("1", "2")
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("name", NAMES)
def test_hu_outside_the_window_stay_bit_equal(name):
    window = HarmonizationModel.open(name).card.window
    lower, upper = window.lower, window.upper
    rng = np.random.default_rng(0)
    values = np.float32([-3024, lower - 0.5, lower, upper, upper + 0.25, 3071])
    hu = rng.choice(values, (64, 64))
    hu[20:40, 20:40] = rng.normal(0, 100, (20, 20))
    with Harmonizer.load(name, device="cpu") as harmonizer:
        out = harmonizer(hu, pixel_spacing=harmonizer.model.card.reference_spacing)
    outside = (hu <= lower) | (hu >= upper)
    assert (out[outside] == hu[outside]).all()
    assert (out[~outside] != hu[~outside]).any()


def test_sample_then_scan(tmp_path):
    folder = tmp_path / "sample"
    assert harmonize("sample", folder, "--slices", 2).exit_code == 0
    assert len(list(folder.iterdir())) == 2
    result = harmonize("scan", folder, "--model", "b40f-to-b70f")
    assert result.exit_code == 0
    assert "planned" in result.output
    result = harmonize("scan", folder, "--model", "b70f-to-b40f", "--report", tmp_path / "r.json")
    assert "is B40f, the target kernel already" in " ".join(result.output.split())
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["summary"]["series"]["skipped"] == 1


def test_models_lists_the_packaged_ones():
    result = harmonize("models")
    assert result.exit_code == 0
    for name in packaged_models():
        assert name in result.output


def test_doctor_finds_nothing_wrong_here():
    result = harmonize("doctor")
    assert result.exit_code == 0, result.output
    assert "self-test passed" in result.output
