"""The journal of an output folder. tests/rgan_sdk/cli/test_resume.py has whole runs."""

import json
import resource
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.models import make_domain_card

from rgan_sdk.card import Range
from rgan_sdk.errors import OutputBusyError, OutputError
from rgan_sdk.run.cohort.lock import lock_folder
from rgan_sdk.run.state.finished import FinishedSeries, OutputFile
from rgan_sdk.run.state.identity import RunIdentity, UsedModel
from rgan_sdk.run.state.journal import Journal, check_same_run, has_journal, read_journal

MODEL, ANOTHER = UsedModel("b40f-to-b70f", "ab" * 32), UsedModel("b70f-to-b40f", "cd" * 32)
IDENTITY = RunIdentity((MODEL,), '{"batch":4}', "rgan-sdk 1", {"outside_domain": []})
OTHER = RunIdentity((ANOTHER,), '{"batch":4}', "rgan-sdk 1", {"outside_domain": ["kernel"]})
FIRST, LATER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)
FILES = (OutputFile("1.2.3.1.dcm", 700, "e3069283"), OutputFile("1.2.3.2.dcm", 702, "00000000"))


def finished(output):
    return FinishedSeries("1.2", MODEL.sha256, output, FILES, "00" * 32, 5, ("spacing",), 14.5)


SERIES = finished("1.2.3")


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    with lock_folder(folder, durable=False):
        yield folder


def open_journal(out, identity=IDENTITY, timestamp=LATER):
    return Journal(out, identity, timestamp, read_journal(out))


def begin(out, *noted, identity=IDENTITY, timestamp=FIRST):
    with open_journal(out, identity, timestamp) as journal:
        for series in noted:
            journal.note(series)
            (out / series.output).mkdir()
    return journal


def lines(out):
    return [json.loads(line) for line in (out / ".rgan" / "journal.jsonl").open()]


def test_a_run_and_its_series_have_a_line_each(out):
    begin(out, SERIES)
    run, series = lines(out)
    assert run == {
        "kind": "run",
        "schema": 2,
        "timestamp": FIRST.isoformat(),
        "models": [{"name": "b40f-to-b70f", "sha256": "ab" * 32}],
        "configuration": '{"batch":4}',
        "software": "rgan-sdk 1",
        "options": {"outside_domain": []},
    }
    assert series == {
        "kind": "series",
        "source": "1.2",
        "model": "ab" * 32,
        "output": "1.2.3",
        "files": [
            {"name": "1.2.3.1.dcm", "size": 700, "crc32c": "e3069283"},
            {"name": "1.2.3.2.dcm", "size": 702, "crc32c": "00000000"},
        ],
        "sources": "00" * 32,
        "clips": 5,
        "outside": ["spacing"],
        "noise_hu": 14.5,
        "processed": True,
    }


def test_a_later_run_knows_what_is_finished_and_keeps_the_time(out):
    begin(out, SERIES)
    with open_journal(out) as journal:
        assert journal.timestamp == FIRST
        assert journal.finished == {"1.2.3": SERIES}
    assert len(lines(out)) == 2


def test_what_images_show_of_a_kernel_is_kept(out):
    noted = replace(SERIES, kernel_note="suspect kernel: sharper")
    begin(out, noted)
    assert read_journal(out).finished == {"1.2.3": noted}


def test_a_journal_that_does_not_know_of_noise_says_nothing_of_it():
    card = make_domain_card(noise_hu=Range(5.0, 12.0))
    unmeasured = replace(SERIES, noise_hu=None)
    record = unmeasured.to_record()
    assert FinishedSeries.from_record(record) == unmeasured
    assert "noise not measured" in unmeasured.notes(card)[0]
    assert "noise is 14.5 HU" in SERIES.notes(card)[0]
    del record["noise_hu"]
    earlier = FinishedSeries.from_record(record)
    assert earlier.notes(card) == ()
    assert earlier.to_record() == record


def test_the_last_line_of_a_series_counts(out):
    begin(out, SERIES)
    again = FinishedSeries("1.2", MODEL.sha256, "1.2.3", FILES[:1], "11" * 32, 0)
    with open_journal(out) as journal:
        journal.note(again)
    assert read_journal(out).finished == {"1.2.3": again}


def test_where_nothing_is_finished_a_run_begins_anew(out):
    begin(out, SERIES)
    (out / "1.2.3").rmdir()
    with open_journal(out, OTHER) as journal:
        assert journal.timestamp == FIRST  # still that of the first run
        assert journal.finished == {}
    (run,) = lines(out)
    assert run["models"] == [{"name": "b70f-to-b40f", "sha256": "cd" * 32}]


def test_the_earlier_journal_is_there_until_the_new_one_is_whole(out, monkeypatch):
    begin(out, SERIES)
    (out / "1.2.3").rmdir()
    before = lines(out)

    def stop(temporary, path):
        assert [json.loads(line)["kind"] for line in temporary.open()] == ["run"]
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        open_journal(out, OTHER)
    assert lines(out) == before


def test_what_a_killed_run_left_of_a_new_journal_is_removed(out):
    begin(out, SERIES)
    (out / "1.2.3").rmdir()
    part = out / ".rgan" / ".journal.jsonl.9419c77b.part"
    part.touch()
    with open_journal(out, OTHER):
        assert not part.exists()


