"""What the library says through ``rgan_set_log``, and to whom."""

import ctypes
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from support.librgan import LIBRARY, Engine, LibraryError, Model, runtime
from support.models import make_domain_card, make_model

DEBUG, INFO, WARNING, ERROR = 1, 2, 3, 4
LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
LIBRARY.rgan_set_log.argtypes = [LOG, ctypes.c_void_p, ctypes.c_int]
LIBRARY.rgan_set_log.restype = None
CONTENT = make_model(make_domain_card()).SerializeToString()
HU = np.random.default_rng(0).uniform(-1000, 900, (1, 16, 16)).astype(np.float32)


@contextmanager
def logged(least=DEBUG, user=None):
    """Yield a list that gets (level, text, user) of all messages."""
    messages = []
    function = LOG(lambda level, text, user: messages.append((level, text.decode(), user)))
    LIBRARY.rgan_set_log(function, user, least)
    try:
        yield messages
    finally:
        LIBRARY.rgan_set_log(LOG(), None, DEBUG)


def harmonize(*spacings):
    with Model(CONTENT) as model, Engine(model) as engine:
        for spacing in spacings:
            engine.harmonize(HU, spacing)


def test_engines_and_sessions_are_logged():
    with logged() as messages:
        harmonize(0.65)
    found = [(level, text) for level, text, _ in messages if "was loaded" not in text]
    version = found[1][1].split("onnxruntime ")[1].split(" ")[0]
    assert found == [
        (DEBUG, "test-blur: a session is opened for pixels of 0.7 mm"),
        (INFO, f"test-blur 1.2.3 runs with onnxruntime {version} (cpu, fp32)"),
        (DEBUG, "test-blur: a session is opened for pixels of 0.65 mm"),
    ]


def test_each_message_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("RGAN_OPENVINO", str(tmp_path / "libopenvino_c.so"))
    with logged(INFO) as messages, Model(CONTENT) as model, Engine(model, runtime=None):
        pass
    (text,) = (text for _, text, _ in messages if text.startswith("passed over"))
    assert "RGAN_OPENVINO: " in text
    assert str(tmp_path) in text
    assert "\n" not in text


def test_levels_below_the_least_are_dropped():
    with logged(INFO) as messages:
        harmonize(0.65)
    assert {level for level, _, _ in messages} == {INFO}
    with logged(ERROR) as messages:
        harmonize(0.65)
    assert messages == []


def test_the_user_is_handed_on():
    with logged(user=4711) as messages:
        harmonize()
    assert {user for _, _, user in messages} == {4711}


def test_nothing_is_logged_once_it_is_off():
    with logged() as messages:
        pass
    harmonize(0.65)
    assert messages == []


def test_several_threads_log():
    with logged(INFO) as messages:
        threads = [threading.Thread(target=harmonize) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum("runs with" in text for _, text, _ in messages) == len(threads)


def test_another_log_waits_until_this_one_has_returned():
    entered, left = threading.Event(), []

    def take_long(level, text, user):
        entered.set()
        time.sleep(0.3)
        left.append(text)

    function = LOG(take_long)
    LIBRARY.rgan_set_log(function, None, INFO)
    other = threading.Thread(target=harmonize)
    other.start()
    entered.wait()
    LIBRARY.rgan_set_log(LOG(), None, INFO)
    assert left  # from here on, what the log uses may go
    other.join()
    assert len(left) == 1


def test_what_auto_passes_over_is_logged(monkeypatch):
    monkeypatch.setenv("RGAN_ONNXRUNTIME", str(runtime()))
    monkeypatch.setenv("RGAN_OPENVINO", "/nowhere/libopenvino_c.so")
    options = {"engine": b"auto", "device": b"cpu", "runtime": None}
    with logged(INFO) as messages, Model(CONTENT) as model, Engine(model, **options) as engine:
        chosen = engine.description
    texts = [text for _, text, _ in messages if "was loaded" not in text]
    assert texts[0].startswith("passed over: openvino on cpu: OpenVINO cannot be loaded")
    assert texts[1:] == [f"test-blur 1.2.3 runs with {chosen}"]


FRESH_PROCESS = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from cpp_bindings.test_log import *
with logged(INFO) as messages:
    harmonize()
print(*(text for _, text, _ in messages), sep="\\n")
"""


def test_the_runtime_says_where_it_was_loaded_from():
    # A process loads it once, and another test may have done so here.
    done = subprocess.run(
        [sys.executable, "-c", FRESH_PROCESS], capture_output=True, text=True, check=True
    )
    (loaded,) = (line for line in done.stdout.splitlines() if "was loaded from" in line)
    assert loaded.startswith("ONNX Runtime 1.")
    assert loaded.endswith(f" was loaded from {runtime()}")
    assert done.stderr == ""


def harmonize_in_vain():
    """Run a model whose convolution makes images that do not fit to the others."""
    model = make_model(make_domain_card())
    (convolution,) = (node for node in model.graph.node if node.op_type == "Conv")
    convolution.attribute.append(helper.make_attribute("strides", [2, 2]))
    failed = pytest.raises(LibraryError, match="INFERENCE: ONNX Runtime failed")
    with Model(model.SerializeToString()) as opened, Engine(opened) as engine, failed:
        engine.harmonize(HU, 0.7)


def test_an_error_of_the_runtime_is_logged():
    with logged(WARNING) as messages:
        harmonize_in_vain()
    (message,) = messages
    assert message[0] == ERROR
    assert message[1].startswith("ONNX Runtime: ")
    assert "Sub" in message[1]


def test_off_is_silent(capfd):
    harmonize_in_vain()
    assert capfd.readouterr() == ("", "")
