"""What the README and CITATION.cff state is what the repository holds."""

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CITATION = (ROOT / "CITATION.cff").read_text()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

RESULTS = ROOT / "docs/results/reproducibility/siemens_wide_B40f-B70f.json"
ROWS = {
    "source, as it is": "input",
    "linear filter, fitted to pairs": "linear, radial",
    "`compact`, the kind of network that is packaged": "compact",
    "RadiomicGAN": "RadiomicGAN",
}
"""Rows of the README's table, and the methods that they are about."""


def test_links_lead_somewhere():
    for target in re.findall(r"(?:\]\(|src=\")([^)#:\"]+)", README):
        assert (ROOT / target).exists(), target


def test_headings_that_are_linked_exist():
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors


def test_the_figures_are_those_of_the_results():
    results = json.loads(RESULTS.read_text())
    counts = {
        row["method"]: row["reproducible"]["0.85"]
        for row in results["agreement"]
        if row["group"] == "[-100, 250] HU"
    }
    for row, method in ROWS.items():
        lower, upper = counts[method]["interval"]
        decibels = results["quality"][method]["psnr_db"]["mean"]
        features = counts[method]["features"]
        line = f"| {row} | {features:,} | {lower:,.0f} to {upper:,.0f} | {decibels:.1f} dB |"
        assert line in README


def test_the_version_to_cite_is_this_one():
    assert f"\nversion: {VERSION}\n" in CITATION
    assert f"version = {{{VERSION}}}" in README
