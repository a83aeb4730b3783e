"""What makes two runs the same, and which batch size a run takes."""

import json
from datetime import UTC, datetime

import pytest

from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine
from rgan_sdk.errors import ConfigurationError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.options import RunOptions, Shard
from rgan_sdk.run.state.identity import (
    Configuration,
    RunIdentity,
    UsedModel,
    check_alike,
    describe_engine,
    run_timestamp,
    settle_batch_size,
)


def test_the_batch_size_counts_only_where_it_changes_bits(bound, model):
    assert Configuration.of(bound(4)).batch == 4
    with Harmonizer(OnnxRuntimeEngine(model, "cpu"), 4) as harmonizer:
        assert Configuration.of(harmonizer) == Configuration("any", "onnxruntime", "fp32")


def test_a_configuration_is_canonical_json(bound):
    """Its text enters the UIDs of all new objects, so it must stay as it is."""
    text = Configuration.of(bound(4)).to_json()
    assert text == '{"batch":4,"engine":"identity","precision":"fp32"}'
    assert Configuration.from_json(text) == Configuration.of(bound(4))


@pytest.mark.parametrize("text", ["", "[]", "3", '{"batch": 4}', '{"batch": 1', None])
def test_another_text_is_no_configuration(text):
    assert Configuration.from_json(text) is None


def test_an_identity_holds_what_changes_the_series(bound):
    options = RunOptions(
        outside_domain=("spacing", "kernel"), shard=Shard(1, 2), workers=7, preview=True
    )
    identity = RunIdentity.of(bound(4), options)
    assert identity.options == {
        "outside_domain": ["kernel", "spacing"],
        "assume_hu": False,
        "shard": "1/2",
    }
    assert json.loads(identity.configuration)["batch"] == 4
    same = RunOptions(outside_domain={"kernel", "spacing"}, shard=Shard(1, 2), workers=1)
    again = RunIdentity.of(bound(4), same)
    assert identity.differences(again) == {}
    other = RunIdentity.of(bound(8), RunOptions())
    assert list(identity.differences(other)) == ["configuration", "options"]


def test_devices_take_the_smallest_batch_that_was_chosen(bound):
    callers = bound(8), bound(2), bound(4)
    settled = settle_batch_size(callers, None)
    assert [each.batch_size for each in settled] == [2, 2, 2]
    assert [each.batch_size for each in callers] == [8, 2, 4]  # as they were
    assert all(one.engine is each.engine for one, each in zip(settled, callers, strict=True))


def test_a_run_is_continued_with_its_batch_size(bound):
    earlier = RunIdentity.of(bound(8), RunOptions())
    (settled,) = settle_batch_size([bound(4)], earlier)
    assert settled.batch_size == 8


@pytest.mark.parametrize(
    "configuration",
    [
        '{"batch":0,"engine":"identity","precision":"fp32"}',
        '{"batch":true,"engine":"identity","precision":"fp32"}',
        '{"batch":10000,"engine":"identity","precision":"fp32"}',
        '{"batch":"any","engine":"identity","precision":"fp32"}',
        '{"batch":8,"engine":"tensorrt","precision":"fp32"}',
        '{"batch":8,"engine":"identity","precision":"fp16"}',
        "damaged",
    ],
)
def test_a_batch_size_of_another_configuration_is_not_taken(bound, configuration):
    earlier = RunIdentity((UsedModel("m", "0" * 64),), configuration, "rgan-sdk 0")
    (settled,) = settle_batch_size([bound(4)], earlier)
    assert settled.batch_size == 4


def test_what_was_asked_for_stays(bound):
    earlier = RunIdentity.of(bound(8), RunOptions())
    settled = settle_batch_size([bound(4, asked=2), bound(4)], earlier)
    assert [each.batch_size for each in settled] == [2, 4]
    with pytest.raises(ConfigurationError, match="same model, engine and batch size"):
        check_alike(settled)


def test_two_devices_need_two_engines(bound):
    one = bound(4)
    check_alike([one, bound(4)])
    with pytest.raises(ConfigurationError, match="a harmonizer of its own"):
        check_alike([one, one.with_batch_size(4)])


def test_every_device_is_named(bound):
    described = describe_engine([bound(4, "cuda:0"), bound(4, "cuda:1")])
    assert described["device"] == "cuda:0,cuda:1"
    assert described["batch_size"] == 4


def test_the_timestamp_can_be_fixed(monkeypatch):
    assert run_timestamp() == datetime.fromtimestamp(1700000000, UTC)
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert run_timestamp().microsecond == 0
    for text in ("yesterday", "1" * 30):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
        with pytest.raises(ConfigurationError, match="not a number of seconds"):
            run_timestamp()
