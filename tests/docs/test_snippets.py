"""Each code block of the README and the documentation runs word for word, in an empty folder."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pytest
from support import stand_ins
from support.cohorts import SHARP, SOFT
from support.examples import Provide, check_options, provide
from support.models import make_series_card, write_model
from support.nifti import scan_hu, write_nifti
from support.qa_phantoms import scan, write_scan
from support.requirements import require_module
from support.runs import write_inputs
from support.snippets import ROOT, Snippet, pages, run, snippets
from support.structures import write_box
from support.training import write_scan as write_one

RUN = ("bash", "python")
SHOWN = ("text", "{literalinclude}", "{toctree}", "{eval-rst}", "bibtex")
"""Marks of blocks that are to be read, and of those that Sphinx turns into text."""

INSTALL = {".", "docker", "git", "make", "pip", "python3", "source"}
"""Programs that install: blocks of these alone need a network and an environment of their own."""

NOT_RUN = {
    "docs/containers.md": "needs a Docker engine",
    "docs/embedding-c.md": "tests/cpp_bindings and tests/packaging build and run its programs",
    "docs/engines.md": "needs two GPUs with TensorRT",
    "docs/orthanc.md": "installs Orthanc; tests/examples/test_orthanc.py runs it with the script",
    "docs/public-data.md": "needs the index of an archive; tests/test_recipes.py runs a recipe",
    "docs/results/": "repeats a measurement: real scans and hours",
    "examples/README.md": "a folder for each script: tests/examples runs them",
}
"""Pages whose commands are only looked at, and why."""

ARRAYS = "import numpy as np\nslices = a = b = np.load('slices.npy')\nfrequency = np.arange(6.0)\n"
"""What the programs of docs/kernels.md take as given."""


class Page(NamedTuple):
    """What a page needs, and what it leaves.

    Attributes
    ----------
    provided
        What the page names and does not make.
    prelude
        What its programs in Python take as given.
    makes
        How many files there are in the end, by pattern.
    says
        How often something is printed.
    slow
        Whether it takes more than half a minute.
    """

    provided: Mapping[str, Provide] = {}
    prelude: str = ""
    makes: Mapping[str, int] = {}
    says: Mapping[str, int] = {}
    slow: bool = False


def model_for_ge(path):
    card = make_series_card(name=path.stem, source_kernels=("STANDARD",), target_kernel="B40f")
    write_model(path, card)


def rods(mtf, kernel, number):
    return lambda path: write_scan(path, scan(mtf, 4, seed=number), kernel, number)


def rod_slices(path):
    np.save(path, scan(SOFT, 4))


def rename(path):
    """Write a series of one patient with a file of the name that docs/outputs.md has."""
    stand_ins.one_series()(path.parent)
    next(path.parent.iterdir()).rename(path)


def nifti_folder(path):
    path.mkdir()
    write_nifti(path / "one.nii.gz", scan_hu(), sidecar={"ConvolutionKernel": "B40f"})


SCRIPT = re.compile(r"(benchmarks|examples|recipes)/.*\.(py|sh)")

TWO_GROUPS = {
    "scans/came": stand_ins.group(SHARP, "SHARP", 1, patients=2, slices=4),
    "scans/study": stand_ins.group(SOFT, "SOFT", 2, patients=2, slices=4),
}
PAIR = {"pairs.csv": stand_ins.pairs}

PAGES = {
    "README.md": Page(
        {"scans": stand_ins.scans, **TWO_GROUPS},
        makes={
            "harmonized/*/*.dcm": 12,
            "matched/*/*.dcm": 8,
            "harmonized-by-mine/*/*.dcm": 12,
            "report/report.html": 1,
        },
    ),
    "docs/cluster.md": Page(
        {"scans": lambda path: write_inputs(path, series=6, slices=2, size=64)},
        makes={"harmonized/part-*/*/*.dcm": 12, "harmonized/report.json": 1},
    ),
    "docs/cohorts.md": Page(
        {"scans": stand_ins.scans, "standard-to-b40f.onnx": model_for_ge},
        makes={"harmonized/*/*.dcm": 24},
    ),
    "docs/deploy.md": Page({"scans": stand_ins.scans}, makes={"bench.json": 1}),
    "docs/domain.md": Page({"scans": stand_ins.scans}, makes={"b40f-to-b70f.png": 1}),
    "docs/evaluation.md": Page(
        {
            "scans/pair": stand_ins.pair_of_scans,
            **TWO_GROUPS,
            "mine.onnx": stand_ins.model(),
            "came-to-study.onnx": stand_ins.model("SHARP", "SOFT"),
        },
        makes={"report/report.html": 1},
        says={"FeatureCount(features=": 1},
        slow=True,
    ),
    "docs/features.md": Page(
        {
            "scan": stand_ins.one_series(slices=12),
            "rtstruct.dcm": lambda path: write_box(path, "GTV", stand_ins.series_of("scan")),
            "report/stable_features.csv": stand_ins.stable_features,
        },
        makes={"features.csv": 1, "study.csv": 1, "study-stable.json": 1},
    ),
    "docs/kernels.md": Page(
        {
            "scans/a": stand_ins.group(SHARP, "SHARP", 1),
            "scans/b": stand_ins.group(SOFT, "SOFT", 2),
            "qa/january": rods(SOFT, "B40f", 1),
            "slices.npy": rod_slices,
        },
        prelude=ARRAYS,
        makes={"*.png": 2},
    ),
    "docs/lung.md": Page(
        {
            **PAIR,
            "mine.onnx": stand_ins.model(),
            "scans": stand_ins.chest,
            "scan": stand_ins.chest_with_both_kernels,
            "lungs.nii.gz": stand_ins.lungs(1),
        },
        makes={"lung.csv": 1, "lung.json": 1},
        slow=True,
    ),
    "docs/matching.md": Page(
        {
            "scans/came": stand_ins.group(SHARP, "SHARP", 1, slices=12),
            "scans/study": stand_ins.group(SOFT, "SOFT", 2, slices=12),
            "qa/B40f": rods(SOFT, "B40f", 11),
            "qa/B70f": rods(SHARP, "B70f", 12),
        },
        makes={"came-to-study.onnx": 1, "b40f-to-b70f.onnx": 1, "*.certificate.png": 2},
        slow=True,
    ),
    "docs/methods-text.md": Page(
        {**PAIR, "mine.onnx": stand_ins.model()},
        makes={"report/methods.tex": 1, "paper/supplement/clear.md": 1},
        slow=True,
    ),
    "docs/nifti.md": Page(
        {
            "scan.nii.gz": lambda path: write_nifti(path, scan_hu()),
            "nifti-scans": nifti_folder,
        },
        makes={"**/*.nii.gz": 4},
    ),
    "docs/outputs.md": Page(
        {"scans": stand_ins.scans, "scans/patient-7/ct/0031.dcm": rename},
        makes={"harmonized/*/*.dcm": 16, "by-patient/*/*/*/0001.dcm": 2, "one-file/*/*.dcm": 1},
    ),
    "docs/python.md": Page(
        {"scans": stand_ins.scans},
        makes={"*.dcm": 12},
        says={
            "12 Harmonized from convolution kernel B40f to B70f by": 1,
            "done 12": 1,
            "skipped 0 ConvolutionKernel (0018,1210) is B70f, the target": 1,
            "[(2, 128, 128)": 1,
        },
    ),
    "docs/ray.md": Page(
        {"scans": stand_ins.scans},
        makes={"harmonized*/*/*.dcm": 36},
        says={"{'done': 1, 'skipped': 1, 'failed': 0}": 1},
        slow=True,
    ),
    "docs/scan.md": Page({"scans": stand_ins.scans}, makes={"harmonized/*/*.dcm": 12}),
    "docs/simulation.md": Page(
        {"SERIES": lambda path: write_one(path, "B70f")},
        makes={"pairs.csv": 1, "simulated/*.dcm": 12},
    ),
    "docs/training.md": Page(
        {"SCANS": stand_ins.large_pair, "my.toml": stand_ins.small_settings},
        makes={"fold?.onnx": 5, "runs/*/config.json": 10, "case.png": 1},
        slow=True,
    ),
    "docs/tutorials/data-manager.md": Page(
        makes={"harmonized/*/*.dcm": 4},
        says={"series: 1 done, 1 skipped, 0 failed": 2},
        slow=True,
    ),
    "docs/tutorials/engineer.md": Page(
        makes={"harmonized/*/*.dcm": 3},
        says={
            "(2, 128, 128)": 1,
            "ConvolutionKernel (0018,1210) is B40f": 1,
            "'done': 1, 'skipped': 0, 'failed': 0": 1,
        },
        slow=True,
    ),
    "docs/tutorials/physicist.md": Page(
        makes={"harmonized/*/*.dcm": 6, "report/report.html": 1},
        says={"halves of both groups differ by": 2, "a classifier tells the groups apart": 1},
        slow=True,
    ),
}

BLOCKS = [block for page in pages() for block in snippets(page)]


def is_run(block: Snippet) -> bool:
    return (
        block.language in RUN and not block.page.startswith(tuple(NOT_RUN)) and not installs(block)
    )


def installs(block: Snippet) -> bool:
    return block.language == "bash" and block.programs <= INSTALL


def label(block: Snippet) -> str:
    return f"{block.page}:{block.line}"


WITH_BLOCKS = sorted({block.page for block in BLOCKS if is_run(block)})


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow if PAGES.get(page, Page()).slow else ())
        for page in WITH_BLOCKS
    ],
)
def test_page(page, tmp_path, monkeypatch):
    require_module("radiomics", "make eval-deps")
    folder, tools = tmp_path / "folder", tmp_path / "tools"
    folder.mkdir()
    tools.mkdir()
    monkeypatch.chdir(folder)
    needs = PAGES.get(page, Page())
    provide(needs.provided, folder)
    blocks = [block for block in BLOCKS if block.page == page and is_run(block)]
    printed = "".join(run(block, folder, tools, needs.prelude) for block in blocks)
    assert {one: len(list(folder.glob(one))) for one in needs.makes} == needs.makes
    assert {text: printed.count(text) for text in needs.says} == needs.says


@pytest.mark.parametrize("block", BLOCKS, ids=label)
def test_each_block_says_what_it_is(block):
    assert block.language.partition(" ")[0] in (*RUN, *SHOWN)


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.language == "bash" and not is_run(block)],
    ids=label,
)
def test_commands_that_are_not_run_exist(block):
    for words in block.commands():
        check_options(words)
        scripts = [word for word in words if SCRIPT.fullmatch(word)]
        assert all((ROOT / script).is_file() for script in scripts)


def test_the_table_has_no_page_that_is_gone():
    assert set(PAGES) <= set(WITH_BLOCKS)
    assert all(any(page.startswith(start) for page in pages()) for start in NOT_RUN)
