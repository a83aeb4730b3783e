"""Which features to trust: the list of stable features, the section, and the control rows."""

import base64
import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from support.evaluations import NAMES, RANGE, make_evaluation, with_narrow_limits

from rgan_train.evaluation.features.stable import COLUMNS, read_stable
from rgan_train.evaluation.metrics.stability import describe_few_slices
from rgan_train.evaluation.report.tables import make_tables
from rgan_train.evaluation.report.texts import describe_sample
from rgan_train.evaluation.report.trust import (
    STEPS,
    describe_trust,
    stable_everywhere,
    stable_rows,
    trust_data,
)
from rgan_train.evaluation.report.write import write_report
from rgan_train.evaluation.results import INPUT

RANDOM, INPUT_CONTROL, MODEL_CONTROL = (
    "control: random pixels",
    "control: masks on neither kernel, input",
    "control: masks on neither kernel, good",
)


@pytest.fixture(scope="module")
def evaluation():
    return with_narrow_limits(make_evaluation())


def rows_of(evaluation):
    header, *rows = stable_rows(evaluation)
    assert header == COLUMNS
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_the_list_has_what_is_stable_and_nothing_else(evaluation):
    rows = rows_of(evaluation)
    listed = {(row["method"], row["group"], row["feature"]) for row in rows}
    expected = {
        (one.method, one.group, NAMES[number])
        for one in evaluation.stability
        if one.method != INPUT
        for number in np.flatnonzero(one.limits[:, 0] > 0.85)
    }
    assert listed == expected
    assert 0 < len(expected) < 2 * 2 * len(NAMES)


def test_each_row_says_where_it_comes_from(evaluation):
    everywhere = {}
    for row in rows_of(evaluation):
        assert row["exploratory"] == "yes"
        assert (row["patients"], row["slices"]) == (1, 4)
        assert row["extraction"] == "cd" * 8
        assert row["model_sha256"] == ("ab" * 32 if row["method"] == "good" else "")
        assert row["feature"].startswith(f"{row['filter']}_{row['class']}_")
        assert row["ccc_low"] > 0.85
        assert (row["random_pixels_ccc"] == "") == (row["group"] == "whole slice")
        everywhere.setdefault((row["method"], row["feature"]), []).append(row["all_groups"])
    for answers in everywhere.values():
        assert set(answers) == ({"yes"} if len(answers) == 2 else {"no"})


def test_a_group_without_limits_does_not_count_among_all_groups(evaluation):
    few = replace(
        evaluation,
        stability=[
            replace(one, slices=3, limits=np.full_like(one.limits, np.nan))
            if one.group == RANGE
            else one
            for one in evaluation.stability
        ],
    )
    rows = rows_of(few)
    assert rows
    assert {(row["group"], row["all_groups"]) for row in rows} == {("whole slice", "yes")}
    (note,) = describe_few_slices(few.stability)
    assert note.startswith(f"{RANGE}: 3 slice(s), too few for limits")
    none = replace(few, stability=[one for one in few.stability if one.group == RANGE])
    assert not stable_everywhere(none, "good").any()


def test_undefined_features_are_stable_nowhere(evaluation):
    changed = replace(
        evaluation,
        stability=[
            replace(one, limits=np.full_like(one.limits, np.nan)) if one.group == RANGE else one
            for one in evaluation.stability
        ],
    )
    assert not stable_everywhere(changed, "good").any()


def with_patients(evaluation, *patients):
    """Say how many patients the groups have, one after the other."""
    groups = dict(zip(evaluation.compared_groups, patients, strict=True))
    blocks = {group: 0 if count >= 10 else 2 for group, count in groups.items()}
    stability = [
        replace(one, patients=groups[one.group], block=blocks[one.group])
        for one in evaluation.stability
    ]
    return replace(evaluation, stability=stability)


def test_many_patients_that_are_known_from_training_are_exploratory(evaluation):
    stability = [replace(one, patients=12) for one in evaluation.stability]
    known = replace(evaluation, stability=stability)
    assert {row["exploratory"] for row in rows_of(known)} == {"yes"}
    trust = describe_trust(known)
    assert trust.scope == "Exploratory: 12 patients, known from training."
    assert "none of them known from training" in trust.caution


def test_with_many_patients_it_is_not_exploratory(evaluation):
    many = with_patients(evaluation, 10, 12)
    assert {row["exploratory"] for row in rows_of(many)} == {"no"}
    assert not describe_trust(many).scope


