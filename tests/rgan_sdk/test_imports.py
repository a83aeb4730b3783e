"""Importing is cheap, and changes nothing in the process that imports."""

import subprocess
import sys

import pytest
from pydicom.uid import JPEGLSLossless
from support.dicom_phantoms import write_ct
from support.requirements import require_module

HEAVY = {"torch", "onnxruntime", "onnx", "pydicom", "numpy", "jsonschema", "PIL"}


def imported_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print('\\n'.join(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["rgan_sdk", "rgan_sdk.cli", "rgan_train", "rgan_train.cli"])
def test_nothing_heavy(module):
    assert not HEAVY & imported_by(f"import {module}")


def test_the_harmonizer_needs_no_dicom_and_no_torch():
    assert not {"torch", "pydicom", "onnxruntime"} & imported_by("import rgan_sdk.harmonizer")


HOST_STATE = """
import importlib, logging, os, pkgutil, signal, sys, threading, warnings
import click, jsonschema, numpy, onnx, PIL.Image, platformdirs, rich.console, rich.progress
import pydicom.pixels.decoders.base
import rgan_sdk

def logger_state(logger):
    return logger.level, logger.disabled, logger.propagate, logger.handlers[:], logger.filters[:]

def host_state():
    loggers = {name: logging.getLogger(name) for name in list(logging.root.manager.loggerDict)}
    return {
        "loggers": {
            name: logger_state(logger)
            for name, logger in {"": logging.root, **loggers}.items()
            if logger_state(logger) != (logging.NOTSET, False, True, [], [])
        },
        "logging": (logging.root.manager.disable, logging.raiseExceptions, logging.lastResort),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "decoders": {
            decoder.UID: (decoder.available_plugins, decoder.missing_dependencies)
            for decoder in vars(pydicom.pixels.decoders).values()
            if isinstance(decoder, pydicom.pixels.decoders.base.Decoder)
        },
        "pydicom": dict(vars(pydicom.config.settings)),
        "environment": dict(os.environ),
        "blocked modules": {name for name, module in sys.modules.items() if module is None},
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "threads": threading.active_count(),
        "excepthook": sys.excepthook,
    }
"""

IMPORT_ALL = """
names = [module.name for module in pkgutil.walk_packages(rgan_sdk.__path__, "rgan_sdk.")]
for name in sorted(names):
    before = host_state()
    importlib.import_module(name)
    after = host_state()
    for kind in before:
        if before[kind] != after[kind]:
            print(f"importing {name} changes {kind}: {before[kind]} to {after[kind]}")
print(len(names), "modules")
"""


def run_program(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_importing_a_module_changes_nothing_in_the_host_process():
    output = run_program(HOST_STATE + IMPORT_ALL)
    assert int(output.split()[0]) > 60, output
    assert output.splitlines()[1:] == []


READ_IN_THREADS = """
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pydicom.pixels import get_decoder
from pydicom.uid import UID
from rgan_sdk.dicom.header import read_header
from rgan_sdk.dicom.read.pydicom_reader import read_slice

path, syntax = Path(sys.argv[1]), UID(sys.argv[2])
read_header(path)
print("imagecodecs" in get_decoder(syntax).available_plugins)
with ThreadPoolExecutor(8) as pool:
    slices = list(pool.map(read_slice, [path] * 8))
print("imagecodecs" in get_decoder(syntax).available_plugins)
print(all((each.stored == slices[0].stored).all() for each in slices))
silent = [entry for entry in warnings.filters if "pydicom" in getattr(entry[3], "pattern", "")]
print(len(silent), logging.getLogger("pydicom").level == logging.CRITICAL)
"""


def test_the_decoder_is_registered_when_the_first_compressed_slice_is_decoded(tmp_path):
    require_module("imagecodecs", "pip install 'rgan-sdk[codecs]'")
    path = write_ct(tmp_path / "slice.dcm", syntax=JPEGLSLossless)
    output = run_program(HOST_STATE + READ_IN_THREADS, str(path), JPEGLSLossless)
    assert output.split() == ["False", "True", "True", "1", "True"]
