"""Two groups without pairs, from DICOM to the report."""

import csv
import json

import numpy as np
import pytest
from support.cohorts import SHARP, SOFT, make_cohort, write_group
from support.models import make_card, make_domain_card, write_model
from support.requirements import require_module
from support.training import train

from rgan_sdk.card import hash_series
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.evaluation.cohorts import evaluate as module
from rgan_train.evaluation.cohorts import variants
from rgan_train.evaluation.cohorts.cohort import read_cohort
from rgan_train.evaluation.cohorts.controls import BLUR, RANDOM
from rgan_train.evaluation.cohorts.evaluate import evaluate_cohorts
from rgan_train.evaluation.cohorts.features import choose_regions
from rgan_train.evaluation.cohorts.results import HALVES, UNPROVEN
from rgan_train.evaluation.cohorts.variants import Methods, as_written
from rgan_train.evaluation.evaluate import EvaluationOptions
from rgan_train.evaluation.report.cohorts.findings import (
    describe_blur,
    lesion_failures,
    list_warnings,
    mean_auc,
)
from rgan_train.evaluation.report.cohorts.write import write_cohort_report
from rgan_train.evaluation.writeup.report import read_report
from rgan_train.evaluation.writeup.write import write_texts

SOFT_KERNEL, SHARP_KERNEL = "B40f", "B70f"
FEW = "imageType: {Original: {}}\nfeatureClass: {firstorder: [Mean, Variance], glcm: [Contrast]}\n"


