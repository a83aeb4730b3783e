"""How many sessions are open at a time, and what happens where memory does not suffice for them."""

import weakref

import numpy as np
import pytest
from support.models import make_domain_card, write_model

from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine
from rgan_sdk.engines.openvino import OpenVINOEngine
from rgan_sdk.engines.sessions import MAX_SESSIONS, Sessions
from rgan_sdk.errors import DeviceMemoryError
from rgan_sdk.model import HarmonizationModel

HU = np.random.default_rng(0).uniform(-900, 900, (2, 1, 16, 24)).astype(np.float32)


@pytest.fixture(params=[(OnnxRuntimeEngine, "_open_session"), (OpenVINOEngine, "_open_request")])
def memory(request, tmp_path, monkeypatch):
    """An engine, and which of its sessions are alive; ``room`` sets how many may be."""

    class Memory:
        room = MAX_SESSIONS
        error = RuntimeError, "std::bad_alloc"

        def __init__(self):
            self.alive, self.opened = weakref.WeakSet(), []

        def check(self, sessions):
            if sessions > self.room:
                kind, *text = self.error  # a new one, which holds no traceback
                raise kind(*text)

    class Watched:
        """A session that only works while no more than ``room`` are alive."""

        def __init__(self, session):
            self.session = session
            memory.alive.add(self)

        def run(self, *given):
            memory.check(len(memory.alive))
            return self.session.run(*given)

        def infer(self, *given, **more):
            memory.check(len(memory.alive))
            return self.session.infer(*given, **more)

    kind, name = request.param
    open_session, memory = getattr(kind, name), Memory()

    def watch(engine, *key):
        memory.opened.append((key[-1], len(memory.alive)))
        return Watched(open_session(engine, *key))

    monkeypatch.setattr(kind, name, watch)
    path = write_model(tmp_path / "m.onnx", make_domain_card())
    with kind(HarmonizationModel.open(path), "cpu") as memory.engine:
        yield memory


def test_the_session_used_last_is_kept_longest():
    opened = []
    sessions = Sessions(lambda *key: opened.append(key) or key)
    for key in "abcdaeb":
        assert sessions.get(key) == (key,)
    assert opened == [(key,) for key in "abcdeb"]
    assert len(sessions) == MAX_SESSIONS


def test_the_oldest_session_is_gone_before_another_is_opened(memory):
    for spacing in (0.625, 0.75, 0.8125, 0.875, 0.625, 0.6875):
        memory.engine.infer(HU, spacing)
        assert len(memory.alive) <= MAX_SESSIONS
    assert max(alive for _, alive in memory.opened) == MAX_SESSIONS - 1


@pytest.mark.parametrize("error", [(RuntimeError, "std::bad_alloc"), (MemoryError,)])
def test_without_memory_the_other_sessions_go_and_it_is_tried_again(memory, error):
    expected = memory.engine.infer(HU, 0.75)
    memory.room, memory.error = 1, error
    assert np.array_equal(memory.engine.infer(HU, 0.75), expected)
    assert memory.opened[-1] == (0.75, 0)
    assert len(memory.alive) == 1


def test_a_lack_of_memory_that_stays_is_told_after_one_more_try(memory):
    memory.engine.infer(HU, 0.75)
    memory.room, memory.opened = 0, []
    with pytest.raises(DeviceMemoryError):
        memory.engine.infer(HU, 0.75)
    assert memory.opened == [(0.75, 0)]


def test_other_failures_are_not_tried_again(memory):
    memory.engine.infer(HU, 0.75)
    memory.room, memory.error, memory.opened = 0, (RuntimeError, "no such thing"), []
    with pytest.raises(Exception, match="no such thing") as caught:
        memory.engine.infer(HU, 0.75)
    assert caught.type.__name__ == "InferenceError"
    assert memory.opened == []
