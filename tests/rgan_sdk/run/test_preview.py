"""The before/after picture."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from rgan_sdk.run.pictures import Pictures
from rgan_sdk.run.preview import CAPTION_HEIGHT, write_preview
from rgan_sdk.run.report import Report


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (64, 48), (512, 512)])
def test_any_size_makes_a_picture(tmp_path, shape):
    before = np.random.default_rng(0).normal(-700, 200, shape).astype(np.float32)
    write_preview(tmp_path / "p.png", before, before + 30, ("B40f", "B70f"))
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.size == (3 * shape[1], 2 * shape[0] + CAPTION_HEIGHT)


def test_no_difference_is_mid_gray_and_more_is_brighter(tmp_path):
    before = np.zeros((60, 60), np.float32)
    after = before.copy()
    after[30:] = 75
    write_preview(tmp_path / "p.png", before, after, ("a", "b"))
    with Image.open(tmp_path / "p.png") as picture:
        difference = np.asarray(picture)[CAPTION_HEIGHT : CAPTION_HEIGHT + 60, 120:]
    assert set(np.unique(difference[:30])) == {128}
    assert set(np.unique(difference[30:])) == {191}


def test_the_magnified_part_is_where_the_edges_are(tmp_path):
    before = np.full((120, 120), -1000, np.float32)
    before[50:60:2, 60:70] = 400
    write_preview(tmp_path / "p.png", before, before, ("a", "b"))
    with Image.open(tmp_path / "p.png") as picture:
        magnified = np.asarray(picture)[CAPTION_HEIGHT + 120 :, :120]
    assert magnified.max() > 200


def test_a_picture_without_a_thread_is_a_warning(tmp_path, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    report = Report(environment={})
    with Pictures(tmp_path, report) as pictures:
        pictures.paint(SimpleNamespace(folder=tmp_path / "1.2.3"))
    assert report.warnings == ["1.2.3.png cannot be made: no thread can be started"]
