"""Options and shards."""

import dataclasses
import inspect

import pytest

from rgan_sdk.cli.run import command
from rgan_sdk.errors import ConfigurationError
from rgan_sdk.run.directory import harmonize_directory, plan_directory
from rgan_sdk.run.options import RunOptions, Shard

FOR_THE_MODEL = {"models", "target_kernel", "engine", "device", "precision", "batch_size", "ray"}
OF_THE_COMMAND = {"folders", "listed", "kernel", "dry_run", "report", "verbose"}


def test_the_command_line_has_each_option_and_no_other_defaults():
    parameters = command.make_context("run", ["in", "out", "--model", "m"]).params
    options = {field.name: field.default for field in dataclasses.fields(RunOptions)}
    assert set(parameters) - FOR_THE_MODEL - OF_THE_COMMAND == set(options) - {"checksums"}
    for name in set(options) - {"checksums"}:
        assert parameters[name] == options[name]


def test_both_functions_take_the_options_alone():
    for function in (harmonize_directory, plan_directory):
        taken = set(inspect.signature(function).parameters)
        assert "options" in taken
        assert not taken & {field.name for field in dataclasses.fields(RunOptions)}


def test_options_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RunOptions().resume = False


@pytest.mark.parametrize("workers", [0, -1])
def test_a_run_needs_a_thread(workers):
    with pytest.raises(ConfigurationError, match=f"workers = {workers}"):
        RunOptions(workers=workers)


def test_each_series_is_of_one_shard():
    uids = [f"1.2.{number}" for number in range(100)]
    shards = [Shard(number, 3) for number in (1, 2, 3)]
    parts = [{uid for uid in uids if shard.holds(uid)} for shard in shards]
    assert sum(map(len, parts)) == len(uids)
    assert set.union(*parts) == set(uids)
    assert min(map(len, parts)) > 20


def test_a_shard_keeps_its_series():
    """Machines of two versions must deal in the same way."""
    dealt = [Shard(1, 2).holds(f"1.2.{number}") for number in (5, 6, 7, 8, 9)]
    assert dealt == [True, True, False, False, True]


@pytest.mark.parametrize(("number", "count"), [(0, 2), (3, 2), (1, 0), (-1, 1)])
def test_a_shard_that_is_not_there(number, count):
    with pytest.raises(ConfigurationError, match=f"shard {number}/{count}"):
        Shard(number, count)
