import pytest
from support.boxes import write_boxes
from support.requirements import require_data

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.regions.boxes import Box, find_box, read_boxes, union

BOMB = (
    '<!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><lolz>&i;</lolz>"
)


def test_a_box_indexes_rows_and_columns():
    box = Box(10, 20, 14, 23)
    assert (box.width, box.height) == (4, 3)
    assert box.part == (slice(20, 23), slice(10, 14))
    assert str(box) == "box x 10 to 14, y 20 to 23"


@pytest.mark.parametrize("corners", [(5, 0, 5, 9), (5, 0, 4, 9), (0, 9, 5, 9), (-1, 0, 5, 9)])
def test_impossible_boxes(corners):
    with pytest.raises(ConfigurationError, match="is empty or begins outside"):
        Box(*corners)


def test_inside_an_image():
    Box(0, 0, 20, 10).check_inside(rows=10, columns=20)
    with pytest.raises(ConfigurationError, match="does not lie inside the slice of 20x10"):
        Box(0, 0, 10, 20).check_inside(rows=10, columns=20)


@pytest.mark.parametrize(
    ("rows", "columns", "corners"), [(64, 80, (20, 16, 60, 48)), (1, 1, (0, 0, 1, 1))]
)
def test_the_centre_quarter(rows, columns, corners):
    assert Box.center_of(rows, columns) == Box(*corners)


def test_union():
    assert union([Box(5, 6, 7, 8), Box(1, 7, 6, 20)]) == Box(1, 6, 7, 20)


def test_all_boxes_of_a_file_count_together(tmp_path):
    path = write_boxes(tmp_path / "any.xml", (10, 20, 30, 40), (15, 18, 20, 22))
    assert read_boxes(path) == (Box(10, 20, 30, 40), Box(15, 18, 20, 22))
    assert find_box(path, ["1.2"]) == Box(10, 18, 30, 40)


def test_in_a_folder_the_files_of_both_instances_count(tmp_path):
    write_boxes(tmp_path / "1.2.xml", (10, 20, 30, 40))
    write_boxes(tmp_path / "1.3.xml", (12, 18, 30, 42))
    write_boxes(tmp_path / "1.4.xml", (0, 0, 60, 60))
    assert find_box(tmp_path, ["1.2", "1.3"]) == Box(10, 18, 30, 42)
    assert find_box(tmp_path, ["1.3", "1.5"]) == Box(12, 18, 30, 42)
    with pytest.raises(ConfigurationError, match=r"has no 1\.5\.xml or 1\.6\.xml"):
        find_box(tmp_path, ["1.5", "1.6"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is not XML"),
        ("<annotation><object>", "is not XML"),
        ("<annotation/>", "marks nothing"),
        ("<a><bndbox><xmin>1</xmin></bndbox></a>", "expected numbers"),
        ("<a>&b;</a>", "is not XML"),
        ('<?xml version="1.0" encoding="none"?><a/>', "is not XML"),
        ('<?xml version="1.0" encoding="utf-7"?><a/>', "is not XML"),
        ('<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>', "document type"),
        (BOMB, "document type"),
        (" " * ((1 << 20) + 1), "larger than 1 MiB"),
    ],
)
def test_other_files_are_refused(tmp_path, content, reason):
    path = tmp_path / "box.xml"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=reason) as refused:
        read_boxes(path)
    assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize("corner", ["nan", "inf", "left"])
def test_a_corner_is_a_number(tmp_path, corner):
    path = write_boxes(tmp_path / "box.xml", (corner, 0, 5, 5))
    with pytest.raises(ConfigurationError, match="expected numbers"):
        read_boxes(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        find_box(tmp_path / "nowhere.xml", ["1.2"])


def test_a_document_type_in_utf_16_is_refused(tmp_path):
    path = tmp_path / "box.xml"
    path.write_bytes(f'<?xml version="1.0" encoding="utf-16"?>{BOMB}'.encode("utf-16"))
    with pytest.raises(ConfigurationError, match="document type"):
        read_boxes(path)


def test_real_files():
    folder = require_data("pair_lungdx_A0002_siemens") / "bbox_xml"
    for path in folder.glob("*.xml"):
        find_box(path, []).check_inside(rows=512, columns=512)
