"""One cell of the methods table: train, export, and measure on the test slices.

A cell is one method on one pair in one direction with one seed, kept as a small JSON file
with configuration, hashes, minutes and figures. ``methods.py`` computes those that are missing.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from rgan_sdk.errors import ConfigurationError, MeasurementError
from rgan_sdk.files import file_sha256
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.kernels.noise_power import noise_power_distance, noise_power_ratio
from rgan_train.config import Config, config_from_tables, override_from_text, read_toml
from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE, psnr, ssim
from rgan_train.export.export import load_graph
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset
from rgan_train.pairs.samples import PairedSample, SliceReader
from rgan_train.training.run_folder import RunFolder

METHOD_VERSION = 2
"""Of networks, losses and figures: raised when cells must be computed anew though no
configuration changed."""

MAIN = Path(sys.executable).parent / "rgan-train"


@dataclass(frozen=True)
class Cell:
    """What is computed.

    Attributes
    ----------
    row
        Of the table; ``input`` is the source as it is.
    base, settings
        Configuration file, and ``table.key=value`` on top of it.
    vgg_weights
        For a pretrained encoder; None where there is none.
    """

    pair: str
    source: str
    target: str
    row: str
    seed: int
    base: Path | None
    settings: tuple[str, ...]
    vgg_weights: Path | None

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        row = self.row.replace("^", "-").replace(" ", "-").replace(",", "")
        return f"{self.pair}_{self.source}-{self.target}_{row}_seed{self.seed}"

    def config(self) -> Config:
        """Return the whole configuration of the run."""
        config = read_toml(self.base) if self.base else Config()
        direction = (f"data.source_kernel={self.source}", f"data.target_kernel={self.target}")
        seed = f"training.seed={self.seed}"
        return override_from_text(config, (*self.settings, *direction, seed))

    def is_computed(self, folder: Path) -> bool:
        """Whether a file is there that was made with this very configuration.

        Keys that are newer than the file have their defaults there.
        """
        path = folder / f"{self.name}.json"
        if not path.exists():
            return False
        made = json.loads(path.read_text())
        try:
            same = config_from_tables(made["configuration"]) == self.config()
        except ConfigurationError:
            return False
        return same and made["method_version"] == METHOD_VERSION


def compute(cell: Cell, pairs_csv: Path, work: Path, folder: Path) -> None:
    """Compute a cell and write its file."""
    config = cell.config()
    dataset = load_dataset(read_pairs(pairs_csv), config.data)
    reader = SliceReader(4096)
    samples = [reader.read(item) for item in dataset.test]
    result: dict[str, Any] = {
        **{name: getattr(cell, name) for name in ("pair", "source", "target", "row", "seed")},
        "method_version": METHOD_VERSION,
        "configuration": json.loads(config.to_json()),
        "data_sha256": dataset.sha256(),
        "test_slices": len(samples),
    }
    if cell.row == "input":
        result["quality"] = measure([sample.source_hu for sample in samples], samples)
    else:
        run, model = work / f"{cell.name}-{METHOD_VERSION}", work / f"{cell.name}.onnx"
        result |= train(cell, pairs_csv, run)
        result["export"] = export(run, model, cell.pair)
        result["model_sha256"] = file_sha256(model)
        result |= size(run, model)
        with Harmonizer.load(model, device="cpu", outside_domain=("spacing",)) as harmonizer:
            images = [
                harmonizer(sample.source_hu, pixel_spacing=item.spacing)
                for sample, item in zip(samples, dataset.test, strict=True)
            ]
        result["quality"] = measure(images, samples)
    result["environment"] = environment()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{cell.name}.json").write_text(json.dumps(result, indent=1) + "\n")


def train(cell: Cell, pairs_csv: Path, run: Path) -> dict[str, Any]:
    """Train with ``rgan-train fit`` on one thread; return its minutes and what it chose.

    A run with the same configuration is taken as it is if it is finished, and goes on if it was
    interrupted; then its CPU time is not known.
    """
    folder, record = RunFolder(run), run / "minutes.json"
    if not (folder.exists() and folder.config() == cell.config()):
        shutil.rmtree(run, ignore_errors=True)
    if not record.exists():
        record.write_text(json.dumps(_fit(cell, pairs_csv, folder)) + "\n")
    state = folder.state("best")
    assert state is not None
    epochs = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return {
        "minutes": json.loads(record.read_text()),
        "validation_psnr_db": state.best_psnr,
        "validation_psnr_db_by_epoch": [round(epoch["validation_psnr"], 3) for epoch in epochs],
        "best_checkpoint": state.name,
        "vgg_weights_sha256": folder.provenance()["vgg_weights_sha256"],
    }


def _fit(cell: Cell, pairs_csv: Path, folder: RunFolder) -> dict[str, float]:
    settings = (
        *cell.settings,
        f"data.source_kernel={cell.source}",
        f"data.target_kernel={cell.target}",
        f"training.seed={cell.seed}",
    )
    begun = folder.exists()
    command = [MAIN, "fit", pairs_csv, "-o", folder.path]
    command += ["--config", cell.base] if cell.base else []
    command += ["--vgg-weights", cell.vgg_weights] if cell.vgg_weights and not begun else []
    command += ["--resume"] if begun else []
    command += [part for text in settings for part in ("--set", text)]
    cpu = run_alone(command)
    state = folder.state("last")
    assert state is not None
    minutes = {"wall": round(state.elapsed_seconds / 60, 2)}
    return minutes if begun else {"cpu": round(cpu / 60, 2), **minutes}


def run_alone(command: list[Any]) -> float:
    """Run a command on one thread; return the seconds of CPU time that it took."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
    )
    assert process.stdout is not None
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{told[-3000:]}")
    return usage.ru_utime + usage.ru_stime


