"""The tables of a run: they fit a terminal, and say everything once."""

import pytest
from rich.console import Console

from rgan_sdk.cli.options import _worth_telling
from rgan_sdk.cli.tables import describe_clamped, print_report, print_wrapped, shorten_uid
from rgan_sdk.engines.cuda import NO_DRIVER
from rgan_sdk.run.report import Report, SeriesEntry

UID = "1.3.6.1.4.1.14519.5.2.1.6655.2359.207154000096236603057216610983"
REASON = "ConvolutionKernel (0018,1210) is B70f; the model takes B40f"
IN_AIR = {"all": 0.0404, "air": 0.0404, "dense": 0.0, "tissue": 0.0}


@pytest.fixture
def report():
    made = Report(environment={})
    for number, kernel in enumerate(["B40f", "Br40d\\3", "B70f", "B70f"]):
        fails = kernel == "B70f"
        entry = SeriesEntry(
            UID,
            number % 2,
            kernel,
            1000,
            "skipped" if fails else "done",
            REASON if fails else "",
            reconstruction="ITERATIVE",
            clamped={} if fails else IN_AIR,
            notes=("slices are 1 to 2 mm apart",) if number in (1, 3) else (),
        )
        made.series.append(entry)
    return made


def test_each_note_is_told_once_and_numbered_in_the_table(report, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_report(report)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    table = [line.split() for line in lines[: lines.index("")]]
    assert len(table) == 5  # no row is broken
    heading, first, second, third, fourth = table
    assert heading[-2:] == ["clamped", "note"]
    assert first[-5:] == ["4", "%,", "all", "in", "air"]
    assert (second[-1], third[-1], fourth[-2:]) == ("1", "2", ["2,", "1"])
    assert "1: slices are 1 to 2 mm apart" in lines
    assert f"2: {REASON}" in lines


def test_a_table_has_no_empty_columns(report, capsys):
    report.series[:] = [SeriesEntry(UID, 0, "B40f", 3, "done")]
    print_report(report)
    heading = capsys.readouterr().out.splitlines()[0]
    assert heading.split() == ["series", "kernel", "slices", "outcome"]


@pytest.mark.parametrize(
    ("clamped", "told"),
    [
        ({}, ""),
        ({"all": 0.04}, "4 %"),  # of a run of an earlier version
        (IN_AIR, "4 %, all in air"),
        ({**IN_AIR, "all": 0.0004, "air": 0.0004}, "< 0.1 %, all in air"),
        ({"all": 0.013, "air": 0.0, "dense": 0.013, "tissue": 0.0}, "1.3 %, all in bone or metal"),
        (
            {"all": 0.0413, "air": 0.04, "dense": 0.0012, "tissue": 0.0001},
            "4 %: 4 % air, 0.1 % bone or metal, < 0.1 % tissue",
        ),
        ({"all": 0.9999, "air": 0.9999}, "100.0 %, all in air"),
    ],
)
def test_clamped_pixels_as_a_share_and_where(clamped, told):
    assert describe_clamped(clamped) == told


@pytest.mark.parametrize("room", [16, 24])
def test_a_short_uid_has_both_ends(room):
    short = shorten_uid(UID, room)
    first, last = short.split("..")
    assert len(short) <= room
    assert UID.startswith(first)
    assert UID.endswith(last)
    assert shorten_uid("1.2.3", room) == "1.2.3"


def test_long_lines_are_wrapped_on_a_terminal_alone():
    path = "folder/" * 15
    for is_terminal in (True, False):
        console = Console(width=40, force_terminal=is_terminal, color_system=None)
        with console.capture() as captured:
            print_wrapped(console, f"{REASON}: {path}")
        lines = captured.get().splitlines()
        assert len(lines) == (3 if is_terminal else 1)
        assert path in lines[-1]


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        ((f"onnxruntime on cuda: {NO_DRIVER}", f"tensorrt on cuda: {NO_DRIVER}"), 0),
        (("openvino on cpu: OpenVINO is not installed: pip install",), 0),
        (("openvino on cpu: max 30 HU from onnxruntime",), 1),
        (("onnxruntime on cuda: without CUDA", "tensorrt on cuda: TensorRT is not installed"), 2),
        (
            (
                f"onnxruntime on cuda: {NO_DRIVER}",
                "openvino on cpu: OpenVINO is not installed: pip",
            ),
            0,
        ),
    ],
)
def test_what_is_not_here_is_told_only_beside_a_gpu(reasons, told):
    assert len(_worth_telling(reasons)) == told
