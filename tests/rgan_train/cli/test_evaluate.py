"""``rgan-train evaluate``: from a list of pairs and a model to a report, and the refusals."""

import csv
import gzip
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK
from support.evaluations import RANGE, make_evaluation
from support.models import make_domain_card, write_model
from support.requirements import require_module
from support.training import list_pairs, open_dataset, train, write_pair_of_scans

from rgan_sdk.card import hash_series
from rgan_sdk.dicom.inventory import find_series
from rgan_train.evaluation.metrics.reproducibility import compare_all
from rgan_train.pairs.dataset import list_series

DIRECTION = ("--set", "data.source_kernel=B40f", "--set", "data.target_kernel=B70f")
WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoTorch())
from rgan_train.cli import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module", autouse=True)
def _pyradiomics():
    require_module("radiomics", "make eval-deps")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A list of pairs, a model and a parameter file of pyradiomics with five features."""
    folder = tmp_path_factory.mktemp("evaluate")
    pairs = list_pairs(write_pair_of_scans(folder, slices=16, size=96))
    parameters = folder / "few.yaml"
    parameters.write_text(
        "imageType: {Original: {}}\n"
        "featureClass: {firstorder: [Mean, Variance, Entropy], glcm: [Contrast, Correlation]}\n"
    )
    return pairs, write_model(folder / "blur.onnx"), parameters


def arguments(files, out, *more):
    pairs, model, parameters = files
    few = ("--parameters", parameters, "--regions", 10, "--workers", 1)
    return ("evaluate", pairs, "--model", f"mine={model}", "-o", out, *few, *more)


def test_a_report_without_torch(files, tmp_path):
    out = tmp_path / "report"
    command = [str(part) for part in arguments(files, out, *DIRECTION)]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "features: 15 done" in done.stderr
    assert "of 5 features with CCC > 0.85" in done.stdout
    assert "[300, 800] HU: 0 regions instead of 10" in done.stdout
    assert "of 5 features are stable. Exploratory: 1 patient." in done.stdout
    assert (out / "stable_features.csv").read_text().startswith("method,model_sha256,group,feature")
    assert "<!doctype html" in (out / "report.html").read_text()[:200].lower()
    results = json.loads((out / "results.json").read_text())
    assert results["methods"] == ["input", "mine"]
    assert results["provenance"]["command"].startswith("rgan-train ")
    with (out / "agreement.csv").open() as file:
        features = {row["feature"] for row in csv.DictReader(file)}
    assert len(features) == 5


def test_a_group_on_one_slice_has_no_limits(files, tmp_path, monkeypatch):
    made = make_evaluation()
    rois = [replace(roi, slice_number=0) for roi in made.table.rois]
    agreements = compare_all(replace(made.table, rois=rois))
    changed = replace(made, agreements=agreements)
    monkeypatch.setattr("rgan_train.evaluation.evaluate.evaluate", lambda *_, **__: changed)
    done = train(*arguments(files, tmp_path / "report", *DIRECTION))
    assert done.exit_code == 0, done.output
    count = changed.agreement(RANGE, "good").counts[0.85].features
    assert f"{count} of 7 features with CCC > 0.85; 24 regions on 1 slice\n" in done.output
    assert "nan" not in done.output


def test_the_same_command_again_computes_no_features(files, tmp_path):
    out = tmp_path / "report"
    assert train(*arguments(files, out, *DIRECTION)).exit_code == 0
    kept = {path: path.stat().st_mtime_ns for path in (out / "features").iterdir()}
    assert len(kept) == 40  # 15 slices, 10 of random pixels, 15 in other masks
    assert train(*arguments(files, out, *DIRECTION)).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in (out / "features").iterdir()} == kept


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "fit 2 directions"),
        ((*DIRECTION, "--model", "mine=b40f-to-b70f"), "two models would be called 'mine'"),
        ((*DIRECTION, "--model", "absent.onnx"), "absent.onnx"),
        (("--set", "data.source_kernel=B70f", "--set", "data.target_kernel=B40f"), "is for B40f"),
    ],
)
def test_refusals(files, tmp_path, more, message):
    done = train(*arguments(files, tmp_path / "report", *more))
    assert done.exit_code == 1
    assert message in done.output


def test_a_parameter_file_that_is_none(files, tmp_path):
    pairs, model, _ = files
    broken = tmp_path / "broken.yaml"
    broken.write_text("imageType: {Nonsense: {}}\n")
    out = tmp_path / "report"
    done = train("evaluate", pairs, "--model", model, "-o", out, "--parameters", broken, *DIRECTION)
    assert done.exit_code == 1
    assert "broken.yaml: no parameter file of pyradiomics" in done.output


def test_structures_of_a_mask_are_chosen(files, tmp_path):
    labels = np.zeros((16, 96, 96), np.uint8)
    labels[:, 30:50, 30:50], labels[:, 60:70, 30:50] = 2, 5
    image = SimpleITK.GetImageFromArray(labels[:, 20:80, 20:80])  # a part of the slices
    series = find_series(files[0].parent / "1-B40f").series[0]
    (rows, columns), (x, y, z) = series.pixel_spacing, series.slices[0].origin
    image.SetSpacing((columns, rows, 2.0))
    image.SetOrigin((x + 20 * columns, y + 20 * rows, z))
    mask = tmp_path / "mask.nrrd"
    SimpleITK.WriteImage(image, str(mask))
    out = tmp_path / "report"
    chosen = ("--masks", mask, "--structure", "Label 2")
    done = train(*arguments(files, out, *DIRECTION, *chosen))
    assert done.exit_code == 0, done.output
    with gzip.open(out / "features.csv.gz", "rt") as file:
        regions = {(row["group"], row["pixels"]) for row in csv.DictReader(file)}
    assert ("label 2", "400") in regions
    assert "label 5" not in {group for group, _ in regions}
    done = train(*arguments(files, out, *DIRECTION, "--masks", mask, "--structure", "GTV"))
    assert done.exit_code == 1
    assert "has a structure 'GTV'; they have: label 2, label 5" in " ".join(done.output.split())


def test_patients_that_a_model_knows_are_noted_once_the_list_has_grown(files, tmp_path):
    _, _, parameters = files
    scans, model = tmp_path / "scans", tmp_path / "m.onnx"

    def write_scans(*patients):
        for number in patients:
            write_pair_of_scans(scans, number=number, slices=2)
        return list_pairs(scans)

    def evaluate(pairs, out):
        done = train(*arguments((pairs, model, parameters), out, *DIRECTION))
        assert done.exit_code == 0, done.output
        results = json.loads((out / "results.json").read_text())
        return done.output, results["notes"], (out / "report.html").read_text()

    pairs = write_scans(1, 2, 3)
    fitted = open_dataset(scans)
    known = map(hash_series, list_series((*fitted.train, *fitted.validation)))
    write_model(model, make_domain_card(series_seen=tuple(sorted(known))))
    output, notes, page = evaluate(pairs, tmp_path / "report")
    assert not any("made with" in text for text in (output, *notes, page))
    output, notes, page = evaluate(write_scans(16, 17, 18), tmp_path / "of more")
    note = (
        "mine: 2 of the 4 tested series are among those that the model was made with, so its "
        "figures are not those of unseen patients"
    )
    assert f"note: {note}\n" in output
    assert note in notes
    assert note in page


def test_help_has_examples():
    done = train("evaluate", "--help")
    assert "--parameters pyradiomics.yaml" in done.output
