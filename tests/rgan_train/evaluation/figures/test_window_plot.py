from dataclasses import replace

import pytest
from support.windows import write_windows

from rgan_train.evaluation.figures.window_log import read_windows
from rgan_train.evaluation.figures.window_plot import draw_windows


@pytest.fixture
def epochs(tmp_path):
    return read_windows(write_windows(tmp_path / "windows.jsonl"))


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_the_band_follows_the_window(epochs):
    above, _ = draw_windows(epochs, "B40f to B70f", 0.99).axes
    band, lower, upper = (patch.get_data() for patch in above.patches if hasattr(patch, "get_data"))
    assert band.values.tolist() == upper.values.tolist() == [e.window.upper for e in epochs]
    assert band.baseline.tolist() == lower.values.tolist() == [e.window.lower for e in epochs]
    assert band.edges.tolist() == [number + 0.5 for number in range(14)]
    low, high = above.get_ylim()
    assert low < -1024
    assert high > 1000


def test_phases_and_ends_are_named(epochs):
    above, below = draw_windows(epochs, "B40f to B70f", 0.99).axes
    assert above.get_title() == "B40f to B70f"
    assert "HU" in above.get_ylabel()
    assert below.get_xlabel() == "epoch"
    assert texts(above) == ["fixed growing", "dynamic selection", "−1024", "−769", "−940", "180"]


def test_accuracy_and_reasons(epochs):
    _, below = draw_windows(epochs, "", 0.99).axes
    line, *marked = below.lines
    assert list(line.get_ydata()) == [item.accuracy for item in epochs]
    legend = [text.get_text() for text in below.get_legend().get_texts()]
    assert legend == [
        "accuracy passed $th_{acc}$",
        "$th_{\\eta}$ epochs in the stage",
        "range of HU under hot pixels",
    ]
    places = [list(markers.get_xdata()) for markers in marked]
    assert places == [[5], [1, 2, 3, 4, 6, 8], [9, 10, 11, 12, 13]]


def test_the_threshold_is_drawn_while_the_window_grows(epochs):
    _, below = draw_windows(epochs, "", 0.975).axes
    (line,) = below.collections
    assert line.get_segments()[0].tolist() == [[0.5, 0.975], [8.5, 0.975]]
    assert texts(below) == ["$th_{acc}$ = 0.975"]


def test_no_hot_pixel_and_reasons_of_other_versions(epochs):
    reasons = ["no hot pixel of a HU that occurs twice: the whole range", "the moon is full"]
    epochs = [replace(item, reason=reason) for item, reason in zip(epochs, reasons, strict=False)]
    _, below = draw_windows(epochs, "", 0.99).axes
    legend = [text.get_text() for text in below.get_legend().get_texts()]
    assert legend == ["no hot pixel: the whole range", "another reason"]


def test_one_epoch_whose_window_stays(epochs):
    _, below = draw_windows([replace(epochs[6], phase="whole")], "$x$ [$", 0.99).axes
    assert below.get_legend() is None
    assert len(below.lines) == 1
    assert not below.collections  # no threshold where nothing grows