def test_another_identity_is_refused_by_what_differs(out):
    with pytest.raises(OutputError, match="another model, options; run with"):
        check_same_run(out, OTHER, IDENTITY)
    with pytest.raises(OutputError, match=r"model was b40f-to-b70f \(SHA-256 abab"):
        check_same_run(out, OTHER, IDENTITY)
    check_same_run(out, IDENTITY, IDENTITY)


def test_a_resume_with_other_options_has_a_line(out):
    begin(out, SERIES)
    more = replace(IDENTITY, options={"outside_domain": [], "include_target": "B70f"})
    for _ in range(2):
        Journal(out, more, LATER, read_journal(out)._replace(identity=more))
        assert [line["kind"] for line in lines(out)] == ["run", "series", "resume"]
        assert read_journal(out).identity == more
    assert read_journal(out).timestamp == FIRST


def test_what_was_staged_is_never_used(out):
    staged = out / ".rgan" / "staging" / "1.2.9"
    staged.mkdir(parents=True)
    with open_journal(out) as journal:
        assert list(journal.staging.iterdir()) == []
    assert not journal.staging.exists()


def test_an_earlier_run_knows_its_series_and_whether_they_are_there(out):
    assert not has_journal(out)
    assert read_journal(out) is None
    begin(out, SERIES, finished("1.2.4"))
    assert has_journal(out)
    earlier = read_journal(out)
    assert (earlier.identity, earlier.timestamp) == (IDENTITY, FIRST)
    assert list(earlier.finished_for(IDENTITY)) == ["1.2.3", "1.2.4"]
    assert earlier.finished_for(OTHER) == {}
    (out / "1.2.3").rmdir()
    assert earlier.has_series_in(out)
    (out / "1.2.4").rmdir()
    assert not earlier.has_series_in(out)


@pytest.mark.parametrize("content", [b"\n", b"\xff\xfe\n", b'{"kind": "run"}\n', b'"run"\n'])
def test_a_damaged_journal_is_refused(out, content):
    begin(out, SERIES)
    (out / ".rgan" / "journal.jsonl").write_bytes(content)
    with pytest.raises(OutputError, match=r"damaged|another version"):
        read_journal(out)
    assert (out / ".rgan" / "journal.jsonl").read_bytes() == content


def test_a_journal_of_schema_1_is_refused_by_name(out):
    begin(out)
    run = {"kind": "run", "schema": 1, "timestamp": FIRST.isoformat(), "model": "ab" * 32}
    run |= {"configuration": "{}", "software": "rgan-sdk 0.0.9", "options": {}}
    series = {"kind": "series", "output": "1.2.3", "sources": "00" * 32, "clips": 5}
    journal = out / ".rgan" / "journal.jsonl"
    journal.write_text(f"{json.dumps(run)}\n{json.dumps(series)}\n")
    with pytest.raises(
        OutputError, match=r"schema 1, written by rgan-sdk 0\.0\.9.* choose another"
    ):
        read_journal(out)


def test_a_journal_that_cannot_be_read_is_not_begun_anew(out):
    (out / ".rgan" / "journal.jsonl").mkdir()
    with pytest.raises(OutputError, match="cannot be read"):
        read_journal(out)


@contextmanager
def files_of_at_most(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_line_that_could_not_be_written_does_not_spoil_the_next(out):
    with open_journal(out) as journal:
        journal.note(SERIES)
        size = (out / ".rgan" / "journal.jsonl").stat().st_size
        with files_of_at_most(size + 50), pytest.raises(OSError, match="too large"):
            journal.note(finished("1.2.4"))
        journal.note(finished("1.2.5"))
    assert list(read_journal(out).finished) == ["1.2.3", "1.2.5"]


def test_a_model_that_cannot_be_noted_ends_the_run_with_the_reason(out):
    begin(out, SERIES)
    size = (out / ".rgan" / "journal.jsonl").stat().st_size
    with open_journal(out) as journal:
        message = r"journal\.jsonl: cannot be written to \(File too large\); once that is mended"
        with files_of_at_most(size + 50), pytest.raises(OutputError, match=message):
            journal.note_model(ANOTHER, "{}")
        journal.note_model(ANOTHER, "{}")
    assert read_journal(out).models[ANOTHER] == "{}"


@pytest.mark.parametrize("content", [b"", b'{"kind": "ru'])
def test_a_journal_that_was_never_begun_is_no_obstacle(out, content):
    """A run that is killed while it writes the first line leaves this."""
    begin(out)
    (out / ".rgan" / "journal.jsonl").write_bytes(content)
    assert read_journal(out) is None
    begin(out, SERIES, timestamp=LATER)
    assert [line["kind"] for line in lines(out)] == ["run", "series"]


def test_one_run_at_a_time(out):
    with (
        pytest.raises(OutputBusyError, match="another run writes there"),
        lock_folder(out, durable=False),
    ):
        pass


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match="cannot be used for output"),
        lock_folder(tmp_path / "file" / "out", durable=False),
    ):
        pass


@pytest.mark.parametrize("durable", [True, False])
def test_folders_that_had_to_be_made_are_on_the_disk(tmp_path, monkeypatch, durable):
    synced = []
    monkeypatch.setattr("rgan_sdk.run.cohort.lock.sync", synced.append)
    output = tmp_path / "new" / "out"
    with lock_folder(output, durable=durable):
        assert set(synced) == ({tmp_path, tmp_path / "new", output} if durable else set())
    synced.clear()
    with lock_folder(output, durable=durable):
        assert not synced
