"""The examples in ``rgan-train --help`` run as they stand, on small stand-ins for scans."""

import pytest
from support.cohorts import SHARP, SOFT
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
from support.public_index import FakeClient, make_index
from support.qa_phantoms import scan, write_scan
from support.requirements import require_module
from support.small import smaller
from support.stand_ins import (
    HARMONIZED,
    case,
    chest,
    chest_with_both_kernels,
    direction,
    few_features,
    group,
    large_pair,
    lungs,
    model,
    pairs,
    run_with_windows,
    segmentation,
    series_of,
    stable_features,
    table,
    trained,
    whole_case,
)
from support.structures import write_box
from support.training import write_pair_of_scans
from support.training import write_scan as write_one
from support.writeups import write_pairs

from rgan_train.public import download

PROGRAM = "rgan-train"

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
        "rtstruct.dcm": lambda path: write_box(path, "GTV", series_of("paired/1-B40f")),
        "pyradiomics.yaml": few_features,
        "CAME": group(SHARP, "SHARP", 1, patients=2, slices=3),
        "STUDY": group(SOFT, "SOFT", 2, patients=2, slices=3),
        "came-to-study.onnx": model("SHARP", "SOFT"),
    },
    "methods-text": {"report": write_pairs},
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
    stand_in_for_the_archive(monkeypatch)
    few_features(tmp_path / "few.yaml")
    provide(PROVIDED.get(command, {}), tmp_path)
    found = examples(PROGRAM, command)
    assert found
    for example in found:
        result = run(example, smaller(example.split()[1:]))
        assert result.exit_code == 0, said(example, result)


def stand_in_for_the_archive(monkeypatch):
    """Let `public-pairs` see a small index of 50 patients, and a client that needs no network."""
    index = make_index(monkeypatch, more=47)
    monkeypatch.setattr(download, "open_client", lambda: FakeClient(index))


@pytest.mark.parametrize("command", sorted(SLOW))
def test_slow_examples_are_understood(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_names(PROVIDED[command], tmp_path)
    for example in examples(PROGRAM, command):
        understand(example)


@pytest.mark.parametrize("command", commands(PROGRAM))
def test_help_fits_a_terminal(command):
    check_width(PROGRAM, command)