@pytest.fixture(scope="module", autouse=True)
def _pyradiomics():
    require_module("radiomics", "make eval-deps")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two patients sharp, two patients soft, a model that blurs the sharp, and few features."""
    folder = tmp_path_factory.mktemp("cohorts")
    write_group(folder / "sharp", SHARP, SHARP_KERNEL, 1, patients=2, slices=3)
    write_group(folder / "soft", SOFT, SOFT_KERNEL, 2, patients=2, slices=3)
    card = make_card(source_kernels=(SHARP_KERNEL,), target_kernel=SOFT_KERNEL)
    write_model(folder / "model.onnx", card)
    (folder / "few.yaml").write_text(FEW)
    return folder


def series(folder):
    return find_series(folder).series


@pytest.fixture(scope="module")
def evaluation(root):
    return evaluate_cohorts(
        series(root / "sharp"),
        series(root / "soft"),
        {"mine": root / "model.onnx"},
        root / "features",
        options=EvaluationOptions(root / "few.yaml", regions=10),
        notes=["a note"],
    )


@pytest.mark.slow
def test_all_rows_are_compared(evaluation):
    assert evaluation.rows == [
        HALVES,
        "input",
        "mine",
        "input + ComBat",
        "mine + ComBat",
        RANDOM,
        BLUR,
    ]
    assert "whole slice" in evaluation.kinds
    assert "[-100, 250] HU" in evaluation.kinds
    assert (evaluation.source.patients, evaluation.target.slices) == (2, 6)
    assert evaluation.by_patient
    assert evaluation.units == "slices"
    assert set(evaluation.images) == {"target", "input", "mine", RANDOM, BLUR}


@pytest.mark.slow
def test_the_input_is_told_apart_and_the_blur_is_not(evaluation):
    soft_tissue = "[-100, 250] HU"
    assert evaluation.group(soft_tissue, "input").separation.auc > 0.9
    assert mean_auc(evaluation, BLUR) < mean_auc(evaluation, "input")


@pytest.mark.slow
def test_controls_fail_lesions_and_the_report_says_so(evaluation):
    assert len(lesion_failures(evaluation.lesions, BLUR)) >= 6
    assert len(lesion_failures(evaluation.lesions, RANDOM)) == 12
    assert not lesion_failures(evaluation.lesions, "target")
    assert "fails" in describe_blur(evaluation)


def test_series_that_a_model_was_made_with_are_noted(tmp_path):
    source = make_cohort("source", SHARP, SHARP_KERNEL, 1, patients=2, slices=2)
    target = make_cohort("target", SOFT, SOFT_KERNEL, 2, slices=2)
    known = source.series_uids[1], target.series_uids[0]
    card = make_domain_card(
        source_kernels=(SHARP_KERNEL,),
        target_kernel=SOFT_KERNEL,
        series_seen=tuple(sorted(map(hash_series, known))),
    )
    model = write_model(tmp_path / "model.onnx", card)
    with Methods({"mine": model}, source, target) as methods:
        notes = methods.records["mine"]["notes"]
    assert any(note.startswith("2 of the 3 tested series are among") for note in notes)


@pytest.mark.slow
def test_what_it_cannot_prove_comes_first(evaluation):
    warnings = list_warnings(evaluation)
    assert warnings[0] == UNPROVEN
    assert "a note" in warnings
    assert any("mine: the pixel spacing is" in warning for warning in warnings)


@pytest.mark.slow
def test_the_report(evaluation, tmp_path):
    page = write_cohort_report(evaluation.with_provenance(command="this"), tmp_path / "report")
    text = page.read_text()
    assert UNPROVEN.replace("'", "&#39;") in text
    assert text.count("<svg") >= 2 + len(evaluation.kinds)
    assert text.count("data:image/png") == 2 * 5
    found = json.loads((tmp_path / "report" / "results.json").read_text())
    assert found["provenance"]["command"] == "this"
    assert found["provenance"]["scans"]["source"]["series"] == 2
    assert found["provenance"]["statistics"]["most_folds"] == 8
    write_texts(read_report(tmp_path / "report"), tmp_path / "paper")
    text = (tmp_path / "paper" / "methods.md").read_text()
    assert "source group has 2 series of 2 patients" in text
    assert "nodules" in text
    (soft_tissue,) = [
        one for one in found["groups"] if (one["kind"], one["name"]) == ("[-100, 250] HU", "input")
    ]
    assert soft_tissue["separation"]["auc"] > 0.9
    with (tmp_path / "report" / "lesions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["variant"] for row in rows} == {"target", "input", "mine", RANDOM, BLUR}
    assert "| control: blur of both groups |" in (tmp_path / "report" / "tables.md").read_text()


@pytest.mark.slow
def test_names_of_models_cannot_break_the_page(evaluation, tmp_path):
    from dataclasses import replace

    name = "<script>alert(1)</script>"
    images = {**evaluation.images, name: evaluation.images["mine"]}
    lesions = replace(
        evaluation.lesions,
        seen={**evaluation.lesions.seen, name: evaluation.lesions.seen["mine"]},
    )
    groups = [replace(one, name=one.name.replace("mine", name)) for one in evaluation.groups]
    changed = replace(evaluation, models=(name,), images=images, lesions=lesions, groups=groups)
    text = write_cohort_report(changed, tmp_path).read_text()
    assert name not in text
    assert "&lt;script&gt;alert(1)" in text


def test_too_few_slices_are_refused(root):
    found = series(root / "sharp")
    with pytest.raises(TrainingError, match=r"the source group has 3 slice\(s\), and"):
        read_cohort("source", found[:1])
    cohort = read_cohort("source", found, most=5)
    assert len(cohort.patients) == 5
    assert set(cohort.patients) == {one.patient for one in found}


def test_a_name_that_is_taken_and_a_model_for_other_kernels(root):
    groups = series(root / "soft"), series(root / "sharp")
    few = EvaluationOptions(root / "few.yaml")
    for models, reason in (
        ({"input": root / "model.onnx"}, "cannot be called 'input'"),
        ({BLUR: root / "model.onnx"}, "cannot be called"),
        ({"mine": root / "model.onnx"}, "is for B70f, and the source is B40f"),
    ):
        with pytest.raises(ConfigurationError, match=reason):
            evaluate_cohorts(*groups, models, root / "features", options=few)


def test_a_model_for_another_target_is_refused(root):
    few = EvaluationOptions(root / "few.yaml")
    groups = series(root / "sharp"), series(root / "soft")
    card = make_card(source_kernels=(SHARP_KERNEL,), target_kernel="B30f")
    models = {"mine": write_model(root / "other.onnx", card)}
    with pytest.raises(ConfigurationError, match="harmonizes to B30f, and the target is B40f"):
        evaluate_cohorts(*groups, models, root / "features", options=few)


def test_harmonized_slices_are_held_as_files_hold_them():
    cohort = make_cohort("source", SOFT, "B40f", 1, slices=1)
    (scan,) = cohort.scans
    written = as_written(scan, scan.hu - 700.4)
    assert np.array_equal(written, np.rint(written))
    assert written[~scan.padding].min() == scan.lowest
    assert (written[scan.padding] == PADDING_HU).all()


def test_models_see_the_source_as_it_is(monkeypatch):
    cohort = make_cohort("source", SOFT, "B40f", 1, slices=1)
    seen = []
    monkeypatch.setattr(variants, "CONTROLS", {"look": lambda scan, hu: (seen.append(hu), hu)[1]})
    with Methods({}, cohort, cohort) as methods:
        methods.apply("look", cohort, cohort.images, lambda: None)
    assert seen[0] is cohort.scans[0].hu


def test_regions_do_not_depend_on_the_noise_of_the_kernel():
    """Thresholds on noisy pixels would choose the pixels that noise has moved."""
    cohort = make_cohort("source", SHARP, "B70f", 1, slices=2)
    (scan,) = cohort.scans
    noise = np.random.default_rng(0).normal(0, 60, scan.hu.shape)
    scan.hu[:] += noise.astype(np.float32)
    regions, notes = choose_regions(cohort, 20)
    rows = np.flatnonzero(regions.kinds == "[-100, 250] HU")
    values = []
    for number, masks in enumerate(regions.masks):
        kinds = regions.kinds[regions.slices == number]
        values += [
            scan.hu[number][m]
            for m, k in zip(masks, kinds, strict=True)
            if k[1] == "-" and k[2] == "1"
        ]
    assert len(rows) >= 20
    assert np.concatenate(values).min() < -100
    assert not any("[-100, 250]" in note for note in notes)


@pytest.mark.slow
def test_the_command(root, evaluation, tmp_path, monkeypatch):
    told = {}

    def evaluate(source, target, models, cache, **more):
        told.update(source=source, target=target, models=models, **more)
        return evaluation

    monkeypatch.setattr(module, "evaluate_cohorts", evaluate)
    groups = ("--source", root / "sharp", "--target", root / "soft")
    model = ("--model", f"mine={root / 'model.onnx'}", "-o", tmp_path / "out")
    done = train("evaluate", *groups, *model, "--regions", 20)
    assert done.exit_code == 0, done.output
    assert {one.convolution_kernel for one in told["source"]} == {SHARP_KERNEL}
    assert {one.convolution_kernel for one in told["target"]} == {SOFT_KERNEL}
    assert (told["models"], told["options"].regions) == ({"mine": str(root / "model.onnx")}, 20)
    assert "With mine a classifier tells the groups apart" in done.output
    assert UNPROVEN in done.output
    assert (tmp_path / "out" / "report.html").exists()
    again = train("evaluate", "--source", root / "soft", "--target", root / "soft", *model)
    assert again.exit_code == 1
    assert "give folders that have nothing in common" in again.output


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "give PAIRS.csv, or --source and --target"),
        (("--source", "sharp"), "a group of series each"),
        (("few.yaml", "--source", "sharp", "--target", "soft"), "do not go with them"),
        (("--source", "sharp", "--target", "soft", "--set", "a.b=1"), "do not go with them"),
        (("few.yaml", "--mixed"), "--mixed goes with"),
    ],
)
def test_groups_and_pairs_are_not_mixed(root, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(root)
    done = train("evaluate", *arguments, "--model", "model.onnx", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert reason in " ".join(done.output.split())
