"""``mapping.csv`` as spreadsheets and pandas read it."""

import csv
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.dicom_phantoms import CANARY, uid, write_series

from rgan_sdk.dicom.inventory import FailedSeries
from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_sdk.run.choosing.candidates import Candidate
from rgan_sdk.run.delivery.mapping import COLUMNS, MAPPING, write_mapping
from rgan_sdk.run.directory import harmonize_directory
from rgan_sdk.run.ledger import Ledger
from rgan_sdk.run.observer import SilentObserver
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.planning import make_plan


def rows(out):
    with (out / MAPPING).open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def mapped(tmp_path, card):
    """Return a function that maps the series of INPUT as they are planned."""

    def mapped(source, change=lambda plan: plan):
        plan = change(make_plan(source, [Candidate.of(card)]))
        ledger = Ledger(plan)
        write_mapping(tmp_path, plan, ledger.report)
        assert ledger.report.warnings == []
        return rows(tmp_path)

    return mapped


def test_each_series_of_input_has_a_row(source, tmp_path, bound):
    write_series(source / "broken", 2, RescaleSlope=0, SeriesInstanceUID=uid(7, 7))
    report = harmonize_directory(source, tmp_path / "out", bound())
    done = next(entry for entry in report.series if entry.status == "done")
    assert [row["source_series"] for row in rows(tmp_path / "out")] == [
        uid(7, 7),
        *(entry.series_instance_uid for entry in report.series if entry.status == "skipped"),
        done.series_instance_uid,
    ]
    failed, skipped, harmonized = rows(tmp_path / "out")
    assert list(harmonized) == list(COLUMNS)
    assert harmonized == {
        "source_series": done.series_instance_uid,
        "group": "0",
        "source_folder": "./taken",
        "output_series": done.output,
        "output_folder": done.output,
        "model": "test-blur",
        "outcome": "done",
        "processed": "false",  # by the identity engine
        "kernel": "B40f",
        "spacing": f"{done.pixel_spacing:.6g}",
        "noise": harmonized["noise"],
    }
    nothing = {"output_series": "", "output_folder": "", "model": "", "noise": ""}
    assert skipped == skipped | nothing | {
        "source_folder": "./other",
        "outcome": "skipped",
        "processed": "false",
        "kernel": "H30s",
    }
    assert failed == failed | nothing | {
        "source_folder": "./broken",
        "outcome": "failed",
        "processed": "false",
        "kernel": "",
        "spacing": "",
    }


def test_series_of_another_input_keep_their_rows(tmp_path, bound):
    out, (first, second) = tmp_path / "out", (tmp_path / "a", tmp_path / "b")
    for seed, source in enumerate((first, second)):
        write_sample_series(source, "B40f", slices=4, size=64, seed=seed, pixel_spacing=1.4)
    harmonize_directory(first, out, bound())
    (before,) = rows(out)
    harmonize_directory(second, out, bound())
    assert before in rows(out)
    assert len(rows(out)) == 2
    shutil.rmtree(out / before["output_folder"])
    harmonize_directory(second, out, bound())
    assert before not in rows(out)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe,\n", b"a,b\n1,2\n", b"\0"])
def test_a_table_that_is_none_of_a_run_is_replaced(tmp_path, bound, content):
    write_sample_series(tmp_path / "in", "B40f", slices=4, size=64, pixel_spacing=1.4)
    harmonize_directory(tmp_path / "in", tmp_path / "out", bound())
    whole = rows(tmp_path / "out")
    (tmp_path / "out" / MAPPING).write_bytes(content)
    harmonize_directory(tmp_path / "in", tmp_path / "out", bound())
    assert rows(tmp_path / "out") == whole


def test_noise_is_measured_and_kept_for_a_resumed_run(tmp_path, bound):
    write_sample_series(tmp_path / "in", "B40f", slices=4, size=256, pixel_spacing=1.4)
    entries, mappings = [], []
    for _ in range(2):
        report = harmonize_directory(tmp_path / "in", tmp_path / "out", bound())
        entries.append(report.series[0])
        mappings.append((tmp_path / "out" / MAPPING).read_bytes())
    assert 5 < entries[0].noise_hu < 50
    assert rows(tmp_path / "out")[0]["noise"] == f"{entries[0].noise_hu:.1f}"
    assert entries[0] == entries[1]
    assert mappings[0] == mappings[1]


def test_what_a_run_did_not_come_to_is_unfinished(source, mapped):
    taken = next(row for row in mapped(source) if row["source_folder"] == "./taken")
    assert (taken["outcome"], taken["processed"], taken["kernel"]) == (
        "unfinished",
        "false",
        "B40f",
    )


