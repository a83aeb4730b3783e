"""What is said of a folder before anything is run."""

import dataclasses
from pathlib import PurePosixPath

import numpy as np
import pytest
from support.dicom_phantoms import CANARY, uid, write_series
from support.kernels import chests, exponential, write_chests
from support.models import make_domain_card, make_series_card

from rgan_sdk.card import SpacingRange
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.acquisition import read_description
from rgan_sdk.dicom.read.kernel_guard import MeasuredKernel
from rgan_sdk.dicom.read.spectra import measure_series
from rgan_sdk.kernels import CardCurves, MatchCertificate, measure_kernel
from rgan_sdk.run.advice.advise import advise
from rgan_sdk.run.advice.commands import match_command, measure_command, pair_command
from rgan_sdk.run.advice.export import advice_to_json
from rgan_sdk.run.advice.fits import fit_model
from rgan_sdk.run.advice.groups import KernelKey, group_series
from rgan_sdk.run.choosing.candidates import Candidate
from rgan_sdk.run.options import RunOptions

OPTIONS = RunOptions()


def look(root, *candidates, measured=None):
    return advise(root, find_series(root), candidates, OPTIONS, measured)


def other_scan(number: int) -> dict:
    """Return the attributes of another patient, study and frame of reference."""
    return {
        "PatientID": f"{number}",
        "StudyInstanceUID": uid(9, number),
        "FrameOfReferenceUID": uid(8, number),
    }


def test_series_are_grouped_by_what_cards_state(tmp_path):
    alike = {"Manufacturer": "SIEMENS", "PixelSpacing": [0.68, 0.68]}
    write_series(tmp_path / "a", 2, series=1, **alike)
    write_series(tmp_path / "b", 3, series=2, **alike | {"Manufacturer": "Siemens Healthineers"})
    others = (
        {"Manufacturer": "GE MEDICAL SYSTEMS"},
        {"ConvolutionKernel": "B70f"},
        {"ConvolutionKernel": ["B40f", "3"]},
        {"ReconstructionAlgorithm": "ITERATIVE"},
        {"PixelSpacing": [0.8, 0.8]},
        {"SliceThickness": 5},
    )
    for number, other in enumerate(others, 3):
        write_series(tmp_path / str(number), 1, series=number, **alike | other)
    groups = group_series(find_series(tmp_path).series)
    assert len(groups) == 1 + len(others)
    (both,) = (group for group in groups if len(group.series) == 2)
    assert (both.slices, both.kernel, both.slice_thickness) == (5, "B40f", 2.0)
    assert both.pixel_spacing == pytest.approx((0.68, 0.68))


def test_reasons_are_those_of_the_guard(tmp_path):
    write_series(tmp_path / "a", 1, series=1, Manufacturer="SIEMENS")
    write_series(tmp_path / "b", 1, series=2, ConvolutionKernel="B70f", Manufacturer="Philips")
    write_series(tmp_path / "c", 1, series=3, PixelSpacing=[0.7, 0.8], Manufacturer="SIEMENS")
    card = make_domain_card(reconstruction=())
    fit = fit_model(find_series(tmp_path).series, Candidate("m", card), OPTIONS)
    assert (fit.model, fit.target_kernel, fit.takes) == ("m", "B70f", 1)
    assert fit.reasons["kernel"] == {
        "ConvolutionKernel (0018,1210) is B70f; the model takes B40f": 1
    }
    assert set(fit.reasons) == {"kernel", "manufacturer", "pixels"}


def test_a_scan_with_two_kernels_looks_like_a_pair(tmp_path):
    root = tmp_path / "my scans"
    write_series(root / "x" / "soft", 3, series=1)
    write_series(root / "x" / "sharp", 3, series=2, ConvolutionKernel="B70f")
    write_series(root / "y", 3, series=3, ConvolutionKernel="B70f", **other_scan(1))
    advice = look(root)
    (pair,) = advice.pairs
    assert [advice.kernels[key].label for key in pair.kernels] == [
        "B40f (Scanner Works)",
        "B70f (Scanner Works)",
    ]
    assert (pair.pairs, pair.folder) == (1, PurePosixPath("x"))
    assert pair_command(root, pair) == f"rgan-train pair '{root}/x' -o pairs.csv"


