"""Tables and figures of a report without pairs, in a browser."""

from xml.etree import ElementTree

import pytest
from support.browser import save_figure
from support.cohort_evaluations import GOOD, make_cohort_evaluation
from support.evaluations import LONG_NAMES, RANGES

from rgan_train.evaluation.report.cohorts.write import write_cohort_report

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    evaluation = make_cohort_evaluation(dict.fromkeys(LONG_NAMES, GOOD))
    return write_cohort_report(evaluation, tmp_path_factory.mktemp("cohorts"))


@pytest.fixture
def page(browser, report):
    browser.events.clear()
    browser.open(report.as_uri())
    yield browser
    assert "Runtime.exceptionThrown" not in [event["method"] for event in browser.events]
    browser.call("Emulation.clearDeviceMetricsOverride")


@pytest.mark.parametrize("width", [1280, 1920])
def test_tables_fit(page, width):
    page.resize(width)
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("document.querySelectorAll('.sortable').length") >= 6
    assert page.overflowing() == []


def test_a_figure_is_saved(page, tmp_path):
    root = ElementTree.fromstring(save_figure(page, "auc", "svg", tmp_path))
    texts = {element.text for element in root.iter(f"{SVG}text")}
    assert {"whole slice", *RANGES, "control: blur of both groups"} <= texts
    assert {f"radiomicgan-b4…f-fold-{number}-of-8" for number in range(1, 9)} <= texts
    assert set(LONG_NAMES) <= {element.text for element in root.iter(f"{SVG}title")}
    assert "var(" not in ElementTree.tostring(root, "unicode")


def test_examples_are_saved_with_their_names(page, tmp_path):
    root = ElementTree.fromstring(save_figure(page, "lesion-1", "svg", tmp_path))
    texts = " ".join(element.text for element in root.iter(f"{SVG}text"))
    assert texts.startswith("A nodule of 6 mm and 100 HU target")
    images = [element.attrib["href"] for element in root.iter(f"{SVG}image")]
    assert len(images) == 2 + len(LONG_NAMES) + 2
    assert all(image.startswith("data:image/png;base64,") for image in images)


def test_links_lead_to_the_files_beside_it(report):
    html = report.read_text()
    for name in ("results.json", "lesions.csv", "tables.tex"):
        assert f'href="{name}"' in html
        assert (report.parent / name).is_file()
