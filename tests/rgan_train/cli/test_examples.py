"""The examples in ``rgan-train --help`` run as they stand, on small stand-ins for scans."""

from functools import cache

import numpy as np
import pytest
from support.cohorts import SHARP, SOFT, write_group
from support.dicom_phantoms import uid
from support.examples import (
    check_width,
    commands,
    examples,
    make_names,
    provide,
    run,
    said,
    understand,
)
from support.lungs import make_chest, write_chest
from support.models import make_series_card, write_model
from support.qa_phantoms import scan, write_scan
from support.requirements import require_module
from support.stable import GROUPS, write_stable_features
from support.structures import write_box, write_label_map, write_segmentation
from support.training import write_pair_of_scans
from support.training import write_scan as write_one
from support.windows import write_windows

from rgan_sdk.dicom.inventory import find_series
from rgan_train.evaluation.features.largest_slice import LargestSliceExtractor

PROGRAM = "rgan-train"
SMALL_TRAINING = (
    "training.crop=32",
    "training.batch_size=2",
    "training.steps_per_epoch=2",
)
SMALL_NETWORK = (
    "generator.encoder=none",
    "generator.widths=[4, 8]",
    "generator.stem_channels=4",
    "generator.output=residual",
    "discriminator.channels=4",
    "discriminator.strided_layers=1",
)
SMALL_COMPACT = ("compact.channels=4", "compact.layers=2")
SMALL_CHOE = ("choe.channels=4", "choe.layers=2")
DIRECTION = """[data]
source_kernel = "B40f"
target_kernel = "B70f"
"""
FEW = "imageType: {Original: {}}\nfeatureClass: {firstorder: [Mean, Variance], glcm: [Contrast]}\n"


a_chest = cache(make_chest)


def model(source="B40f", target="B70f"):
    card = make_series_card(source_kernels=(source,), target_kernel=target)
    return lambda path: write_model(path, card)


def pairs(path):
    """Write a list of pairs, and the scans beside it."""
    write_pair_of_scans(path.with_name("scans"), slices=16, size=96)
    done = run("rgan-train pair scans -o pairs.csv")
    assert done.exit_code == 0, done.output


def trained(path):
    pairs(path.parents[1] / "pairs.csv")
    direction(path.parents[1] / "my.toml")
    example = f"rgan-train fit pairs.csv -o {path} --config my.toml"
    done = run(example, smaller(example))
    assert done.exit_code == 0, done.output


def direction(path):
    path.write_text(DIRECTION)


def run_with_windows(path):
    trained(path)
    write_windows(path / "windows.jsonl")


def group(mtf, kernel, number, patients=1, slices=6):
    return lambda path: write_group(path, mtf, kernel, number, patients, slices)


def chest(path):
    write_chest(path, a_chest()[0])


def case(number, kernel, **attributes):
    """Return what writes the chest of another patient."""
    own = {"PatientID": f"patient {number}", "StudyInstanceUID": uid(number), **attributes}
    series = 10 * number + len(own)
    return lambda path: write_chest(path, a_chest()[0], kernel, series, **own)


def whole_case(number):
    def write(path):
        case(number, "B40f")(path / "B40f")
        case(number, "B40f", **HARMONIZED)(path / "harmonized")
        case(number, "B70f", SeriesNumber=9, SeriesDescription="CHEST")(path / "B70f")

    return write


def segmentation(scan):
    return lambda path: write_segmentation(path, "Tumour", series_of(scan))


def few_features(path):
    path.write_text(FEW)


def stable_features(path):
    few_features(path.with_name("few.yaml"))
    sha256 = LargestSliceExtractor(path.with_name("few.yaml")).sha256
    write_stable_features(path, sha256, {"original_firstorder_Mean": GROUPS})


HARMONIZED = {"SeriesDescription": "CHEST RGAN>B70f"}


def chest_with_both_kernels(path):
    for series, kernel in enumerate(("B40f", "B70f"), start=1):
        write_chest(path / kernel, a_chest()[0], kernel, series)


def lungs(*labels):
    """Return what writes the lungs, with the labels one below the other."""

    def write(path):
        mask = a_chest()[1]
        parts = np.array_split(np.arange(mask.shape[1]), len(labels))
        found = np.zeros(mask.shape, np.uint8)
        for label, rows in zip(labels, parts, strict=True):
            found[:, rows] = np.where(mask[:, rows], label, 0)
        write_label_map(path, found, series_of("scan"))

    return write


def table(path):
    """Write features of twelve cases."""
    random = np.random.default_rng(0)
    lines = ["case,label,variant,region,original_firstorder_Mean,original_glcm_Contrast"]
    for number in range(12):
        label = ("benign", "malignant")[number % 2]
        for variant in ("source", "harmonized", "target"):
            first, second = random.normal(size=2)
            lines.append(f"n{number},{label},{variant},GTV,{first},{second}")
    path.write_text("\n".join(lines) + "\n")


