"""What one takes out of a report: wide tables, choices that last, prints, saved figures."""

import base64
import io
from xml.etree import ElementTree

import pytest
from PIL import Image
from support.browser import save_figure
from support.evaluations import LONG_NAMES, RANGE, RANGES, make_wide_evaluation

from rgan_train.evaluation.report.write import write_report

SVG = "{http://www.w3.org/2000/svg}"
CHOSEN = f"Regions: {RANGE}. Left: input. Right: {LONG_NAMES[2]} + ComBat."


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_report(make_wide_evaluation(), tmp_path_factory.mktemp("wide")).as_uri()


@pytest.fixture
def page(browser, report):
    show(browser, report)
    yield browser
    browser.call("Emulation.clearDeviceMetricsOverride")


def show(browser, address):
    browser.open("about:blank")  # or only the fragment may change, and nothing is loaded
    browser.open(address)
    browser.wait_for("panes.every((pane) => pane.whole.raster)")


def choose_regions_and_a_method(page):
    page.choose("#heat-controls label:nth-child(1) select", str(1 + RANGES.index(RANGE)))
    page.choose("#heat-controls label:nth-child(3) select", f"{LONG_NAMES[2]} + ComBat")


@pytest.mark.parametrize("width", [1280, 1440, 1920])
def test_tables_of_eight_methods_with_long_names_fit(page, width):
    page.resize(width)
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("document.querySelectorAll('.sortable').length") >= 6
    assert page.overflowing() == []


def test_on_a_phone_tables_scroll_in_their_own_place(page):
    page.resize(390)
    assert page.run("document.documentElement.scrollWidth") <= 390
    assert page.overflowing()


def test_the_address_keeps_what_was_chosen(page, browser):
    choose_regions_and_a_method(page)
    page.run("document.querySelector('#viewer-controls input').click()")
    page.choose(".pane select", LONG_NAMES[1])
    shown = "byId('heat').textContent"
    before, address = page.run(shown), page.run("location.href")
    show(browser, address)
    assert page.run(shown) == before
    assert page.run("byId('heat-chosen').textContent") == CHOSEN
    assert page.run("document.querySelector('#viewer-controls input').checked")
    assert page.run("panes[0].whole.label") == LONG_NAMES[1]


def test_what_an_address_has_and_the_report_has_not_is_ignored(browser, report):
    browser.events.clear()
    show(browser, f"{report}#heat.group=9&heat.left=<b>&single.methods=x")
    assert browser.run("byId('heat-chosen').textContent").startswith(
        "Regions: whole slice. Left: input."
    )
    assert "Runtime.exceptionThrown" not in [event["method"] for event in browser.events]


def test_a_print_has_the_choices_in_words_and_no_controls(page):
    choose_regions_and_a_method(page)
    page.run(
        "addEventListener('beforeprint', () => { printed = ["
        "  document.querySelector('main').innerText, document.querySelector('main').clientWidth,"
        "  [...document.querySelectorAll('.scroll')]"
        "    .filter((box) => box.scrollWidth > box.clientWidth).length]; })"
    )
    pdf = base64.b64decode(page.call("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF")
    text, width, clipped = page.run("printed")
    assert CHOSEN in text
    assert "Feature: original_firstorder_Mean" in text
    assert "Save:" not in text
    assert width == pytest.approx(180 / 25.4 * 96, abs=1)
    assert clipped == 0
    assert CHOSEN not in page.run("document.querySelector('main').innerText")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_figure_is_saved_as_svg_that_needs_no_style_sheet(page, tmp_path, scheme):
    page.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    root = ElementTree.fromstring(save_figure(page, "counts", "svg", tmp_path))
    assert root.tag == f"{SVG}svg"
    assert root[0].attrib["fill"] == "#ffffff"
    assert root[0].attrib["width"] == root.attrib["width"]
    attributes = [value for element in root.iter() for value in element.attrib.values()]
    assert not [value for value in attributes if "var(" in value]
    assert not [element for element in root.iter() if "class" in element.attrib]
    texts = {element.text for element in root.iter(f"{SVG}text")}
    assert {"whole slice", *RANGES, "input", "all 1,395"} <= texts
    dark_text = next(e for e in root.iter(f"{SVG}text") if e.text == "whole slice")
    assert dark_text.attrib["fill"] == "rgb(24, 33, 44)"
    assert not page.run("document.documentElement.classList.contains('paper')")


def test_a_saved_heat_map_says_what_was_chosen(page, tmp_path):
    choose_regions_and_a_method(page)
    root = ElementTree.fromstring(save_figure(page, "heat", "svg", tmp_path))
    text = " ".join(element.text for element in root.iter(f"{SVG}text"))
    assert text.startswith(CHOSEN)
    assert "glcm" in text
    cells = [e for e in root.iter(f"{SVG}rect") if e.attrib["fill"].startswith("rgb(")]
    assert len(cells) == 2 * 2 * 3
    assert "Point at a cell" not in text


def test_a_figure_with_images_is_saved_as_png(page, tmp_path):
    with Image.open(io.BytesIO(save_figure(page, "images", "png", tmp_path))) as image:
        width, _ = image.size
        pixels = image.convert("RGB")
    assert width == pytest.approx(4 * (180 / 25.4 * 96 + 16), abs=8)
    assert pixels.getpixel((2, 2)) == (255, 255, 255)
    grays = {pixels.getpixel((x, 200)) for x in range(100, 600, 20)}
    assert len(grays) > 5
