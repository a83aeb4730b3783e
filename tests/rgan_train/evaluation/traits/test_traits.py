import csv
import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rgan_sdk.errors import ConfigurationError, OutputError
from rgan_train.evaluation.traits.plot import LIMIT, draw_traits, standardize
from rgan_train.evaluation.traits.report import write_traits
from rgan_train.evaluation.traits.table import read_cohort
from rgan_train.evaluation.traits.traits import RESEARCH_ONLY, Cohort, analyse, separate

pytestmark = pytest.mark.filterwarnings("error")

CLASSES = ("firstorder", "glcm", "glrlm", "gldm")
HEADER = "case,label,variant,original_glcm_Contrast,original_glcm_Energy\n"


def simulated_cohort(cases=12, features=40, differing=10, effect=4.0, noise=3.0, seed=0):
    """A cohort whose first features differ between simulated labels.

    The source has them too, under noise of its own, and all its values are shifted and scaled; in
    the harmonized variant a tenth of that noise is left.
    """
    rng = np.random.default_rng(seed)
    malignant = np.repeat([False, True], cases)
    target = rng.normal(size=(2 * cases, features))
    target[malignant, :differing] += effect
    kernel = noise * rng.normal(size=target.shape)
    return Cohort(
        groups=("benign", "malignant"),
        in_second=malignant,
        features=tuple(f"original_{CLASSES[i % 4]}_F{i}" for i in range(features)),
        values={
            "source": 50 + 7 * (target + kernel),
            "harmonized": target + kernel / 10,
            "target": target,
        },
        excluded={},
    )


def completely_separated(features, separated, cases=4):
    """Two groups that some features separate completely and the others not at all."""
    values = np.tile(np.arange(2.0 * cases), (features, 1))
    values[separated:] = np.r_[0 : 2 * cases : 2, 1 : 2 * cases : 2]
    in_second = np.repeat([False, True], cases)
    names = tuple(f"f{i}" for i in range(features))
    variants = {"source": values.T, "target": values.T}
    return Cohort(("a", "b"), in_second, names, variants, {})


@pytest.fixture(scope="module")
def analysis():
    return analyse(simulated_cohort())


@pytest.fixture
def table(tmp_path):
    def write(text, header=HEADER, **options):
        path = tmp_path / "features.csv"
        path.write_text(header + text, **options)
        return path

    return write


def test_the_example_of_hollander_and_wolfe():
    """Permeability of membranes, Nonparametric Statistical Methods (1973), page 69."""
    at_term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    earlier = [1.15, 0.88, 0.90, 0.74, 1.21]
    found = separate(np.array([at_term]).T, np.array([earlier]).T)
    assert found.p == pytest.approx([2 * 0.1272], abs=2e-4)
    assert found.auc == pytest.approx([15 / 50])
    assert not found.separates.any()


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, (8, 3), elements=st.integers(0, 4).map(float)))
def test_few_cases_with_ties_against_all_arrangements(values):
    found = separate(values[:4], values[4:])
    for column, p, auc in zip(values.T, found.p, found.auc, strict=True):
        assert auc == pytest.approx(area(column[:4], column[4:]))
        areas = [
            area(np.delete(column, chosen), column[list(chosen)])
            for chosen in itertools.combinations(range(8), 4)
        ]
        assert p == pytest.approx(np.mean(np.abs(np.array(areas) - 0.5) >= abs(auc - 0.5) - 1e-9))


def area(first, second):
    higher = second[:, np.newaxis] - first
    return np.mean((higher > 0) + (higher == 0) / 2)


def test_no_ties_to_correct_and_a_constant_feature():
    assert separate(np.zeros((3, 1)), np.ones((3, 1))).p == pytest.approx([0.1])
    constant = np.ones((20, 1))
    assert separate(constant, constant).p == pytest.approx([1])


