import os
from dataclasses import replace

import pytest
from support.training import write_pair_of_scans

from rgan_sdk.errors import OutputError, TrainingError
from rgan_sdk.files import file_sha256
from rgan_train.pairs.csv import COLUMNS, read_pairs, write_pairs
from rgan_train.pairs.find import find_pairs


def test_csv_round_trip_with_relative_folders(tmp_path):
    write_pair_of_scans(tmp_path, slices=2, size=16)
    pairs = find_pairs([tmp_path]).pairs
    inside, outside = tmp_path / "pairs.csv", tmp_path / "lists" / "pairs.csv"
    write_pairs(pairs, inside)
    write_pairs(pairs, outside)
    assert read_pairs(inside).pairs == read_pairs(outside).pairs == tuple(pairs)
    assert str(tmp_path) not in inside.read_text()
    assert str(tmp_path) in outside.read_text()


def test_missing_columns_are_named(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("patient,kernel_a,kernel_b\nx,A,B\n")
    with pytest.raises(TrainingError, match=r"columns manufacturer, slices.* are missing"):
        read_pairs(path)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("kernel_a", "", "row 1: kernel_a is empty"),
        ("series_b", " ", "row 1: series_b is empty"),
        ("slices", "many", "row 1: slices is 'many', not a number"),
    ],
)
def test_bad_rows_are_named(tmp_path, pairs_csv, column, value, message):
    header, row = pairs_csv.read_text().splitlines()
    values = row.split(",")
    values[COLUMNS.index(column)] = value
    path = tmp_path / "pairs.csv"
    path.write_text(f"{header}\n{','.join(values)}\n")
    with pytest.raises(TrainingError, match=message):
        read_pairs(path)


def test_no_rows_and_no_file(tmp_path, pairs_csv):
    path = tmp_path / "pairs.csv"
    with pytest.raises(TrainingError, match="not a readable list"):
        read_pairs(path)
    path.write_text(pairs_csv.read_text().splitlines()[0] + "\n")
    with pytest.raises(TrainingError, match="lists no pair"):
        read_pairs(path)


def test_the_hash_is_that_of_the_file(pairs_csv, tmp_path):
    pairs = read_pairs(pairs_csv)
    assert pairs.sha256 == file_sha256(pairs_csv)
    edited = tmp_path / "pairs.csv"
    edited.write_text(pairs_csv.read_text() + "\n")
    assert read_pairs(edited).sha256 != pairs.sha256


BYTE_ORDER_MARK = "\ufeff".encode()


@pytest.mark.parametrize("mark", [b"", BYTE_ORDER_MARK])
@pytest.mark.parametrize("delimiter", [b",", b";"])
def test_a_list_that_a_spreadsheet_saved(pairs_csv, mark, delimiter):
    edited = pairs_csv.with_name("edited.csv")
    content = pairs_csv.read_bytes().replace(b",", delimiter)
    edited.write_bytes(mark + content)
    assert read_pairs(edited).pairs == read_pairs(pairs_csv).pairs
    assert read_pairs(edited).sha256 == file_sha256(edited)


def test_semicolons_in_a_cell_part_nothing(pairs_csv, tmp_path):
    edited = pairs_csv.with_name("edited.csv")
    edited.write_text(pairs_csv.read_text().replace("Scanner Works", "Scanner; Works"))
    assert read_pairs(edited)[0].manufacturer == "Scanner; Works"
    edited.write_text(pairs_csv.read_text().replace(",", ";").replace("Scanner", '"a;b"'))
    assert read_pairs(edited)[0].manufacturer == "a;b Works"


def test_a_list_with_semicolons_names_only_the_columns_that_are_missing(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(";".join(COLUMNS[1:]) + "\n")
    with pytest.raises(TrainingError, match="the columns patient are missing"):
        read_pairs(path)


def test_a_list_is_a_sequence(pairs_csv):
    pairs = read_pairs(pairs_csv)
    assert len(pairs) == 1
    assert list(pairs) == [pairs[0]]
    assert pairs[:1] == (pairs[0],)


def test_a_list_saved_as_unicode_text(pairs_csv):
    edited = pairs_csv.with_name("edited.csv")
    edited.write_text(pairs_csv.read_text().replace(",", "\t"), encoding="utf-16")
    assert read_pairs(edited).pairs == read_pairs(pairs_csv).pairs


@pytest.mark.parametrize(
    "name", [b"M\xfcller", b" soft ", b"a,b;c", b'the "first"', b"two\nlines", b"\t", b"\xf0\x9f"]
)
def test_names_of_folders_are_kept_byte_for_byte(tmp_path, pairs_csv, name):
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    pair = replace(read_pairs(pairs_csv)[0], folder_a=folder, folder_b=tmp_path)
    for path in (tmp_path / "near.csv", tmp_path / "lists" / "far.csv"):
        write_pairs([pair], path)
        assert read_pairs(path).pairs == (pair,)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [("Scanner", "Müller", "manufacturer"), ("1-B40f", "Müller", "there is no folder .* folder_a")],
)
def test_a_text_that_is_not_utf_8(pairs_csv, old, new, what):
    edited = pairs_csv.with_name("edited.csv")
    edited.write_text(pairs_csv.read_text().replace(old, new), encoding="latin-1")
    with pytest.raises(TrainingError, match=f"row 1: {what} is not UTF-8; save the list as"):
        read_pairs(edited)


def test_a_utf_16_text_that_ends_too_early(pairs_csv):
    edited = pairs_csv.with_name("edited.csv")
    edited.write_bytes(pairs_csv.read_text().encode("utf-16")[:-1])
    with pytest.raises(TrainingError, match="not a readable list of pairs"):
        read_pairs(edited)


def test_a_folder_that_takes_no_file(pairs_csv, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="the list of pairs cannot be written"):
        write_pairs(read_pairs(pairs_csv), tmp_path / "file" / "pairs.csv")
