import csv

import pytest
from support.public_index import FakeClient, make_index, make_tables, rows
from support.training import train

from rgan_train.public import download


@pytest.fixture
def index(monkeypatch):
    return make_index(monkeypatch)


def listed(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_without_kernels_it_shows_which_there_are(index):
    result = train("public-pairs")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[1] == ["B30f,B50f", "SIEMENS", "5", "3", "0.0"]
    assert lines[2][0] == "BONE,STANDARD"
    assert "all of them: pairs 8, patients 6" in result.stdout


def test_the_list_is_of_the_chosen_patients(index, tmp_path):
    path = tmp_path / "list.csv"
    options = ("--manufacturer", "siemens", "--kernels", "B50f,B30f", "--patients", 2)
    result = train("public-pairs", *options, "-o", path)
    assert result.exit_code == 0, result.output
    chosen = listed(path)
    assert len({row["patient"] for row in chosen}) == 2
    assert {(row["kernel_a"], row["kernel_b"]) for row in chosen} == {("B50f", "B30f")}
    assert "CC BY 4.0: Nobody & Nobody. (2026). Made-up scans [Data set]." in result.stdout
    assert "--download DIR" in result.stdout
    assert "NC" not in result.stdout


def test_a_licence_without_commercial_use_is_noted(tmp_path, monkeypatch):
    series = [{**one, "license_short_name": "CC BY-NC 4.0"} for one in rows()]
    tables = make_tables(series=series)
    monkeypatch.setattr("rgan_train.public.index.read_tables", lambda _: tables)
    result = train("public-pairs", "--kernels", "B30f,B50f", "-o", tmp_path / "list.csv")
    assert "note: a licence with NC allows no commercial use" in result.stdout


def test_a_download_goes_on_where_it_stopped(index, tmp_path, monkeypatch):
    path, scans = tmp_path / "list.csv", tmp_path / "scans"
    broken = next(one for one in index.series if ",BONE," in one.description)
    client = FakeClient(index, broken=(broken.series_instance_uid,))
    monkeypatch.setattr(download, "open_client", lambda: client)
    command = ("public-pairs", "--kernels", "STANDARD,BONE", "-o", path, "--download", scans)
    failed = train(*command)
    assert failed.exit_code == 1
    assert f"failed: series {broken.series_instance_uid}: 30 files" in failed.stderr
    assert "1 of 6 series did not come; the same command tries them again" in failed.stderr
    client.broken.clear()
    done = train(*command)
    assert done.exit_code == 0, done.output
    assert client.asked[1] == [broken.series_instance_uid]
    assert f"next: rgan-train pair {scans} -o pairs.csv" in done.stdout
    assert len(list(scans.glob("nlst/*/*/*.dcm"))) == 6 * 60
    (scans / download.INCOMING / "of a killed download").mkdir(parents=True)
    again = train(*command)
    assert "all series are there" in again.stdout
    assert not (scans / download.INCOMING).exists()
    assert len(client.asked) == 2


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--patients", "3"), 2, "need --kernels"),
        (("--download", "scans"), 2, "need --kernels"),
        (("--kernels", "B30f,B50f"), 2, "--kernels needs -o"),
        (("--kernels", "B30f", "-o", "x.csv"), 2, "'B30f' is not two kernels"),
        (("--kernels", "B30f,b30F", "-o", "x.csv"), 2, "is not two kernels"),
        (("--kernels", "B30f,BONE", "-o", "x.csv"), 1, "the most frequent kernels are B30f,B50f"),
        (("--manufacturer", "Acme"), 1, "no pair of the manufacturer Acme"),
        (("--collection", "lung_scan"), 1, "did you mean lung_scans?"),
    ],
)
def test_refusals(index, tmp_path, monkeypatch, options, code, message):
    monkeypatch.chdir(tmp_path)
    result = train("public-pairs", *options)
    assert result.exit_code == code
    assert message in result.stderr
    assert not list(tmp_path.iterdir())