def large_pair(path):
    for series, kernel in enumerate(("B40f", "B70f"), start=1):
        write_one(path / kernel, kernel, series=series, slices=16, size=352)


def series_of(folder):
    return find_series(folder).series[0]


def settings(*assignments):
    return [part for text in assignments for part in ("--set", text)]


def smaller(example):
    """Return arguments that take time off an example, and nothing else."""
    command = example.split()[1]
    if command == "fit":
        network = SMALL_CHOE if "--method choe" in example else SMALL_NETWORK
        epochs = "training.epochs=2" if "--resume" in example else "training.epochs=1"
        return settings(*SMALL_TRAINING, *network, epochs)
    if command == "distill" or "--method compact" in example:
        return settings(*SMALL_TRAINING, *SMALL_COMPACT, "training.epochs=1")
    if command == "evaluate":
        return ["--parameters", "few.yaml", "--regions", "2", "--workers", "1"]
    if command == "features":
        return ["--parameters", "few.yaml"]
    return []


PROVIDED = {
    "": {"SCANS": lambda path: write_pair_of_scans(path, slices=16, size=96)},
    "pair": {"SCANS": write_pair_of_scans},
    "match": {
        "CAME": group(SHARP, "SHARP", 1),
        "STUDY": group(SOFT, "SOFT", 2),
        "A1": group(SHARP, "A", 3),
        "A2": group(SHARP, "A", 4),
        "B": group(SOFT, "B", 5),
        "C": group(SOFT, "C", 6),
        "QA/B40f": lambda path: write_scan(path, scan(SOFT, 4, seed=1), "B40f", 11),
        "QA/B70f": lambda path: write_scan(path, scan(SHARP, 4, seed=2), "B70f", 12),
    },
    "simulate": {"SERIES": lambda path: write_one(path, "B70f")},
    "fit": {"pairs.csv": pairs, "my.toml": direction},
    "distill": {"pairs.csv": pairs, "b40f-to-b70f.onnx": model()},
    "export": {"runs/first": trained},
    "windows": {"runs/first": run_with_windows},
    "cam": {"runs/first": trained},
    "evaluate": {
        "pairs.csv": pairs,
        "my.toml": direction,
        "mine.onnx": model(),
        "old.onnx": model(),
        "rtstruct.dcm": lambda path: write_box(path, "GTV", series_of("scans/1-B40f")),
        "pyradiomics.yaml": few_features,
        "CAME": group(SHARP, "SHARP", 1, patients=2, slices=3),
        "STUDY": group(SOFT, "SOFT", 2, patients=2, slices=3),
        "came-to-study.onnx": model("SHARP", "SOFT"),
    },
    "measure": {
        "SCANS": chest,
        "scan": chest_with_both_kernels,
        "lungs.nii.gz": lungs(1),
        "total.nii.gz": lungs(10, 11),
    },
    "features": {
        "scan": chest_with_both_kernels,
        "harmonized": case(1, "B40f", **HARMONIZED),
        "report/stable_features.csv": stable_features,
        "gtv.dcm": lambda path: write_box(path, "GTV", series_of("scan/B40f")),
        "nodules.nii.gz": lungs(1),
        "seg.dcm": segmentation("scan/B40f"),
        "pyradiomics.yaml": few_features,
        "n01": whole_case(2),
        "n01/seg.dcm": segmentation("n01/B40f"),
        "n02": whole_case(3),
        "n02/seg.dcm": segmentation("n02/B40f"),
    },
    "traits": {"features.csv": table},
    "compare": {"SCANS": large_pair, "mine.onnx": model()},
}


SLOW = {"", "match", "distill", "export", "evaluate"}
"""Commands that export models, or evaluate: half a minute and more each."""


@pytest.mark.parametrize(
    "command",
    [pytest.param(one, marks=pytest.mark.slow if one in SLOW else ()) for one in commands(PROGRAM)],
)
def test_examples(command, tmp_path, monkeypatch):
    require_module("radiomics", "make eval-deps")
    monkeypatch.chdir(tmp_path)
    few_features(tmp_path / "few.yaml")
    provide(PROVIDED.get(command, {}), tmp_path)
    found = examples(PROGRAM, command)
    assert found
    for example in found:
        result = run(example, smaller(example))
        assert result.exit_code == 0, said(example, result)


@pytest.mark.parametrize("command", sorted(SLOW))
def test_slow_examples_are_understood(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_names(PROVIDED[command], tmp_path)
    for example in examples(PROGRAM, command):
        understand(example)


@pytest.mark.parametrize("command", commands(PROGRAM))
def test_help_fits_a_terminal(command):
    check_width(PROGRAM, command)