def test_a_sample_counts_the_patients_of_its_group(evaluation):
    mixed = with_patients(evaluation, 10, 9)
    assert describe_sample(mixed, "whole slice").endswith("4 slices, 10 patients")
    assert describe_sample(mixed, RANGE).endswith("4 slices, 9 patients")


def test_a_group_of_few_patients_is_exploratory_beside_others_of_many(evaluation):
    mixed = with_patients(evaluation, 10, 9)
    found = {(row["group"], row["exploratory"]) for row in rows_of(mixed)}
    assert found == {("whole slice", "no"), (RANGE, "yes")}
    assert describe_trust(mixed).scope == "Exploratory: 9 patients."


def test_the_file_is_read_back(evaluation, tmp_path):
    write_report(evaluation.with_methods([INPUT, "good"]), tmp_path)
    stable = read_stable(tmp_path / "stable_features.csv", (RANGE,))
    (found,) = (one for one in evaluation.stability if (one.group, one.method) == (RANGE, "good"))
    assert stable.names == {NAMES[number] for number in np.flatnonzero(found.stable)}
    assert stable.exploratory


def test_the_page_says_that_it_is_exploratory(evaluation, tmp_path):
    html = write_report(evaluation, tmp_path).read_text()
    section = html.partition('<section id="trust"')[2].partition("</section>")[0]
    assert "Exploratory: 1 patient." in section
    assert "blocks of 2 neighbouring slices" in section


def test_no_rounding_makes_a_feature_stable_on_the_page(evaluation):
    one = evaluation.stability[-1]
    low = np.full(len(NAMES), 0.85)
    low[:3] = np.nextafter(0.85, 1), 0.849_999_9, np.nan
    limits = np.column_stack([low, np.full(len(NAMES), 0.99)])
    changed = replace(one, ccc=np.full(len(NAMES), 0.9), limits=limits)
    data = trust_data(replace(evaluation, stability=[changed]))
    packed = np.frombuffer(base64.b64decode(data["limits"][one.method][one.group]), "<i2")
    ccc, lower, _ = packed.reshape(3, -1)
    assert set(ccc) == {9000}
    assert ((lower > 0.85 * STEPS) == changed.stable).all()
    assert changed.stable.tolist() == [True] + [False] * (len(NAMES) - 1)
    assert lower[2] == -32768


def test_nothing_compared_has_no_section(evaluation, tmp_path):
    alone = replace(evaluation, agreements=[], differences=[], stability=[])
    html = write_report(alone, tmp_path).read_text()
    assert 'id="trust"' not in html
    with (tmp_path / "stable_features.csv").open() as file:
        assert list(csv.DictReader(file)) == []


def test_controls_are_rows_that_are_never_best(evaluation):
    for table in make_tables(evaluation)[:2]:
        assert table.methods[-3:] == [RANDOM, INPUT_CONTROL, MODEL_CONTROL]
        assert "Controls are no methods" in table.caption
        for column in table.columns:
            assert max(column.best) < len(evaluation.methods)
        by_label = {(column.over, column.label): column for column in table.columns}
        whole = by_label["whole slice, of 8", "all regions"]
        assert list(whole.texts[-3:]) == ["–"] * 3
        (drawn,) = (
            c for (over, label), c in by_label.items() if RANGE in over and label == "repeats"
        )
        assert all("±" in text for text in drawn.texts)
    counts = evaluation.controls.rows[RANDOM][RANGE].counts
    assert counts[0.85].features == 1  # the one that is the same in both draws


def test_controls_are_in_the_files_and_in_no_difference(evaluation, tmp_path):
    write_report(evaluation, tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    assert [one["method"] for one in results["controls"]] == [RANDOM, INPUT_CONTROL, MODEL_CONTROL]
    assert not any("control" in one["method"] for one in results["differences"])
    with (tmp_path / "agreement.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == MODEL_CONTROL]
    expected = evaluation.controls.rows[MODEL_CONTROL][RANGE].ccc
    assert [float(row["ccc"] or "nan") for row in rows] == pytest.approx(expected, nan_ok=True)


def test_controls_of_methods_that_are_left_out_go_too(evaluation):
    assert list(evaluation.with_methods([INPUT, "fair"]).controls.rows) == [RANDOM, INPUT_CONTROL]
