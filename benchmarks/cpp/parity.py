"""Compare librgan with Python bit by bit, on the CPU and with the same runtime.

    python benchmarks/cpp/method_models.py models
    python benchmarks/cpp/parity.py --models models --full \
        --scans .data/pair_lungdx_A0002_siemens --scans .data/lidc_idri_0001_ge_standard \
        --json benchmarks/results/cpp-parity.json

Packaged models harmonize all slices of the scans, the others each tenth. A slice has the pixel
spacing of its scan where the card allows it, or the nearest that it does. Synthetic slices have odd
sizes, a single pixel and 1024x1024, with the smallest, the middle and the largest spacing of the
card. ``--full`` adds the generator on the full VGG-19, with random weights, on few slices.
``--engine openvino`` takes OpenVINO instead of ONNX Runtime.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks/infer")]

from full_generator import make_graph, write_model
from support.librgan import Engine, Model, openvino_runtime, runtime

from rgan_sdk.card import SpacingRange
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.engines.base import processor_name
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine
from rgan_sdk.engines.openvino import OpenVINOEngine
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel, packaged_models

Image = NDArray[np.float32]
Case = tuple[str, Image, float]
"""Where a slice is from, the slice, and its pixel spacing in mm."""

ENGINES = {
    "onnxruntime": (OnnxRuntimeEngine, runtime),
    "openvino": (OpenVINOEngine, openvino_runtime),
}
"""The engine in Python, and where its library is for librgan."""

SIZES = ((1, 1), (1, 7), (7, 1), (17, 23), (96, 101), (255, 257), (511, 513), (1024, 1024))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, help="a folder of model files")
    parser.add_argument("--scans", type=Path, action="append", default=[])
    parser.add_argument("--full", action="store_true", help="the generator on the full VGG-19 too")
    parser.add_argument("--engine", choices=ENGINES, default="onnxruntime")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    engine = options.engine
    os.environ["RGAN_ONNXRUNTIME"] = str(runtime())  # for the self-test of OpenVINO
    scans = [case for folder in options.scans for case in read(folder)]
    files = sorted(options.models.glob("*.onnx")) if options.models else []
    rows = [
        compare(name, HarmonizationModel.open(name), engine, scans, SIZES)
        for name in packaged_models()
    ]
    rows += [
        compare(path.stem, HarmonizationModel.open(path), engine, scans[::10], SIZES)
        for path in files
    ]
    if options.full:
        with tempfile.TemporaryDirectory() as folder:
            hu = next(synthetic(((512, 512),)))
            model = write_model(make_graph(hu), Path(folder) / "full.onnx", "B40f")
            rows.append(compare("radiomicgan, full VGG-19", model, engine, scans[::100], SIZES[:5]))
    if options.json:
        options.json.write_text(
            json.dumps({"environment": environment(), "rows": rows}, indent=1) + "\n"
        )
    if not all(row["equal"] == row["slices"] for row in rows):
        raise SystemExit("librgan and Python differ")


def read(folder: Path) -> Iterator[Case]:
    for series in find_series(folder).series:
        for file in series.slices:
            yield (
                f"{folder.name}, {file.path.name}",
                read_slice(file.path).hu,
                series.mean_pixel_spacing,
            )


def synthetic(sizes: Sequence[tuple[int, int]]) -> Iterator[Image]:
    random = np.random.default_rng(0)
    for size in sizes:
        yield random.normal(-300, 500, size).clip(-1200, 3071).astype(np.float32)


def compare(
    label: str,
    model: HarmonizationModel,
    engine: str,
    scans: list[Case],
    sizes: Sequence[tuple[int, int]],
) -> dict[str, Any]:
    python_engine, find_library = ENGINES[engine]
    limits = model.card.pixel_spacing or SpacingRange(0.7, 0.7, 0.7)
    middle = round((limits.min + limits.max) / 2, 4)
    cases = [(name, hu, min(max(mm, limits.min), limits.max)) for name, hu, mm in scans]
    cases += [
        (f"synthetic {hu.shape}", hu, mm)
        for hu in synthetic(sizes)
        for mm in sorted({limits.min, middle, limits.max})
    ]
    different = []
    with (
        Harmonizer(python_engine(model, "cpu"), None, ("spacing",)) as python,
        Model(model.content) as opened,
        Engine(opened, engine=engine.encode(), runtime=str(find_library()).encode()) as library,
    ):
        for name, hu, mm in cases:
            found = library.harmonize(hu[np.newaxis], mm, any_spacing=True)[0]
            if found.tobytes() != python(hu, pixel_spacing=mm).tobytes():
                different.append(f"{name}, {mm} mm")
    row = {
        "model": label,
        "precision": model.precision,
        "format": model.card.format,
        "slices": len(cases),
        "equal": len(cases) - len(different),
        "different": different,
    }
    print(row, flush=True)
    return row


def environment() -> dict[str, Any]:
    names = ("rgan-sdk", "onnxruntime", "openvino", "numpy")
    return {"processor": processor_name(), **{name: metadata.version(name) for name in names}}


if __name__ == "__main__":
    main()
