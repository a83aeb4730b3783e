"""The checklists: complete, filled where the report can tell, open elsewhere."""

import pytest
from support.writeups import SHA256, write_groups, write_pairs

from rgan_train.evaluation.writeup.checklists.checklist import read_checklist
from rgan_train.evaluation.writeup.checklists.clear import fill_clear
from rgan_train.evaluation.writeup.checklists.metrics import fill_metrics
from rgan_train.evaluation.writeup.document import Grid
from rgan_train.evaluation.writeup.report import read_report


def rows(blocks):
    """Return the rows of the last table by the number of the item."""
    table = [block for block in blocks if isinstance(block, Grid)][-1]
    return {int(row[0]): row for row in table.rows}


def with_verdict(found, verdict):
    return {number for number, row in found.items() if row[2] == verdict}


def test_clear_has_58_items_in_order():
    items = read_checklist("clear").items
    assert [item["number"] for item in items] == list(range(1, 59))
    sections = [item["section"] for item in items]
    for section, first, last in (
        ("Study design", 7, 12),
        ("Data", 13, 18),
        ("Segmentation", 19, 20),
        ("Pre-processing", 21, 24),
        ("Feature extraction", 25, 28),
        ("Data preparation", 29, 33),
        ("Modeling", 34, 37),
        ("Evaluation", 38, 43),
        ("Results", 44, 48),
        ("Discussion", 49, 52),
        ("Open science", 53, 58),
    ):
        assert sections[first - 1 : last] == [section] * (last - first + 1)
        assert sections.count(section) == last - first + 1


def test_metrics_has_30_items_in_9_categories_and_5_conditions():
    checklist = read_checklist("metrics")
    assert [item["number"] for item in checklist.items] == list(range(1, 31))
    assert len({item["section"] for item in checklist.items}) == 9
    assert sum(item["weight"] for item in checklist.items) == pytest.approx(1, abs=1e-9)
    assert [(one["number"], one["without"]) for one in checklist.conditions] == [
        (1, [8, 9, 10]),
        (2, [9]),
        (3, [12]),
        (4, [14, 15, 16]),
        (5, [17]),
    ]


@pytest.mark.parametrize("name", ["clear", "metrics"])
def test_each_item_says_what_to_state(name):
    for item in read_checklist(name).items:
        assert item["label"]
        assert item["hint"]


def test_clear_of_pairs(tmp_path):
    found = rows(fill_clear(read_report(write_pairs(tmp_path))))
    assert with_verdict(found, "yes") == {19, 21, 22, 24, 25, 26, 27, 28, 32, 40, 41, 46}
    assert with_verdict(found, "n/a") == {20, 31}
    assert "slice thickness 5 to 8 mm" in found[16][3]
    assert SHA256 in found[57][3]
    assert found[8] == ("8", "Study design: Ethics", "", "", found[8][4])


def test_masks_open_what_the_report_cannot_know(tmp_path):
    found = rows(fill_clear(read_report(write_pairs(tmp_path, given=True))))
    assert not {19, 20, 31} & with_verdict(found, "yes")
    assert not with_verdict(found, "n/a")
    assert "tumour" in found[19][3]
    assert found[20][4]


def test_an_old_report_leaves_open(tmp_path):
    found = rows(fill_clear(read_report(write_pairs(tmp_path, old=True))))
    assert with_verdict(found, "yes") == {41, 46}
    assert not with_verdict(found, "n/a")
    metrics = rows(fill_metrics(read_report(tmp_path)))
    assert len(with_verdict(metrics, "")) == 30


@pytest.mark.parametrize("fill", [fill_clear, fill_metrics])
@pytest.mark.parametrize("write", [write_pairs, write_groups])
def test_an_answered_item_leaves_nothing_to_state(tmp_path, write, fill):
    for row in rows(fill(read_report(write(tmp_path)))).values():
        assert bool(row[2]) != bool(row[4])
        assert row[3] or not row[2]
        assert "[state" not in row[3]


def test_metrics_of_pairs(tmp_path):
    blocks = fill_metrics(read_report(write_pairs(tmp_path)))
    conditions = next(block for block in blocks if isinstance(block, Grid))
    assert [row[2] for row in conditions.rows] == ["", "", "yes", "yes", ""]
    found = rows(blocks)
    assert with_verdict(found, "yes") == {12, 13, 21}
    assert "weight 0.0919" in found[3][1]
    caption = [block for block in blocks if isinstance(block, Grid)][-1].caption
    assert "not computed here, as 27 of 30 items are open" in caption


def test_masks_are_segmentation(tmp_path):
    blocks = fill_metrics(read_report(write_pairs(tmp_path, given=True)))
    conditions = next(block for block in blocks if isinstance(block, Grid))
    assert conditions.rows[0][2] == "yes"


def test_groups_have_no_table_of_agreement(tmp_path):
    found = rows(fill_clear(read_report(write_groups(tmp_path))))
    assert found[46][2:4] == ("", "")
    assert "two groups" in found[18][3]
    assert "standardised for the classifier" in found[32][3]