@pytest.mark.parametrize(
    "change",
    [
        {"ConvolutionKernel": "b40F"},
        {"ConvolutionKernel": None},
        {"ConvolutionKernel": ["B70f", "3"]},
        {"ConvolutionKernel": "B70f", "ReconstructionAlgorithm": "ITERATIVE"},
        {"ConvolutionKernel": "B70f", "PixelSpacing": [0.8, 0.8]},
        {"ConvolutionKernel": "B70f", "ImageType": ["DERIVED", "SECONDARY", "MPR"]},
        {"ConvolutionKernel": "B70f", "spacing": 3.0},
        {"ConvolutionKernel": "B70f", **other_scan(1)},
        {"ConvolutionKernel": "B70f", "FrameOfReferenceUID": uid(8, 1)},
    ],
)
def test_what_differs_in_more_than_the_kernel_is_no_pair(tmp_path, change):
    write_series(tmp_path / "a", 3, series=1)
    write_series(tmp_path / "b", 3, series=2, **change)
    assert look(tmp_path).pairs == ()


def test_folders_of_one_kernel_can_be_matched(tmp_path):
    for number in (1, 2):
        write_series(tmp_path / "came" / str(number), 10, series=number, **other_scan(number))
    sharp = {"ConvolutionKernel": "B70f"}
    write_series(tmp_path / "study", 20, series=3, **sharp, **other_scan(3))
    write_series(tmp_path / "few", 2, series=4, ConvolutionKernel="YA", **other_scan(4))
    write_series(tmp_path / "mixed", 20, series=5, ConvolutionKernel="UB", **other_scan(5))
    write_series(tmp_path / "mixed", 1, series=6, **sharp, **other_scan(6))
    kernels = {one.label.split()[0]: one for one in look(tmp_path).kernels.values()}
    assert kernels["B40f"].match.folders == (PurePosixPath("came"),)
    assert kernels["B70f"].match.folders == (PurePosixPath("study"),)
    assert kernels["YA"].match.problem == "has 2 slices, and some 20 are needed"
    assert kernels["UB"].match.problem.startswith("shares a folder with other series")
    assert match_command(tmp_path, kernels["B40f"], kernels["B70f"]) == (
        f"rgan-train match --source {tmp_path}/came --target {tmp_path}/study -o b40f-to-b70f.onnx"
    )
    assert match_command(tmp_path, kernels["B40f"], kernels["UB"]) is None


def test_scattered_folders_are_named_one_by_one_and_not_too_many(tmp_path):
    for number in range(1, 7):
        kernel = "YA" if number % 2 else "UB"
        write_series(
            tmp_path / str(number), 7, series=number, ConvolutionKernel=kernel, **other_scan(number)
        )
    for one in look(tmp_path).kernels.values():
        assert len(one.match.folders) == 3
    for number in range(7, 12):
        write_series(
            tmp_path / str(number),
            7,
            series=number,
            ConvolutionKernel="YA" if number % 2 else "UB",
            **other_scan(number),
        )
    problems = {one.match.problem for one in look(tmp_path).kernels.values()}
    assert "lies in 6 folders among others; give it one folder" in problems


def spectra(f50: float, seed: int):
    return measure_kernel(chests(exponential(f50, 2.2), 0.7, 4, seed=seed), (0.7, 0.7))


@pytest.fixture(scope="module")
def card():
    """Return a card whose curves show that its source is the sharper kernel."""
    curves = CardCurves.of(spectra(4.5, 1), spectra(3, 2))
    facts = {"source_kernels": ("B70f",), "target_kernel": "B40f", "manufacturers": ("SIEMENS",)}
    return make_series_card(**facts, curves=curves)


def two_kernels(root, **attributes):
    small = np.zeros((16, 16), np.uint16)
    for number, kernel in enumerate(("B40f", "B70f"), 1):
        write_series(
            root / kernel,
            20,
            series=number,
            stored=small,
            ConvolutionKernel=kernel,
            **{"Manufacturer": "SIEMENS"} | attributes | other_scan(number),
        )


def test_curves_of_a_card_tell_the_softest_kernel(tmp_path, card):
    two_kernels(tmp_path)
    advice = look(tmp_path, Candidate("m", card))
    assert advice.target == KernelKey("siemens", "b40f")
    assert not advice.is_measured
    (route,) = advice.routes()
    assert (route.kernel.label, route.models) == ("B70f (SIEMENS)", {"m": 1})
    assert advice_to_json(advice)["target"]["kernel"] == "B40f (SIEMENS)"


def test_names_do_not_tell_the_softest_kernel(tmp_path, card):
    two_kernels(tmp_path)
    for candidates in ((), (Candidate("m", dataclasses.replace(card, curves=None)),)):
        advice = look(tmp_path, *candidates)
        assert advice.target is None
        assert list(advice.routes()) == []
    assert measure_command(tmp_path) == f"rgan-harmonize scan {tmp_path} --kernels"


