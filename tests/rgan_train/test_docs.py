"""The documentation states how quality is measured."""

from pathlib import Path

from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE

DOCS = Path(__file__).parents[2] / "docs"


def test_pages_state_the_range_that_quality_is_measured_in():
    lower, upper = int(QUALITY_RANGE.lower), int(QUALITY_RANGE.upper)
    stated = f"clipped to [{lower}, {upper}]"
    pages = ("evaluation", "results/methods", "results/compact", "results/packaged-models")
    for page in (*pages, "results/first-run"):
        assert stated in (DOCS / f"{page}.md").read_text(), page
    width = f"{upper - lower:,}"
    assert f"a data range of {width} HU" in (DOCS / "evaluation.md").read_text()
