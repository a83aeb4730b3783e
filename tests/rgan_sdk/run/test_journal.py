"""The journal of an output folder. tests/rgan_sdk/cli/test_resume.py has whole runs."""

import json
from datetime import UTC, datetime

import pytest

from rgan_sdk.errors import OutputBusyError, OutputError
from rgan_sdk.run.identity import RunIdentity
from rgan_sdk.run.journal import (
    FinishedSeries,
    Journal,
    check_same_run,
    earlier_identity,
    has_journal,
    lock_folder,
)

IDENTITY = RunIdentity("ab" * 32, '{"batch":4}', "rgan-sdk 1", {"any_kernel": False})
OTHER = RunIdentity("cd" * 32, '{"batch":4}', "rgan-sdk 1", {"any_kernel": True})
FIRST, LATER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)
SERIES = FinishedSeries("1.2.3", "00" * 32, 5)


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    with lock_folder(folder):
        yield folder


def begin(out, *finished, identity=IDENTITY, timestamp=FIRST):
    with Journal(out, identity, timestamp) as journal:
        for series in finished:
            journal.note(series)
            (out / series.output).mkdir()
    return journal


def lines(out):
    return [json.loads(line) for line in (out / ".rgan" / "journal.jsonl").open()]


def test_a_run_and_its_series_have_a_line_each(out):
    begin(out, SERIES)
    run, series = lines(out)
    assert (run["kind"], run["schema"], run["timestamp"]) == ("run", 1, FIRST.isoformat())
    assert run["model"] == IDENTITY.model
    assert series == {"kind": "series", "output": "1.2.3", "sources": "00" * 32, "clips": 5}


def test_a_later_run_knows_what_is_finished_and_keeps_the_time(out):
    begin(out, SERIES)
    with Journal(out, IDENTITY, LATER) as journal:
        assert journal.timestamp == FIRST
        assert journal.finished_series("1.2.3") == SERIES
        assert journal.finished_series("1.2.4") is None
    assert len(lines(out)) == 2


def test_a_noted_series_that_is_not_in_place_is_not_finished(out):
    begin(out, SERIES, FinishedSeries("1.2.4", "11" * 32, 0))
    (out / "1.2.3").rmdir()
    with Journal(out, IDENTITY, LATER) as journal:
        assert journal.finished_series("1.2.3") is None
        assert journal.finished_series("1.2.4") is not None


def test_where_nothing_is_finished_a_run_begins_anew(out):
    begin(out, SERIES)
    (out / "1.2.3").rmdir()
    with Journal(out, OTHER, LATER) as journal:
        assert journal.timestamp == FIRST  # still that of the first run
    (run,) = lines(out)
    assert run["model"] == OTHER.model


def test_another_identity_is_refused_by_what_differs(out):
    begin(out, SERIES)
    with pytest.raises(OutputError, match="another model, options; run with"):
        Journal(out, OTHER, LATER)
    with pytest.raises(OutputError, match=f"model was {IDENTITY.model}"):
        check_same_run(out, OTHER, IDENTITY)
    check_same_run(out, IDENTITY, IDENTITY)


def test_what_was_staged_is_never_used(out):
    staged = out / ".rgan" / "staging" / "1.2.9"
    staged.mkdir(parents=True)
    with Journal(out, IDENTITY, FIRST) as journal:
        assert list(journal.staging.iterdir()) == []
    assert not journal.staging.exists()


def test_the_identity_of_an_earlier_run_counts_with_its_series_only(out):
    assert not has_journal(out)
    assert earlier_identity(out) is None
    begin(out, SERIES)
    assert has_journal(out)
    assert earlier_identity(out) == IDENTITY
    (out / "1.2.3").rmdir()
    assert earlier_identity(out) is None


@pytest.mark.parametrize("content", [b"\n", b"\xff\xfe\n", b'{"kind": "run"}\n', b'"run"\n'])
def test_a_damaged_journal_is_refused(out, content):
    begin(out, SERIES)
    (out / ".rgan" / "journal.jsonl").write_bytes(content)
    with pytest.raises(OutputError, match=r"damaged|another version"):
        earlier_identity(out)
    with pytest.raises(OutputError, match=r"damaged|another version"):
        Journal(out, IDENTITY, LATER)


@pytest.mark.parametrize("content", [b"", b'{"kind": "ru'])
def test_a_journal_that_was_never_begun_is_no_obstacle(out, content):
    """A run that is killed while it writes the first line leaves this."""
    begin(out)
    (out / ".rgan" / "journal.jsonl").write_bytes(content)
    assert earlier_identity(out) is None
    begin(out, SERIES, timestamp=LATER)
    assert [line["kind"] for line in lines(out)] == ["run", "series"]


def test_one_run_at_a_time(out):
    with pytest.raises(OutputBusyError, match="another run writes there"), lock_folder(out):
        pass


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match="cannot be used for output"),
        lock_folder(tmp_path / "file" / "out"),
    ):
        pass
