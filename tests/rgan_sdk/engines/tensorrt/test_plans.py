"""A plan is loaded only unchanged, for its own key, and by the user who stored it."""

import hashlib
import os
import stat
from dataclasses import replace

import pytest

from rgan_sdk.engines.tensorrt import plans
from rgan_sdk.engines.tensorrt.plans import PlanKey, TimingsKey
from rgan_sdk.engines.tensorrt.profile import make_profile
from rgan_sdk.errors import ConfigurationError

CARD = {"gpu": "NVIDIA H100", "compute_capability": "9.0", "multiprocessors": 132}
KEY = PlanKey("0" * 64, "fp16", "tensorrt 11.4.0", **CARD, profile=make_profile(16))
TIMINGS = TimingsKey("tensorrt 11.4.0", **CARD)
PLAN = bytes(range(256)) * 40 + b"\n{}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tensorrt"


@pytest.mark.parametrize("key", [KEY, TIMINGS])
def test_what_was_stored_comes_back(key, folder):
    assert plans.load(key) is None
    path = plans.store(key, PLAN)
    assert path.parent == folder
    assert plans.load(key) == PLAN
    plans.store(key, b"")
    assert plans.load(key) == b""


@pytest.mark.parametrize(
    "change",
    [
        {"model_sha256": "1" * 64},
        {"precision": "fp32"},
        {"tensorrt": "tensorrt 11.4.1"},
        {"gpu": "NVIDIA H200"},
        {"compute_capability": "10.0"},
        {"multiprocessors": 114},
        {"profile": make_profile(16, 768, 768)},
    ],
)
def test_anything_else_is_another_key(change):
    plans.store(KEY, PLAN)
    other = replace(KEY, **change)
    assert plans.cache_path(other) != plans.cache_path(KEY)
    assert plans.load(other) is None


def test_a_plan_of_another_key_under_this_name_is_not_taken():
    path = plans.store(replace(KEY, tensorrt="tensorrt 10.13.0"), PLAN)
    path.rename(plans.cache_path(KEY))
    assert plans.load(KEY) is None


def test_a_plan_that_another_program_made_is_not_taken():
    plans.cache_path(KEY).write_bytes(PLAN)
    assert plans.load(KEY) is None


def test_every_damage_is_found():
    path = plans.store(KEY, PLAN)
    whole = path.read_bytes()
    for place in (0, 5, whole.index(b"\n"), whole.index(b"\n") + 1, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert plans.load(KEY) is None
    for length in (0, 1, whole.index(b"\n"), len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert plans.load(KEY) is None
    path.write_bytes(whole + b"0")
    assert plans.load(KEY) is None
    path.write_bytes(whole)
    assert plans.load(KEY) == PLAN


def test_a_swapped_hash_is_found():
    path = plans.store(KEY, PLAN)
    foreign = b"native code of someone else"
    forged = path.read_bytes().split(b"\n")[0] + b"\n" + foreign
    path.write_bytes(forged)
    assert plans.load(KEY) is None
    path.write_bytes(
        forged.replace(*(hashlib.sha256(b).hexdigest().encode() for b in (PLAN, foreign)))
    )
    assert plans.load(KEY) == foreign  # a hash does not prove the origin; see the next test


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_what_others_may_write_to_is_not_taken(mode):
    path = plans.store(KEY, PLAN)
    path.chmod(mode)
    assert plans.load(KEY) is None


def test_what_belongs_to_another_user_is_not_taken(monkeypatch):
    plans.store(KEY, PLAN)
    own = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: own + 1)
    assert plans.load(KEY) is None


def test_only_the_owner_reads_and_writes(folder):
    old = os.umask(0)
    try:
        path = plans.store(KEY, PLAN)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [entry.name for entry in folder.iterdir()] == [path.name]


def test_a_cache_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("RGAN_CACHE", str(tmp_path / "file"))
    with pytest.raises(ConfigurationError, match="RGAN_CACHE"):
        plans.store(KEY, PLAN)
