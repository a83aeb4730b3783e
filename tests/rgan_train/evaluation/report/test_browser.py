"""The report in a real browser."""

import json
from dataclasses import replace

import numpy as np
import pytest
from support.evaluations import NAMES, RANGE, SHAPE, make_evaluation, with_narrow_limits

from rgan_train.evaluation.report.trust import trust_data
from rgan_train.evaluation.report.write import write_report
from rgan_train.evaluation.results import INPUT


@pytest.fixture(scope="module")
def evaluation():
    models = ("good", "a<b_^1", "<img src=x onerror=alert(1)>")
    return with_narrow_limits(make_evaluation(models))


@pytest.fixture(scope="module")
def report(evaluation, tmp_path_factory):
    return write_report(evaluation, tmp_path_factory.mktemp("report")).as_uri()


@pytest.fixture
def page(browser, report):
    browser.events.clear()
    browser.open(report)
    browser.wait_for("panes.every((pane) => pane.whole.raster)")
    return browser


def rows(page, caption):
    """Return the cells of a table as they are shown, row by row."""
    return page.run(
        f"[...document.getElementById({caption!r}).closest('table').tBodies[0].rows]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))"
    )


def gray_levels(page, view):
    """Return mean and range of what a canvas of the viewer shows."""
    return page.run(
        f"(() => {{ const canvas = panes{view}.canvas;"
        "const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);"
        "const gray = data.filter((_, i) => i % 4 === 0);"
        "const mean = gray.reduce((a, b) => a + b) / gray.length;"
        "return [mean, Math.max(...gray) - Math.min(...gray)];"
        "})()"
    )


def test_nothing_fails_and_nothing_is_fetched(page, report):
    methods = [event["method"] for event in page.events]
    assert "Runtime.exceptionThrown" not in methods
    assert "Log.entryAdded" not in methods
    assert "Runtime.consoleAPICalled" not in methods
    requests = [e["params"] for e in page.events if e["method"] == "Network.requestWillBeSent"]
    assert {request["request"]["url"] for request in requests} == {report}


def test_names_stay_text(page, evaluation):
    assert page.run("document.images.length") == 0
    assert [row[0] for row in rows(page, "table-quality")] == list(evaluation.methods)
    options = "[...document.querySelectorAll('#heat-controls label:nth-child(2) option')]"
    assert page.run(f"{options}.map((option) => option.text)") == list(evaluation.methods)


def test_a_click_on_a_heading_sorts(page, evaluation):
    table = "document.getElementById('table-quality').closest('table')"
    heading = f"{table}.querySelectorAll('th[aria-sort]')"
    by_psnr = sorted(evaluation.methods, key=lambda name: evaluation.quality[name].psnr_db.mean)
    page.run(f"{heading}[1].firstChild.click()")
    assert [row[0] for row in rows(page, "table-quality")] == by_psnr[::-1]
    assert page.run(f"{heading}[1].ariaSort") == "descending"
    page.run(f"{heading}[1].firstChild.focus()")
    page.press("Enter", text="\r")
    assert [row[0] for row in rows(page, "table-quality")] == by_psnr
    assert page.run(f"{heading}[1].ariaSort") == "ascending"
    page.run(f"{heading}[0].firstChild.click()")
    assert [row[0] for row in rows(page, "table-quality")] == sorted(
        evaluation.methods, key=str.lower
    )
    assert page.run(f"{heading}[1].ariaSort") == "none"


def test_the_heat_map_shows_the_chosen_group_and_method(page, evaluation):
    for number, group in enumerate(("whole slice", RANGE)):
        page.choose("#heat-controls label:nth-child(1) select", str(number))
        page.choose("#heat-controls label:nth-child(3) select", "a<b_^1")
        ccc = evaluation.agreement(group, "a<b_^1").ccc
        # The first two features are first order on the original.
        cell = "document.querySelectorAll('#heat table')[1].tBodies[0].rows[0].cells[1]"
        assert page.run(f"{cell}.textContent") == f"{np.median(ccc[:2]):.2f}"
        above = np.count_nonzero(ccc[:2] > 0.85)
        assert f"{above} of 2 features above 0.85" in page.run(f"{cell}.title")


def trust_rows(page):
    return page.run(
        "[...document.querySelectorAll('#trust-table tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))"
    )