def test_the_false_discovery_rate_is_adjusted():
    """By the rule of Benjamini and Hochberg (1995): the largest k with p(k) <= k / m * rate."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 20, 60))
    second[:, :12] += rng.uniform(0.3, 2, 12)
    found = separate(first, second, 0.1)
    p = np.sort(found.p)
    allowed = np.flatnonzero(p <= 0.1 * np.arange(1, 61) / 60)
    assert 1 < found.separates.sum() == allowed.max() + 1 < 60
    np.testing.assert_array_equal(found.separates, found.p <= p[allowed.max()])


def test_without_a_difference_hardly_anything_separates():
    cohorts = [simulated_cohort(effect=0, seed=seed) for seed in range(20)]
    assert sum(any(analyse(c).separations["target"].separates) for c in cohorts) <= 3


def test_simulated_labels_are_lost_by_noise_and_found_again(analysis):
    np.testing.assert_array_equal(analysis.separations["target"].separates[:10], True)
    assert (analysis.separations["target"].auc[:10] > 0.9).all()
    source, harmonized, target = (analysis.overlaps[name] for name in analysis.cohort.values)
    assert source.sensitivity < 0.5 < 0.9 < harmonized.sensitivity
    assert (target.missed, target.false, target.sensitivity) == (0, 0, 1)


def test_shift_and_scale_of_a_variant_make_no_difference(analysis):
    cohort = analysis.cohort
    values = {**cohort.values, "source": np.exp(cohort.values["source"] / 30)}
    other = analyse(Cohort(cohort.groups, cohort.in_second, cohort.features, values, {}))
    assert other.overlaps == analysis.overlaps


def test_overlap_counts_directions():
    columns = {"up": np.arange(16.0), "down": -np.arange(16.0), "flat": np.tile([0.0, 1], 8)}
    target = ["up", "up", "down", "up", "flat", "flat"]
    source = ["up", "down", "up", "flat", "up", "flat"]
    values = {
        name: np.array([columns[kind] for kind in kinds]).T
        for name, kinds in (("source", source), ("target", target))
    }
    in_second = np.arange(16) >= 8
    cohort = Cohort(("a", "b"), in_second, tuple("abcdef"), values, {})
    overlap = analyse(cohort).overlaps["source"]
    assert (overlap.separating, overlap.found, overlap.missed, overlap.false) == (4, 1, 3, 3)
    assert overlap.sensitivity == 1 / 4


def test_nothing_to_find():
    assert analyse(completely_separated(5, 0)).overlaps["source"].sensitivity is None


@pytest.mark.parametrize(
    ("cases", "fdr", "p"), [(3, 0.05, "0.1"), (3, 0.2, "0.1"), (4, 0.02, "0.029")]
)
def test_too_few_cases(cases, fdr, p):
    cohort = completely_separated(5, 5, cases)
    with pytest.raises(ConfigurationError, match=f"too few: the smallest p .* is {p}, .* {fdr:g};"):
        analyse(cohort, fdr)


@pytest.mark.parametrize("features", [10, 30])
def test_few_cases_need_many_features_that_separate(features):
    least = analyse(completely_separated(features, 0)).least_separating
    assert least == np.ceil(2 / 70 * features / 0.05)
    for separated, counted in ((least - 1, 0), (least, least)):
        found = analyse(completely_separated(features, separated)).overlaps["target"]
        assert found.separating == counted


def test_no_rounding_asks_for_one_feature_more():
    values = np.tile(np.arange(10.0), (63, 1))
    values[12:] = 2, 4, 5, 7, 0, 1, 3, 6, 8, 9
    names = tuple(f"f{number}" for number in range(63))
    found = analyse(Cohort(("a", "b"), np.arange(10) >= 4, names, {"target": values.T}, {}))
    assert found.overlaps["target"].separating == 12
    assert found.least_separating == 12


@given(arrays(np.float64, (6, 3), elements=st.integers(-99, 99).map(lambda n: n / 10)))
def test_z_scores(values):
    scores = standardize(values)
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-9)
    constant = np.ptp(values, axis=0) == 0
    np.testing.assert_allclose(scores.std(axis=0), np.where(constant, 0, 1), atol=1e-9)


def test_a_table(table):
    path = table(
        "n1,malignant,target,1,2\n"
        "n1,malignant,source,3,4\n"
        "n2, benign ,target,5,6\n"
        "n1,malignant,mine,7,8\n"
        "\n"
        "n2,benign,source,9,-1e3\n"
        "n2,benign,mine,11,12\n",
        encoding="utf-8-sig",
    )
    cohort = read_cohort(path)
    assert cohort.groups == ("benign", "malignant")
    assert cohort.in_second.tolist() == [True, False]
    assert cohort.sizes == (1, 1)
    assert cohort.features == ("original_glcm_Contrast", "original_glcm_Energy")
    assert {name: values.tolist() for name, values in cohort.values.items()} == {
        "source": [[3, 4], [9, -1000]],
        "mine": [[7, 8], [11, 12]],
        "target": [[1, 2], [5, 6]],
    }
    assert list(cohort.values)[-1] == "target"
    assert not any(cohort.excluded.values())


def test_what_is_left_out_is_counted(table):
    header = "variant,f1,f2,f3,f4,f5,label,case\n"
    path = table(
        "target,1,,1,7,2,a,n1\n"
        "source,1,2,1,7,3,a,n1\n"
        "target,2,3,1,inf,2,b,n2\n"
        "source,3,4,1,7,3,b,n2\n"
        "target,nan,4,1,7,2,b,n3\n",
        header,
    )
    cohort = read_cohort(path)
    assert cohort.features == ("f1",)  # f5 differs between the variants only
    assert cohort.values["source"].tolist() == [[1], [3]]
    assert dict(cohort.excluded) == {
        "cases without every variant": 1,
        "features not finite everywhere": 2,
        "features constant in every variant": 2,
    }


@pytest.mark.parametrize(
    ("header", "text", "reason"),
    [
        ("", "", "columns case, label, variant are missing"),
        ("case,variant,f\n", "CANARY,target,1\n", "columns label are missing"),
        ("case,label,variant,f,f\n", "", "several columns are called 'f'"),
        ("case,label,variant\n", "CANARY,a,target\n", "no features or no rows"),
        (HEADER, "", "no features or no rows"),
        (HEADER, "CANARY,a,target,1\n", "row 1: 4 cells for 5 columns"),
        (HEADER, "CANARY,a,target,1,2\nCANARY,,source,1,2\n", "row 2: one of case, label, variant"),
        (HEADER, "CANARY,a,target,1,CANARY\n", "row 1: original_glcm_Energy is not a number"),
        (HEADER, "CANARY,a,source,1,2\n", "needs 'target' and at least one other"),
        (HEADER, "CANARY,a,target,1,2\n", "needs 'target' and at least one other"),
        (
            HEADER,
            "CANARY,a,target,1,2\nCANARY,a,source,1,2\nCANARY,a,target,1,2\n",
            "row 3: has the case of row 1, with the same variant",
        ),
        (
            HEADER,
            "CANARY,a,target,1,2\nCANARY,b,source,1,2\n",
            "row 2: has the case of row 1, with another label",
        ),
        (HEADER, "CANARY,a,target,1,2\nn2,b,source,1,2\n", r"has 0 value\(s\) in the 0 case"),
        (HEADER, "CANARY,a,target,1,2\nCANARY,a,source,1,2\n", r"has 1 value\(s\) in the 1 case"),
        (
            HEADER,
            "".join(f"{label},{label},{v},1,2\n" for label in "abc" for v in ("source", "target")),
            r"has 3 value\(s\) in the 3 case",
        ),
        (
            HEADER,
            "".join(f"{label},{label},{v},,2\n" for label in "ab" for v in ("source", "target")),
            "no feature varies and has a finite value in every row",
        ),
    ],
)
def test_refused_tables(table, header, text, reason):
    path = table(text, header)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        read_cohort(path)
    assert str(path) in str(caught.value)
    assert "CANARY" not in str(caught.value)


def rows(*numbers):
    """Four cases with two variants of two features."""
    return "".join(
        f"{case},{case % 2},{variant},{number},{number}\n"
        for case, number in enumerate(numbers)
        for variant in ("source", "target")
    )


@pytest.mark.parametrize("decimal", [".", ","])
def test_a_table_that_a_spreadsheet_saved_with_semicolons(table, decimal):
    text = rows("1.5", "-2.25e1", "3", "4.125")
    expected = read_cohort(table(text)).values["target"]
    changed = text.replace(",", ";").replace(".", decimal)
    path = table(changed, HEADER.replace(",", ";"), encoding="utf-8-sig")
    np.testing.assert_array_equal(read_cohort(path).values["target"], expected)


def test_a_table_saved_as_unicode_text(table):
    text = rows("1.5", "-2.25e1", "3", "4.125")
    expected = read_cohort(table(text)).values["target"]
    tabs = text.replace(",", "\t").replace(".", ",")
    path = table(tabs, HEADER.replace(",", "\t"), encoding="utf-16")
    np.testing.assert_array_equal(read_cohort(path).values["target"], expected)


def test_commas_beside_points_are_no_decimal_signs(table):
    text = rows("1.5", "2", "3", "4").replace(",", ";").replace(";4;", ";1,234;")
    with pytest.raises(ConfigurationError, match="is not a number"):
        read_cohort(table(text, HEADER.replace(",", ";")))


def test_unreadable_tables(tmp_path):
    with pytest.raises(ConfigurationError, match="no readable CSV"):
        read_cohort(tmp_path / "nowhere.csv")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ConfigurationError, match="no readable CSV"):
        read_cohort(tmp_path / "picture.csv")


def test_what_is_written(analysis, tmp_path):
    figure = write_traits(analysis, tmp_path / "new" / "folder")
    assert figure.read_bytes().startswith(b"\x89PNG")
    with figure.with_suffix(".csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 40
    found = analysis.separations["harmonized"]
    row = rows[40 + 3]
    assert (row["variant"], row["feature"]) == ("harmonized", "original_gldm_F3")
    assert float(row["p"]) == found.p[3]
    assert float(row["q"]) == found.q[3]
    assert float(row["rank_biserial"]) == pytest.approx(2 * found.auc[3] - 1)
    assert row["separates"] == "1"
    summary = json.loads(figure.with_suffix(".json").read_text())
    assert summary["note"] == RESEARCH_ONLY
    assert summary["cases"] == {"benign": 12, "malignant": 12}
    assert summary["larger_at_auc_1"] == "malignant"
    assert float(rows[80]["auc"]) > 0.9  # the malignant have more of the first feature
    assert summary["variants"]["harmonized"]["found"] == analysis.overlaps["harmonized"].found
    assert summary["variants"]["target"]["sensitivity"] == 1


def test_nowhere_to_write(analysis, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write_traits(analysis, tmp_path / "file")


def panels(analysis):
    figure = draw_traits(analysis)
    count = len(analysis.cohort.values)
    return figure, figure.axes[:count]


def test_heat_maps_have_one_order():
    """Features that are similar on the target are neighbours, in the same order in each variant."""
    cohort = simulated_cohort(features=6)
    rng = np.random.default_rng(1)
    mixed = rng.permutation(24)
    twins = cohort.values["target"][mixed][:, [0, 1, 2, 0, 1, 2]] + 1e-3 * rng.normal(size=(24, 6))
    values = {"source": twins[::-1, ::-1] ** 3, "harmonized": 3 * twins + 8, "target": 2 * twins}
    values["source"][:, 0] = rng.normal(size=24)
    _, shown = panels(analyse(Cohort(cohort.groups, mixed >= 12, cohort.features, values, {})))
    images = [axes.images[0].get_array() for axes in shown]
    np.testing.assert_allclose(images[1], images[2])
    np.testing.assert_allclose(images[2][::2], images[2][1::2], atol=0.01)
    benign_first = np.argsort(mixed >= 12, kind="stable")
    for image, scores in zip(images, map(standardize, values.values()), strict=True):
        for column, case in zip(image.T, benign_first, strict=True):
            np.testing.assert_allclose(np.sort(column), np.sort(scores[case]))


def test_groups_classes_and_separating_features_are_named(analysis):
    figure, shown = panels(analysis)
    found = analysis.overlaps["harmonized"]
    titles = [axes.get_title() for axes in shown]
    wanted = found.found + found.missed
    assert (
        titles[1]
        == f"harmonized\n{found.separating} separate\n{found.found} of the target's {wanted}"
    )
    assert titles[2].strip() == f"target\n{wanted} separate"
    for axes in shown:
        assert [text.get_text() for text in axes.get_xticklabels()] == [
            "benign\n(12)",
            "malignant\n(12)",
        ]
        assert axes.images[0].get_clim() == (-LIMIT, LIMIT)
    strips = [axes.child_axes[0] for axes in shown]
    assert [len(strip.patches) for strip in strips] == [
        overlap.separating for overlap in analysis.overlaps.values()
    ]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == sorted(CLASSES)
    names = [text.get_text() for text in shown[0].child_axes[1].get_yticklabels()]
    assert sorted(names) == sorted(analysis.cohort.features)
    assert RESEARCH_ONLY in figure.get_supxlabel()
    assert any("z-score" in axes.get_ylabel() for axes in figure.axes)


def test_marks_lie_beside_their_rows(analysis):
    _, shown = panels(analysis)
    rows = {round(patch.get_y() + 0.5) for patch in shown[-1].child_axes[0].patches}
    labels = [text.get_text() for text in shown[0].child_axes[1].get_yticklabels()]
    separates = analysis.separations["target"].separates
    assert {labels[row] for row in rows} == set(np.array(analysis.cohort.features)[separates])


def test_many_features_of_unknown_classes():
    cohort = completely_separated(60, 60)
    names = tuple(f"x_c{i % 9}_{i}" if i < 50 else f"age{i}" for i in range(60))
    found = analyse(Cohort(cohort.groups, cohort.in_second, names, cohort.values, {}))
    figure, shown = panels(found)
    assert not shown[0].child_axes[1].get_yticklabels()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(legend) == 8
    assert legend[-1] == "other"


def test_one_feature_can_be_drawn():
    found = analyse(completely_separated(1, 1))
    _, shown = panels(found)
    assert shown[0].images[0].get_array().shape == (1, 8)
