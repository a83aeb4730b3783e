"""The examples in ``rgan-harmonize --help`` run as they stand, on small stand-ins for scans."""

import re
import shutil
from pathlib import Path

import pytest
from support.examples import check_width, commands, examples, provide, run, said
from support.groups import write_series
from support.kernels import chests, exponential
from support.models import make_network, make_series_card, write_model
from support.nifti import scan_hu, write_nifti
from support.qa_phantoms import scan, write_scan

from rgan_sdk.card import SpacingRange
from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_sdk.engines import cuda

PROGRAM = "rgan-harmonize"
NO_GPU = cuda.NO_DRIVER
NO_BF16 = "does not compute in bf16; leave --precision out"
TAKE_NOTHING = {"models", "doctor"}


def scans(path):
    """Write series for both packaged models, enough for each of four shards."""
    for number in range(8):
        write_sample_series(path / "a" / str(number), "B40f", slices=2, size=64, seed=number)
    write_sample_series(path / "b", "B70f", slices=2, size=64, seed=8)


def large_scans(path):
    """Write series that kernels can be measured on, of two patients."""
    for number, name in enumerate("ab", start=1):
        hu = chests(exponential(3.5 + number, 2), 0.8, 4, seed=number)
        write_series(path / name, hu, "B40f", number)


def model(path):
    write_model(path, make_series_card(name=path.stem))


def network(path):
    """Write a model with layers that int8 is fine enough for."""
    card = make_series_card(name=path.stem, pixel_spacing=SpacingRange(0.6, 0.9, 0.7), multiple=2)
    path.write_bytes(make_network(card=card).SerializeToString())


def model_for_ge(path):
    card = make_series_card(name=path.stem, source_kernels=("STANDARD",), target_kernel="B40f")
    write_model(path, card)


def model_of_another_kernel(path):
    card = make_series_card(name=path.stem, source_kernels=("STANDARD",), target_kernel="B70f")
    write_model(path, card)


def one_series(path):
    write_sample_series(path, "B40f", slices=2, size=64, seed=9)


def work_list(path):
    listed = run("rgan-harmonize scan scans --model b70f-to-b40f --list worklist.csv")
    assert listed.exit_code == 0, listed.output


def shard(number, count):
    """Return what makes the OUTPUT of one shard."""

    def make(path):
        if not Path("list.csv").exists():
            scans(Path("scans"))
            run("rgan-harmonize scan scans --model b40f-to-b70f --list list.csv")
        made = run(f"rgan-harmonize run --from list.csv {path} --shard {number}/{count}")
        assert made.exit_code == 0, made.output

    return make


PROVIDED = {
    "merge": {
        "harmonized/part-1": shard(1, 2),
        "harmonized/part-2": shard(2, 2),
        "part-1": shard(1, 3),
        "part-2": shard(2, 3),
        "part-3": shard(3, 3),
    },
    "run": {
        "scans": scans,
        "my-model.onnx": model,
        "ge-to-b40f.onnx": model_for_ge,
        "worklist.csv": work_list,
        "scans/patient-7/ct": one_series,
        "scan.nii.gz": lambda path: write_nifti(path, scan_hu()),
    },
    "module": {"input": scans, "mine.onnx": model_of_another_kernel},
    "scan": {"scans": scans, "mine.onnx": model},
    "kernel": {
        "scans": large_scans,
        "qa/january": lambda path: write_scan(path, scan(exponential(3.5, 2)), "B40f", 1),
    },
    "quantize": {"scans": scans, "my-model.onnx": network},
    "build": {"my-model.fp16.onnx": model},
    "bench": {"scans": scans, "my-model.onnx": model},
}
"""What the examples of each command name, and no example before them makes."""

EACH_ALONE = {"run"}
"""Commands whose examples write to one OUTPUT, with several models."""

SMALLER = {"bench": ["--slices", "4"]}
"""Arguments that take time off the examples of a command, and nothing else."""

DEVICES = re.compile(r"cuda(:\d)?(,cuda:\d)*")


@pytest.mark.parametrize("command", [one for one in commands(PROGRAM) if one not in TAKE_NOTHING])
def test_examples(command, tmp_path, monkeypatch):
    found = examples(PROGRAM, command)
    assert found
    monkeypatch.setattr(cuda, "why_no_device", lambda: NO_GPU)
    provided = tmp_path / "provided"
    provided.mkdir()
    monkeypatch.chdir(provided)
    provide(PROVIDED.get(command, {}), provided)
    for number, example in enumerate(found):
        if command in EACH_ALONE:
            monkeypatch.chdir(shutil.copytree(provided, tmp_path / str(number)))
        check(example, SMALLER.get(command, []))


def check(example, more):
    """Run an example; where it asks for what is not here, that must be all that is wrong."""
    result = run(example, more)
    if DEVICES.search(example) or example.startswith("rgan-harmonize build"):
        assert result.exit_code == 1, said(example, result)
        assert NO_GPU in result.stderr, said(example, result)
        if "build" in example:
            return
        example = DEVICES.sub(lambda found: found[0].replace("cuda", "cpu"), example)
        result = run(re.sub(r"cpu:\d", "cpu", example), more)
    if result.exit_code and NO_BF16 in result.stderr:
        result = run(example.replace("--precision bf16", ""), more)
    assert result.exit_code == 0, said(example, result)


@pytest.mark.parametrize("command", commands(PROGRAM))
def test_help_fits_a_terminal(command):
    check_width(PROGRAM, command)