def export(run: Path, model: Path, data: str) -> str:
    """Export; return what became of the fp16 file, which may be refused while fp32 is written."""
    model.unlink(missing_ok=True)
    named = ["--data-name", data, "--data-licence", "see docs/data.md"]
    command: list[str | Path] = [MAIN, "export", run, "-o", model, *named]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not model.exists():
        raise RuntimeError(f"{run}: no export: {done.stderr[-2000:]}")
    return "fp32 and fp16" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def size(run: Path, model: Path) -> dict[str, Any]:
    """Return numbers of parameters, and 1e9 multiplications for a slice of 512x512."""
    folder = RunFolder(run)
    network = load_graph(folder, folder.config(), "best").network
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return {
        "parameters": {
            "trained": trained,
            "all": sum(t.numel() for t in (*network.parameters(), *network.buffers())),
        },
        "gmac": round(count_multiplications(model) / 1e9, 2),
    }


def count_multiplications(path: Path) -> int:
    """Count those of the convolutions of an ONNX file, for a slice of 512x512."""
    model = onnx.load(path)
    for dim, value in zip(
        model.graph.input[0].type.tensor_type.shape.dim, (1, 1, 512, 512), strict=True
    ):
        dim.dim_value = value
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        for info in (*graph.value_info, *graph.output)
    }
    weights = {tensor.name: tensor.dims for tensor in graph.initializer}
    return sum(
        math.prod(shapes[node.output[0]]) * math.prod(weights[node.input[1]][1:])
        for node in graph.node
        if node.op_type == "Conv"
    )


def measure(images: list[np.ndarray], samples: list[PairedSample]) -> dict[str, Any]:
    """Return the figures of harmonized test slices against the target."""
    targets = [sample.target_hu for sample in samples]
    pairs = list(zip(images, targets, strict=True))
    errors = [
        np.clip(image, *dataclasses.astuple(QUALITY_RANGE)).astype(np.float64)
        - np.clip(target, *dataclasses.astuple(QUALITY_RANGE))
        for image, target in pairs
    ]
    each = [psnr(*pair, QUALITY_RANGE) for pair in pairs]
    return {
        "psnr_db": float(np.mean(each)),
        "psnr_db_by_slice": [round(float(value), 4) for value in each],
        "psnr_sd": float(np.std(each, ddof=1)),
        "ssim": float(np.mean([ssim(*pair, QUALITY_RANGE) for pair in pairs])),
        "mae_hu": float(np.mean(np.abs(errors))),
        "bias_hu": float(np.mean(errors)),
        **measure_noise(np.stack(images), np.stack(targets)),
    }


def measure_noise(images: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    """Return noise power against the target's; nothing where there is no place to measure it."""
    try:
        ratio = noise_power_ratio(images, targets)
    except MeasurementError as exc:
        return {"nps_distance_db": None, "nps_ratio": str(exc)}
    return {
        "nps_distance_db": noise_power_distance(images, targets),
        "nps_ratio": [round(float(value), 4) for value in ratio],
    }


def environment() -> dict[str, str]:
    """Return what a figure may depend on."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, one thread for a run, no GPU"
    return {**versions(), "machine": machine}


def versions() -> dict[str, str]:
    """Return the versions that a figure may depend on."""
    names = ("rgan-sdk", "torch", "onnxruntime", "numpy")
    return {**{name: metadata.version(name) for name in names}, "python": platform.python_version()}