def test_a_matched_model_does_not_say_whose_its_target_is(tmp_path, card):
    two_kernels(tmp_path)
    matched = dataclasses.replace(card, certificate=MatchCertificate(0.1, 0.1, 0.1))
    assert look(tmp_path, Candidate("m", matched)).target is None


def test_another_makers_kernel_of_that_name_is_another_kernel(tmp_path, card):
    two_kernels(tmp_path, Manufacturer="Philips")
    assert look(tmp_path, Candidate("m", card)).target is None


def test_a_kernel_that_no_card_knows_leaves_it_open(tmp_path, card):
    two_kernels(tmp_path)
    write_series(tmp_path / "ya", 20, series=3, ConvolutionKernel="YA", **other_scan(3))
    advice = look(tmp_path, Candidate("m", card))
    assert advice.softest == KernelKey("siemens", "b40f")
    assert advice.target is None


def test_a_kernel_of_few_slices_is_no_target_and_does_not_stand_in_the_way(tmp_path, card):
    two_kernels(tmp_path)
    write_series(tmp_path / "ya", 2, series=3, ConvolutionKernel="YA", **other_scan(3))
    advice = look(tmp_path, Candidate("m", card))
    assert advice.target == KernelKey("siemens", "b40f")
    assert len(advice.candidates) == 2


@pytest.fixture(scope="module")
def measured_chests(tmp_path_factory):
    """Return chests of two kernels whose names say nothing, and what was measured of them."""
    root = tmp_path_factory.mktemp("chests")
    for number, (kernel, f50) in enumerate((("X", 4.5), ("Y", 3)), 1):
        (root / kernel).mkdir()
        write_chests(root / kernel, number, kernel, chests(exponential(f50, 2.2), 0.7, 4, number))
    measured = {
        (series.series_instance_uid, series.group): MeasuredKernel(
            {}, (), noise_hu=12.0, spectra=measure_series(series)
        )
        for series in find_series(root).series
    }
    return root, measured


def test_images_tell_the_softest_kernel(measured_chests, monkeypatch):
    root, measured = measured_chests
    monkeypatch.setattr("rgan_sdk.run.advice.advise.FEWEST_SLICES", 4)
    advice = look(root, measured=measured)
    assert advice.target == KernelKey("scanner works", "y")
    assert advice.kernels[advice.target].noise_hu == (12.0, 12.0)


def test_of_kernels_alike_the_one_that_models_reach_is_the_target(
    measured_chests, card, monkeypatch
):
    root, measured = measured_chests
    monkeypatch.setattr("rgan_sdk.run.advice.advise.FEWEST_SLICES", 4)
    soft = next(one for one in measured.values() if one.spectra is not None)
    alike = dict.fromkeys(measured, soft)
    for source, target in (("X", "Y"), ("Y", "X")):
        facts = {"source_kernels": (source,), "target_kernel": target, "manufacturers": ()}
        candidate = Candidate("m", dataclasses.replace(card, **facts))
        assert look(root, candidate, measured=alike).target.name == target.lower()


def test_noise_of_iterative_series_tells_no_kernel(measured_chests, monkeypatch):
    root, measured = measured_chests
    monkeypatch.setattr("rgan_sdk.run.advice.advise.FEWEST_SLICES", 4)
    inventory = find_series(root)
    series = tuple(dataclasses.replace(one, reconstruction="iDose") for one in inventory.series)
    inventory = dataclasses.replace(inventory, series=series)
    advice = advise(root, inventory, (), OPTIONS, measured)
    assert (advice.target, advice.compared) == (None, ())


def test_a_description_is_shown_unless_it_names_the_patient(tmp_path):
    texts = (" Thorax  5.0 ", f"Thorax {CANARY}", f"of {CANARY.lower()}4711", None, "Abd")
    for number, text in enumerate(texts, 1):
        write_series(tmp_path / str(number), 1, series=number, SeriesDescription=text)
    found = [read_description(series) for series in find_series(tmp_path).series]
    assert found == ["Thorax 5.0", "", "", "", "Abd"]


def test_json_names_no_patient(tmp_path):
    write_series(tmp_path / "a", 2, series=1)
    card = make_series_card(pixel_spacing=SpacingRange(1.0, 2.0, 1.5))
    found = advice_to_json(look(tmp_path, Candidate("m", card)))
    assert CANARY not in str(found)
    (group,) = found["groups"]
    (series,) = group["series"]
    assert (series["folder"], series["description"], series["slices"]) == ("a", "Chest", 2)
    assert len(series["patient"]) == 12
    assert group["models"][0]["reasons"]["spacing"]