def type_in_search(page, text):
    page.run(
        "(() => { const box = document.querySelector('#trust input[type=search]');"
        f"box.value = {text!r}; box.dispatchEvent(new Event('input')); }})()"
    )


def test_features_to_trust_are_searched_and_filtered(page, evaluation):
    assert len(trust_rows(page)) == len(NAMES)
    type_in_search(page, "ENTROPY")
    entropies = [name for name in NAMES if "Entropy" in name]
    assert [row[0] for row in trust_rows(page)] == sorted(
        name.split("_", 2)[2] for name in entropies
    )
    page.choose("#trust-controls label:nth-child(5) select", "wavelet-LL")
    page.choose("#trust-controls label:nth-child(4) select", "glszm")
    page.choose("#trust-controls label:nth-child(3) select", RANGE)
    page.choose("#trust-controls label:nth-child(2) select", "a<b_^1")
    number = NAMES.index("wavelet-LL_glszm_ZoneEntropy")
    (found,) = (s for s in evaluation.stability if (s.group, s.method) == (RANGE, "a<b_^1"))
    ccc, (low, high) = found.ccc[number], found.limits[number]
    ((name, kind, filtered, shown),) = trust_rows(page)
    assert (name, kind, filtered) == ("ZoneEntropy", "glszm", "wavelet-LL")
    numbers = [float(part.strip("()").replace("−", "-")) for part in shown.split() if part != "to"]
    np.testing.assert_allclose(numbers, [ccc, low, high], atol=0.001)
    type_in_search(page, "nothing is called so")
    assert trust_rows(page) == []
    assert page.run("document.getElementById('trust-count').textContent").startswith("0 of 8 ")


def test_features_to_trust_are_sorted_and_only_stable_ones_shown(page, evaluation):
    page.choose("#trust-controls label:nth-child(2) select", "good")
    page.choose("#trust-controls label:nth-child(3) select", RANGE)
    page.run("document.querySelectorAll('#trust-table th button')[3].click()")
    (found,) = (s for s in evaluation.stability if (s.group, s.method) == (RANGE, "good"))
    order = np.argsort(-found.ccc, kind="stable")  # the undefined one is last
    assert [f"{row[2]}_{row[1]}_{row[0]}" for row in trust_rows(page)] == [NAMES[n] for n in order]
    assert trust_rows(page)[-1][3] == "–"
    page.run("document.querySelector('#trust-controls input[type=checkbox]').click()")
    shown = {f"{row[2]}_{row[1]}_{row[0]}" for row in trust_rows(page)}
    assert shown == {NAMES[number] for number in np.flatnonzero(found.stable)}
    assert shown


def test_features_to_trust_come_in_pages(browser, tmp_path):
    evaluation = make_evaluation()
    table = evaluation.table
    many = [f"original_glcm_F{number:03}" for number in range(120)]
    stability = [
        replace(one, ccc=np.resize(one.ccc, 120), limits=np.resize(one.limits, (120, 2)))
        for one in evaluation.stability
    ]
    data = trust_data(replace(evaluation, table=replace(table, names=many), stability=stability))
    uri = write_report(evaluation, tmp_path).as_uri()
    html = (tmp_path / "report.html").read_text()
    before = html.partition('id="trust-data">')[2].partition("</script>")[0]
    (tmp_path / "report.html").write_text(html.replace(before, json.dumps(data)))
    browser.open(uri)
    seen = []
    for size in (50, 50, 20):
        seen += [row[0] for row in trust_rows(browser)]
        assert len(trust_rows(browser)) == size
        browser.run("document.querySelectorAll('#trust-pages button')[1].click()")
    assert seen == [f"F{number:03}" for number in range(120)]
    assert browser.run("document.querySelectorAll('#trust-pages button')[1].disabled")


def test_bland_altman_of_the_chosen_feature(page, evaluation):
    feature = page.run("data.blandAltman.features.map(({ name }) => name)").index(NAMES[2])
    page.choose("#bland-altman-controls label:nth-child(1) select", str(feature))
    page.choose("#bland-altman-controls label:nth-child(2) select", "1")
    members = evaluation.table.rows(RANGE)
    target, found = (evaluation.table.values[name][members, 2] for name in ("target", "good"))
    mean, spread = np.mean(found - target), 1.96 * np.std(found - target, ddof=1)
    panel = "document.querySelectorAll('#bland-altman > div')[1]"
    text = page.run(f"{panel}.querySelector('small').textContent").replace("−", "-")
    assert f"n = {len(members)} regions" in text
    numbers = [
        float(text.split(word)[1].split()[0].strip(",")) for word in ("difference", "limits")
    ]
    np.testing.assert_allclose(numbers, [mean, mean - spread], rtol=0.01)
    assert page.run(f"{panel}.querySelectorAll('circle').length") == len(members)


