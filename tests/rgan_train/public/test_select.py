import pytest
from support.public_index import make_index, make_tables, row

from rgan_sdk.errors import ConfigurationError
from rgan_train.public import index, select
from rgan_train.public.select import find_public_pairs, first_patients, of_manufacturer, total


@pytest.fixture
def pairs(monkeypatch):
    return find_public_pairs(make_index(monkeypatch).series)


def kernels(*series):
    """Return the kernels of the pairs among some series."""
    tables = make_tables("nlst", list(series))
    made = [index._make_series(one) for one in tables.series]
    return [(pair.kernel_a, pair.kernel_b) for pair in find_public_pairs(made)]


SOFT = row(1, 10, "0,OPA,SE,SEN16,B30f,341,2,120,45,30,na")


def test_all_pairs_are_found(pairs):
    assert total(pairs) == select.Total(pairs=8, patients=6, size=8 * 2 * 60)
    assert {(p.kernel_a, p.kernel_b) for p in pairs} == {("B30f", "B50f"), ("BONE", "STANDARD")}
    assert all(p.a.study_instance_uid == p.b.study_instance_uid for p in pairs)


@pytest.mark.parametrize(
    ("description", "changes"),
    [
        ("0,OPA,SE,SEN16,B50f,341,2,120,45,30,na", {"StudyInstanceUID": "1.2.99"}),
        ("0,OPA,SE,SEN16,B50f,341,2,120,45,30,na", {"instanceCount": 61}),
        ("0,OPA,SE,SEN16,B50f,340,2,120,45,30,na", {}),
        ("0,OPA,SE,SEN16,B50f,341,3,120,45,30,na", {}),
        ("0,OPL,SE,SEN16,B50f,341,2,120,45,30,na", {}),
        ("0,OPA,SE,SEN16,b30F,341,2,120,45,30,na", {}),
    ],
)
def test_what_differs_in_more_than_the_kernel_is_no_pair(description, changes):
    assert kernels(SOFT, row(2, 10, description, **changes)) == []


@pytest.mark.parametrize(("slices", "expected"), [(40, 0), (41, 1)])
def test_short_series_of_nlst_are_left_out(slices, expected):
    sharp = row(2, 10, "0,OPA,SE,SEN16,B50f,341,2,120,45,30,na", instanceCount=slices)
    assert len(kernels({**SOFT, "instanceCount": slices}, sharp)) == expected


@pytest.mark.parametrize(("slices", "expected"), [(19, 0), (20, 1)])
def test_elsewhere_a_chest_may_have_thick_slices(slices, expected):
    changes = {"collection_id": "lung_scans", "instanceCount": slices}
    series = [
        row(number, 10, f"ThoraxRoutine  10.0  {kernel}", **changes)
        for number, kernel in enumerate(("B40f", "B70f"))
    ]
    found = find_public_pairs([index._make_series(one) for one in series])
    assert len(found) == expected


def test_three_kernels_make_three_pairs_and_count_once_in_size():
    series = [row(n, 10, f"0,OPA,SE,SEN16,B{n}0f,341,2") for n in (3, 5, 8)]
    found = find_public_pairs([index._make_series(one) for one in series])
    assert total(found) == select.Total(pairs=3, patients=1, size=3 * 60)


def test_a_manufacturer_is_told_by_the_beginning_in_any_case(pairs):
    assert len(of_manufacturer(pairs, "ge")) == 3
    assert len(of_manufacturer(pairs, "Siemens")) == 5
    assert len(of_manufacturer(pairs, "")) == 8


def test_the_kernel_named_first_is_a(pairs):
    found = select.with_kernels(pairs, ("b50F", "B30f"))
    assert {(p.kernel_a, p.kernel_b) for p in found} == {("B50f", "B30f")}
    assert all(",B50f," in p.a.description for p in found)
    assert all(",B30f," in p.b.description for p in found)


def test_more_patients_include_those_of_fewer_and_all_their_pairs(pairs):
    few, more = first_patients(pairs, 2), first_patients(pairs, 4)
    assert total(few).patients == 2
    assert total(more).patients == 4
    assert more[: len(few)] == few
    assert total(few).pairs == sum(p.patient in {one.patient for one in few} for p in pairs)
    assert find_public_pairs([p.b for p in pairs] + [p.a for p in pairs]) == pairs


def test_too_many_patients_are_refused(pairs):
    with pytest.raises(ConfigurationError, match="7 patients are asked for, and only 6"):
        first_patients(pairs, 7)


def test_the_most_frequent_kernels_come_first(pairs):
    assert [len(group) for group in select.by_kernels(pairs).values()] == [5, 3]
