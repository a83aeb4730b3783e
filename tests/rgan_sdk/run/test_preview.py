"""The before/after picture."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from rgan_sdk.run.pictures import Pictures
from rgan_sdk.run.preview import LINE_HEIGHT, write_contact_sheet, write_preview
from rgan_sdk.run.report import Report


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 1), (384, 384)),
        ((5, 3), (385, 384)),
        ((64, 48), (384, 384)),
        ((384, 100), (384, 384)),
        ((512, 512), (512, 512)),
    ],
)
def test_any_size_makes_a_picture_with_room_for_its_captions(tmp_path, shape, size):
    before = np.random.default_rng(0).normal(-700, 200, shape).astype(np.float32)
    write_preview(tmp_path / "p.png", before, before + 30, ("B40f", "B70f"))
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.size == (3 * size[1], 2 * size[0] + LINE_HEIGHT)


def test_no_difference_is_mid_gray_and_more_is_brighter(tmp_path):
    before = np.zeros((400, 400), np.float32)
    after = before.copy()
    after[200:] = 75
    write_preview(tmp_path / "p.png", before, after, ("a", "b"))
    with Image.open(tmp_path / "p.png") as picture:
        difference = np.asarray(picture)[LINE_HEIGHT : LINE_HEIGHT + 400, 800:]
    assert set(np.unique(difference[:200])) == {128}
    assert set(np.unique(difference[200:])) == {191}


def test_small_slices_are_shown_pixel_by_pixel(tmp_path):
    before = np.zeros((64, 64), np.float32)
    before[10, 20] = 240
    write_preview(tmp_path / "p.png", before, before, ("a", "b"))
    with Image.open(tmp_path / "p.png") as picture:
        whole = np.asarray(picture)[LINE_HEIGHT : LINE_HEIGHT + 384, :384]
    assert (whole[60:66, 120:126] == 255).all()
    assert (whole == 255).sum() == 36


LONG = "2.25.340282366920938463463374607431768211455, patient 0123456789ab, slice 500 of 1000"


def test_the_title_stands_above_the_captions_and_fits(tmp_path):
    black = np.full((64, 64), -2000, np.float32)
    write_preview(tmp_path / "p.png", black, black, ("", "B70f" * 40), LONG)
    with Image.open(tmp_path / "p.png") as picture:
        pixels = np.asarray(picture)
        assert picture.info["Title"] == LONG
    title, captions = pixels[:LINE_HEIGHT], pixels[LINE_HEIGHT : 2 * LINE_HEIGHT]
    assert title.max() == captions.max() == 255
    assert title[:, -8:].max() == 0
    assert captions[:, :384].max() == captions[:, 760:768].max() == 0  # in its own column


def test_a_contact_sheet_names_each_series(tmp_path):
    black = np.full((512, 512), -2000, np.float32)
    for name, title in (("a", LONG), ("b", "")):
        write_preview(tmp_path / f"{name}.png", black, black, ("", "B40f to B70f"), title)
    with Image.open(tmp_path / "b.png") as earlier:
        earlier.save(tmp_path / "b.png")  # without the texts
    write_contact_sheet(tmp_path / "sheet.png", [tmp_path / "a.png", tmp_path / "b.png"])
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape == (2 * LINE_HEIGHT + 200 + 8, 2 * 608)
    named, done = pixels[:LINE_HEIGHT], pixels[LINE_HEIGHT : 2 * LINE_HEIGHT]
    assert named[:, :600].max() == named[:, 608:].max() == done[:, :600].max() == 255
    assert named[:, 592:600].max() == 0
    assert (named[:, 300:600] > 100).any()  # the long title
    assert not (named[:, 700:] > 100).any()  # the name of the file, one letter


def test_the_magnified_part_is_where_the_edges_are(tmp_path):
    before = np.full((400, 400), -1000, np.float32)
    before[160:200:2, 200:240] = 400
    write_preview(tmp_path / "p.png", before, before, ("a", "b"))
    with Image.open(tmp_path / "p.png") as picture:
        magnified = np.asarray(picture)[LINE_HEIGHT + 400 :, :400]
    assert magnified.max() > 200


def test_a_picture_without_a_thread_is_a_warning(tmp_path, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    report = Report(environment={})
    with Pictures(tmp_path, report) as pictures:
        pictures.paint(SimpleNamespace(folder=tmp_path / "1.2.3"))
    assert report.warnings == ["1.2.3.png cannot be made: no thread can be started"]
