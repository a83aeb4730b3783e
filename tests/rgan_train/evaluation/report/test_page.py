"""The files of a report, without a browser."""

import base64
import csv
import gzip
import io
import json
import math
import os
import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from PIL import Image
from support.evaluations import NAMES, RANGE, SHAPE, make_evaluation

from rgan_sdk.errors import OutputError
from rgan_train.evaluation.evaluate import with_combat
from rgan_train.evaluation.lungs.compare import LungCase
from rgan_train.evaluation.lungs.density import LungDensity
from rgan_train.evaluation.lungs.mask import LungMask
from rgan_train.evaluation.metrics.reproducibility import compare_all
from rgan_train.evaluation.report.charts import chart_data
from rgan_train.evaluation.report.differences import describe_scope
from rgan_train.evaluation.report.table import (
    Column,
    Table,
    split_columns,
    to_latex,
    to_markdown,
)
from rgan_train.evaluation.report.tables import make_tables
from rgan_train.evaluation.report.write import write_report
from rgan_train.evaluation.results import INPUT, Spread

ODD = "a<b_^1 & 5% | $x$"


@pytest.fixture(scope="module")
def evaluation():
    return make_evaluation(("good", ODD))


@pytest.fixture(scope="module")
def folder(evaluation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "new"
    assert write_report(evaluation, folder) == folder / "report.html"
    return folder


def read_csv(path):
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return list(csv.DictReader(file))


def methods_only(rows):
    return [row for row in rows if not row["method"].startswith("control: ")]


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


def test_results_are_strict_json(evaluation, folder):
    found = json.loads((folder / "results.json").read_text(), parse_constant=refuse)
    assert found["methods"] == list(evaluation.methods)
    assert found["notes"] == ["one note"]
    assert found["provenance"]["models"]["good"]["sha256"] == "ab" * 32
    for entry in found["agreement"]:
        count = evaluation.agreement(entry["group"], entry["method"]).counts[0.85]
        assert entry["reproducible"]["0.85"]["features"] == count.features
        assert entry["reproducible"]["0.85"]["repeats"] == list(count.repeats)
    assert found["quality"]["good"]["psnr_db"]["mean"] == evaluation.quality["good"].psnr_db.mean


def test_agreement_reads_back_bit_equal(evaluation, folder):
    rows = methods_only(read_csv(folder / "agreement.csv"))
    assert len(rows) == len(evaluation.agreements) * len(NAMES)
    for row in rows:
        found = evaluation.agreement(row["group"], row["method"])
        expected = found.ccc[NAMES.index(row["feature"])]
        assert float(row["ccc"] or "nan") == expected or np.isnan(expected)
        assert row["feature"].startswith(f"{row['filter']}_{row['class']}_")


def test_agreement_holds_intervals_and_icc(evaluation, folder):
    rows = methods_only(read_csv(folder / "agreement.csv"))
    assert any(row["icc"] for row in rows)
    for row in rows:
        found = evaluation.agreement(row["group"], row["method"])
        number = NAMES.index(row["feature"])
        expected = [*found.ccc_interval[number], found.icc[number], *found.icc_interval[number]]
        columns = ("ccc_low", "ccc_high", "icc", "icc_low", "icc_high")
        written = [float(row[column] or "nan") for column in columns]
        assert np.array_equal(written, expected, equal_nan=True)


def test_features_read_back_bit_equal(evaluation, folder):
    rows = read_csv(folder / "features.csv.gz")
    table = evaluation.table
    assert [row["variant"] for row in rows[:: len(table.rois)]] == list(evaluation.images)
    for variant in evaluation.images:
        found = [row for row in rows if row["variant"] == variant]
        values = [[float(row[name] or "nan") for name in NAMES] for row in found]
        assert np.array_equal(values, table.values[variant], equal_nan=True)
        assert [int(row["pixels"]) for row in found] == [roi.pixels for roi in table.rois]


def test_tables_say_what_was_found(evaluation, folder):
    text = (folder / "tables.md").read_text()
    count = evaluation.agreement(RANGE, "good").counts[0.85]
    mean = np.mean(count.repeats)
    (line,) = [line for line in text.splitlines() if line.startswith("| good |")][:1]
    low, high = count.interval
    assert f"{count.features} ({low:.0f} to {high:.0f})" in line
    assert f"{mean:.0f} ± " in line
    assert "24 regions, 4 slices, 1 patient" in text
    assert "data range 2024 HU" in text


def test_the_best_is_bold(evaluation):
    features, _, _, quality, _ = make_tables(evaluation)
    line = next(x for x in to_markdown(quality).splitlines() if x.startswith("| good |"))
    assert "**44.50 ± 0.25**" in line
    assert r"\textbf{44.50" in to_latex(quality)
    assert "tumour" not in features.caption  # two regions are too few


def test_odd_names_are_escaped(folder):
    markdown = (folder / "tables.md").read_text()
    for text in markdown.split("\n\n"):
        if text.startswith("| method"):
            head, *lines = text.splitlines()
            odd = [line for line in lines if line.startswith("| a")]
            assert odd
            assert {len(split_cells(line)) for line in odd} == {len(split_cells(head))}
    latex = (folder / "tables.tex").read_text()
    assert r"5\%" in latex
    assert r"\&" in latex
    assert "a<b_" not in latex
    html = (folder / "report.html").read_text()
    assert "a<b_^1" not in html.partition("<script")[0]
    assert ODD in unescape(html)


def split_cells(line):
    """Split a line of a Markdown table at the bars that are not escaped."""
    return line.replace(r"\|", "").split("|")


def test_the_page_needs_nothing_else(folder):
    html = (folder / "report.html").read_text()
    assert "Content-Security-Policy" in html
    own = html.replace("http://www.w3.org/2000/svg", "").replace("url(#", "")
    for forbidden in ("http://", "https://", 'src="', "@import", "url("):
        assert forbidden not in own, forbidden


def test_links_lead_into_the_page_or_to_the_files_beside_it(folder):
    html = (folder / "report.html").read_text()
    links = set(re.findall(r'href="([^"]+)"', html))
    ids = {f"#{name}" for name in re.findall(r'id="([^"]+)"', html)}
    files = {path.name for path in folder.iterdir()}
    assert links <= ids | files
    assert {"agreement.csv", "differences.csv", "features.csv.gz", "tables.tex"} <= links
    labels = re.findall(r"<code>(tab:[^<]+)</code>", html)
    latex = (folder / "tables.tex").read_text()
    assert len(labels) == 5
    assert all(rf"\label{{{label}}}" in latex for label in labels)


def test_a_section_has_one_caption(evaluation, folder):
    html = (folder / "report.html").read_text()
    sections = html.split("<section ")[2:-1]
    assert [section.count('<p class="caption">') for section in sections] == [1] * 6
    for table in make_tables(evaluation):
        title = f"{table.title}</caption>"
        (section,) = [unescape(one) for one in sections if title in one]
        for remark in table.remarks:
            assert section.count(remark) == 1


def test_charts_count_the_features_that_the_table_counts(evaluation):
    first, second, *_ = NAMES
    values = {name: array.copy() for name, array in evaluation.table.values.items()}
    for array in values.values():
        array[:, 0] = 7  # constant on the target
    values["good"][0, 1] = np.nan
    table = replace(evaluation.table, values=values)
    changed = replace(evaluation, table=table, agreements=compare_all(table))
    data, group = chart_data(changed), changed.compared_groups[0]
    cells = [cell for row in data["heat"]["maps"][0]["good"] for cell in row if cell]
    count = changed.agreement(group, "good").counts[0.85]
    assert sum(above for _, above, _ in cells) == count.features
    assert sum(total for *_, total in cells) == count.total == len(NAMES) - 1
    assert data["distributions"][0]["good"][0] < 0.5 < data["distributions"][0]["good"][1]
    shown = {feature["name"]: feature["note"] for feature in data["blandAltman"]["features"]}
    assert shown[second] == "lowest CCC of good"
    assert "CCC" not in shown.get(first, "")


def test_a_table_that_is_too_wide_is_divided_between_headings():
    def column(over, text):
        return Column(over, "label", [text], [1.0], [1.0])

    narrow = [column(over, "1,234 (1,180 to 1,290)") for over in "abcd" for _ in range(2)]
    table = Table("name", "A title", ["input"], narrow)
    assert split_columns(table) == [table]
    wide = replace(table, columns=[*narrow, column("e", "1"), column("e", "2" * 20)])
    first, second = split_columns(wide)
    assert first == table
    assert (second.name, second.title) == ("name-2", "A title, continued")
    assert [len(one.texts[0]) for one in second.columns] == [1, 20]
    assert "A title, continued" not in to_markdown(wide)


def test_what_could_not_be_measured_for_any_method_is_no_column(evaluation, tmp_path):
    quality = {
        name: replace(one, noise_power=None, edge_rise_mm=None)
        for name, one in evaluation.quality.items()
    }
    changed = replace(evaluation, quality=quality)
    write_report(changed, tmp_path)
    table = next(table for table in make_tables(changed) if table.name == "quality")
    text = to_markdown(table)
    assert "PSNR" in text
    assert "noise power distance, dB" not in text
    assert "edge rise" not in text.partition("\n\n")[2]
    assert "<h2" in (tmp_path / "report.html").read_text()


def test_edges_that_have_no_rise_are_not_drawn(evaluation, tmp_path):
    good = replace(evaluation.quality["good"], edge_rise_mm=(math.nan, 1.1))
    write_report(replace(evaluation, quality={**evaluation.quality, "good": good}), tmp_path)
    assert "edge rise" in (tmp_path / "report.html").read_text()


def test_names_that_are_not_utf_8_show_question_marks(evaluation, tmp_path):
    name = os.fsdecode(b"M\xfcller")
    write_report(evaluation.with_provenance(list=name), tmp_path)
    assert "M?ller" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_what_could_not_be_measured(evaluation, tmp_path):
    good = replace(
        evaluation.quality["good"],
        psnr_db=Spread(math.inf, math.nan, 4),
        noise_power=None,
        edge_rise_mm=None,
        bias_hu={"lung": math.nan, "bone": 1.0, "fat": math.nan},
    )
    changed = replace(evaluation, quality={**evaluation.quality, "good": good})
    write_report(changed, tmp_path)
    line = [x for x in (tmp_path / "tables.md").read_text().splitlines() if x.startswith("| good")]
    assert any("∞" in x and "–" in x for x in line)
    found = json.loads((tmp_path / "results.json").read_text(), parse_constant=refuse)
    assert found["quality"]["good"]["psnr_db"]["mean"] is None
    html = (tmp_path / "report.html").read_text()
    assert '<td data-value="Infinity"><b>∞</b></td>' in html


def test_one_slice_has_no_intervals(evaluation, tmp_path):
    table = replace(
        evaluation.table, rois=[replace(roi, slice_number=0) for roi in evaluation.table.rois]
    )
    agreements = compare_all(table)
    changed = replace(evaluation, table=table, agreements=agreements, differences=[])
    write_report(changed, tmp_path)
    assert "nan" not in (tmp_path / "tables.md").read_text()
    html = (tmp_path / "report.html").read_text()
    assert "Fewer than 4 slices give no limits" in html
    assert "no clear gain" not in html.partition("<script")[0].partition("Keep in mind")[0]
    json.loads((tmp_path / "results.json").read_text(), parse_constant=refuse)


def test_the_input_alone_is_not_compared_with_itself(evaluation, tmp_path):
    write_report(evaluation.with_methods([INPUT]), tmp_path)
    summary = (tmp_path / "report.html").read_text().partition("Keep in mind")[0]
    assert "There is no model" in summary
    assert "the input is" not in summary
    assert "The input reproduces 3 " in summary


def test_combat_has_a_table_of_its_own(evaluation, tmp_path):
    table = with_combat(evaluation.table)
    combined = replace(evaluation, table=table, agreements=compare_all(table))
    features, stricter, combat, *_ = make_tables(combined)
    assert features == make_tables(evaluation)[0]
    assert (stricter.name, combat.name) == ("features-90", "combat")
    assert combat.methods == evaluation.methods
    assert "sees the target's features" in combat.caption
    without, with_it = combat.columns[2:4]
    assert (without.label, with_it.label) == ("alone", "with ComBat")
    expected = combined.agreement(RANGE, "good + ComBat").counts[0.85].features
    assert with_it.values[combat.methods.index("good")] == expected
    write_report(combined, tmp_path)
    assert {row["variant"] for row in read_csv(tmp_path / "features.csv.gz")} == set(
        evaluation.images
    )


def test_combat_can_be_chosen_where_features_are_drawn(evaluation):
    table = with_combat(evaluation.table)
    combined = replace(evaluation, table=table, agreements=compare_all(table))
    data = chart_data(combined)
    both = [*evaluation.methods, *(f"{name} + ComBat" for name in evaluation.methods)]
    assert data["variants"] == both
    assert all(list(maps) == both for maps in data["heat"]["maps"])
    assert set(both) <= set(data["blandAltman"]["values"])
    assert data["methods"] == list(evaluation.methods)  # images know no ComBat
    assert chart_data(evaluation)["variants"] == list(evaluation.methods)


def test_a_folder_that_cannot_be_written(evaluation, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="the report cannot be written"):
        write_report(evaluation, tmp_path / "file")


def with_lungs(evaluation):
    """Add a scan whose lungs are all pixels of three slices."""
    mask = np.zeros(SHAPE, np.bool_)[:3]
    mask[:, 4:20, 4:30] = True
    densities = {
        name: LungDensity(laa, laa + 10, -900 - laa, -850, 0.25)
        for name, laa in (("target", 5.0), (INPUT, 1.0), ("good", 4.75), (ODD, 6.5))
    }
    case = LungCase(
        "0123456789ab",
        (0, 1, 3),
        LungMask(mask, ~mask, ("large airways may count",)),
        2500.0,
        densities,
        ("slices are thick",),
    )
    return replace(evaluation, lungs=[case])


def test_lung_density_is_in_the_table_with_its_bias(evaluation):
    table = make_tables(with_lungs(evaluation))[-1]
    assert table.name == "lung"
    value, bias = table.columns[:2]
    assert value.over == bias.over == "LAA-950, % (target 5.00)"
    assert list(value.texts) == ["1.00", "4.75", "6.50"]
    assert list(bias.texts) == ["−4.00", "−0.25", "+1.50"]
    assert bias.best == {1}
    assert "Off protocol (slices above 1.5 mm, contrast, or expiration): 1 of 1 scan" in (
        table.caption
    )
    assert "lung" not in [table.name for table in make_tables(evaluation)]


def test_lung_density_is_in_the_files_and_its_mask_on_the_page(evaluation, tmp_path):
    write_report(with_lungs(evaluation), tmp_path)
    rows = read_csv(tmp_path / "lung.csv")
    assert [row["variant"] for row in rows] == ["target", "input", "good", ODD]
    assert float(rows[2]["laa_950"]) == 4.75
    assert rows[0]["off_protocol"] == "slices are thick"
    (case,) = json.loads((tmp_path / "results.json").read_text(), parse_constant=refuse)["lungs"]
    assert case["densities"]["good"]["perc15_hu"] == -904.75
    html = (tmp_path / "report.html").read_text()
    assert "img-src data:" in html
    assert "Off protocol: slices are thick. Large airways may count." in html
    (picture,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        assert image.size == (3 * SHAPE[2], SHAPE[1])
    assert html.count('src="') == 1


def test_a_report_without_lungs_says_nothing_of_them(folder):
    assert read_csv(folder / "lung.csv") == []
    assert 'id="lung"' not in (folder / "report.html").read_text()


def test_differences_are_in_a_table_and_in_the_files(evaluation, folder):
    table = next(table for table in make_tables(evaluation) if table.name == "differences")
    assert list(table.methods) == ["good − input", f"{ODD} − input", f"{ODD} − good"]
    labels = [(column.over, column.label) for column in table.columns]
    assert labels == [
        ("image quality", "PSNR, dB"),
        ("image quality", "SSIM"),
        ("whole slice", "features"),
        (RANGE, "features"),
    ]
    assert table.columns[0].texts[0].startswith("+9.50 (+")
    assert "blocks of 2 neighbouring slices" in table.caption
    assert "Descriptive: one patient." in table.caption
    found = json.loads((folder / "results.json").read_text(), parse_constant=refuse)["differences"]
    rows = read_csv(folder / "differences.csv")
    assert len(rows) == len(found) == len(evaluation.differences) == 12
    assert float(rows[0]["value"]) == found[0]["value"] == evaluation.differences[0].value
    assert [float(rows[0]["low"]), float(rows[0]["high"])] == found[0]["interval"]
    html = (folder / "report.html").read_text()
    assert 'id="differences"' in html
    assert "Descriptive: one patient. Nothing here says" in html


def test_many_pairs_of_methods_are_left_to_the_file():
    many = make_evaluation([f"m{number}" for number in range(6)])
    table = next(table for table in make_tables(many) if table.name == "differences")
    assert list(table.methods) == [f"m{number} − input" for number in range(6)]
    assert "All 21 pairs of methods are in differences.csv." in table.caption


def test_without_a_model_there_are_no_differences(evaluation, tmp_path):
    alone = evaluation.with_methods([INPUT])
    assert not alone.differences
    assert "differences" not in [table.name for table in make_tables(alone)]
    write_report(alone, tmp_path)
    assert 'id="differences"' not in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("patients", "said"), [(1, "Descriptive: one patient."), (3, "Descriptive: 3 patients.")]
)
def test_few_patients_are_described(patients, said):
    assert describe_scope(make_evaluation(patients=patients)) == said


def test_many_patients_are_not_unless_some_are_known_from_training():
    known = make_evaluation(patients=12)
    assert describe_scope(known) == "Descriptive: 12 patients, some of them known from training."
    drawn_whole = replace(
        known,
        differences=[replace(one, block=0) for one in known.differences],
        stability=[replace(one, block=0) for one in known.stability],
    )
    assert describe_scope(drawn_whole) == ""