def test_what_is_finished_keeps_its_row_where_a_run_is_stopped(source, tmp_path, bound):
    class Stop(SilentObserver):
        def on_verified(self, files, total):
            raise KeyboardInterrupt

    out = tmp_path / "out"
    harmonize_directory(source, out, bound())
    before = rows(out)
    write_sample_series(source / "later", "B40f", slices=1, size=64, seed=3)
    with pytest.raises(KeyboardInterrupt):
        harmonize_directory(source, out, bound(), RunOptions(verify_outputs=True), observer=Stop())
    (new,) = (row for row in rows(out) if row not in before)
    assert (new["source_folder"], new["outcome"]) == ("./later", "unfinished")
    assert len(rows(out)) == len(before) + 1


def test_folders_are_no_numbers_dates_or_formulas(tmp_path, mapped):
    names = ("0012", "2024-01-05", "=1+1", "Müller, Ä", "a\nb")
    for number, name in enumerate(names):
        folder = tmp_path / "in" / name
        write_sample_series(folder, "B40f", slices=1, size=32, seed=number)
    assert {row["source_folder"] for row in mapped(tmp_path / "in")} == {f"./{n}" for n in names}
    content = (tmp_path / MAPPING).read_bytes()
    assert content.startswith(b"\xef\xbb\xbfsource_series,")  # Excel needs the mark
    assert content.count(b"\r\n") == len(names) + 1


def test_a_plain_mapping_has_no_byte_order_mark(source, mapped, tmp_path):
    mapped(source)
    assert (tmp_path / MAPPING).read_bytes().startswith(b"source_series,group,source_folder,")


def test_names_that_are_not_utf_8_leave_the_file_readable(tmp_path, mapped):
    folder = Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/caf\xe9"))
    write_sample_series(folder, "B40f", slices=1, size=32)
    assert [row["source_folder"] for row in mapped(tmp_path / "in")] == ["./caf\\udce9"]


def test_series_in_input_itself_and_in_several_folders(tmp_path, mapped):
    paths = write_series(tmp_path / "in", 3)
    assert [row["source_folder"] for row in mapped(tmp_path / "in")] == ["."]
    (tmp_path / "in" / "a" / "b").mkdir(parents=True)
    paths[0].rename(tmp_path / "in" / "a" / "b" / "1")
    paths[1].rename(tmp_path / "in" / "a" / "2")
    paths[2].rename(tmp_path / "in" / "a" / "3")
    assert [row["source_folder"] for row in mapped(tmp_path / "in")] == ["./a"]


def test_a_kernel_is_no_formula(tmp_path, mapped):
    write_series(tmp_path / "in", 1, ConvolutionKernel='=HYPERLINK("http://x")')
    (row,) = mapped(tmp_path / "in")
    assert row["kernel"] == '\'=HYPERLINK("http://x")'


def test_parts_of_one_series_uid_have_a_row_each(tmp_path, mapped):
    for number, kernel in enumerate(("B40f", "B70f")):
        write_series(
            tmp_path / "in" / kernel, 1, ConvolutionKernel=kernel, SOPInstanceUID=uid(number)
        )
    found = [(row["source_series"], row["group"], row["kernel"]) for row in mapped(tmp_path / "in")]
    assert found == [(uid(1, 1), "0", "B40f"), (uid(1, 1), "1", "B70f")]


def test_a_listed_series_that_is_gone_has_a_row_without_a_folder(source, mapped):
    gone = FailedSeries("1.2.3", "no file of it is there any more", ())

    def lose(plan):
        return replace(plan, inventory=replace(plan.inventory, failed=(gone,)))

    row = next(row for row in mapped(source, lose) if row["source_series"] == "1.2.3")
    assert (row["source_folder"], row["outcome"]) == ("", "failed")


def test_a_mapping_holds_no_patient_data(tmp_path, mapped):
    write_series(tmp_path / "in", 2)
    mapped(tmp_path / "in")
    assert CANARY not in (tmp_path / MAPPING).read_text()


def test_a_mapping_that_cannot_be_written_is_a_warning(source, tmp_path, bound):
    (tmp_path / "out" / ".rgan").mkdir(parents=True)
    harmonize_directory(source, tmp_path / "out", bound())
    (tmp_path / "out" / MAPPING).unlink()
    (tmp_path / "out" / MAPPING).mkdir()
    report = harmonize_directory(source, tmp_path / "out", bound())
    assert report.warnings == ["mapping.csv cannot be written (Is a directory)"]
    assert report.summary["series"]["done"] == 1


def test_a_link_in_place_of_the_mapping_is_replaced_and_not_followed(source, tmp_path, bound):
    harmonize_directory(source, tmp_path / "out", bound())
    content, precious = (tmp_path / "out" / MAPPING).read_bytes(), tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "out" / MAPPING).unlink()
    (tmp_path / "out" / MAPPING).symlink_to(precious)
    harmonize_directory(source, tmp_path / "out", bound())
    assert precious.read_text() == "mine"
    assert not (tmp_path / "out" / MAPPING).is_symlink()
    assert (tmp_path / "out" / MAPPING).read_bytes() == content