def test_the_viewer_draws_and_follows_the_window_and_the_slice(page):
    seen = [gray_levels(page, "[0].whole")]
    for selector, value in (("2", "bone (450/1500)"), ("1", "0")):
        page.choose(f"#viewer-controls label:nth-child({selector}) select", value)
        page.run("Promise.all(panes.map((pane) => pane.show()))")
        seen.append(gray_levels(page, "[0].whole"))
    assert min(contrast for _, contrast in seen) > 50
    assert len({mean for mean, _ in seen}) == 3


def test_the_magnifier_tells_hu_in_all_images(page, evaluation):
    page.run("panes[0].whole.area.focus()")
    page.press("ArrowRight")
    y, x = SHAPE[1] // 2, SHAPE[2] // 2 + 4
    target, source = (np.rint(evaluation.images[name][2][y, x]) for name in ("target", "input"))
    details = page.run(
        "panes.map((pane) => [pane.whole, pane.error].map((v) => v.detail.textContent))"
    )
    texts = [[text.replace("−", "-").replace(",", "") for text in pair] for pair in details]
    assert texts[0][0] == f"input: {source:.0f} HU at {x} {y}"
    assert texts[0][1] == f"input - target: {source - target:.0f} HU at {x} {y}"
    assert texts[2][0] == f"target: {target:.0f} HU at {x} {y}"
    lenses = "[...document.querySelectorAll('.lens')].filter((lens) => lens.offsetWidth)"
    assert page.run(f"{lenses}.length") == 5
    page.press("Escape")
    assert page.run(f"{lenses}.length") == 0


def test_counts_share_an_axis_with_a_mark_at_all_features(page, evaluation):
    groups = ["whole slice", RANGE]
    chart = "document.querySelector('#counts svg')"
    assert page.run("document.querySelectorAll('#counts svg').length") == 1
    texts = page.run(
        f"[...{chart}.querySelectorAll('text:not(.name)')].map((one) => one.textContent)"
    )
    assert [text for text in texts if text in groups] == groups
    totals = [evaluation.agreement(group, INPUT).counts[0.85].total for group in groups]
    assert [text for text in texts if text.startswith("all ")] == [f"all {n}" for n in totals]
    ends = page.run(f"[...{chart}.querySelectorAll('.end')].map((one) => one.x1.baseVal.value)")
    dots = page.run(f"[...{chart}.querySelectorAll('circle')].map((one) => one.cx.baseVal.value)")
    zero = page.run(f"{chart}.querySelector('.grid').x1.baseVal.value")
    counts = [
        evaluation.agreement(group, method).counts[0.85].features
        for group in groups
        for method in evaluation.methods
    ]
    step = (ends[0] - zero) / totals[0]
    np.testing.assert_allclose(np.array(ends) - zero, step * np.array(totals))
    np.testing.assert_allclose(np.array(dots) - zero, step * np.array(counts), atol=1e-3)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_screen_and_can_be_read(page, width, scheme):
    page.resize(width)
    page.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    page.wait_for("document.documentElement.clientWidth <= innerWidth")
    assert page.run("document.documentElement.scrollWidth") <= width
    for selector in (
        "main p",
        ".caption",
        ".files",
        "small",
        ".warning li",
        "nav a",
        ".sortable td",
    ):
        assert contrast(page, selector) >= 4.5, selector


def contrast(page, selector):
    """Return the contrast ratio of WCAG 2 between a text and its background."""
    colors = page.run(
        f"(() => {{ let element = document.querySelector({selector!r});"
        "const text = getComputedStyle(element).color; let behind;"
        "do { behind = getComputedStyle(element).backgroundColor;"
        "element = element.parentElement; }"
        "while (behind === 'rgba(0, 0, 0, 0)');"
        "return [text, behind].map((color) => color.match(/[0-9]+/g).map(Number)); })()"
    )
    linear = [np.array(color[:3]) / 255 for color in colors]
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in linear]
    dark, light = sorted(float(color @ (0.2126, 0.7152, 0.0722)) for color in linear)
    return (light + 0.05) / (dark + 0.05)
