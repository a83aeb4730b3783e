"""Make a small model of each method, as fp32 and fp16, one in int8 and one of format 1.

    python benchmarks/cpp/method_models.py FOLDER

They are trained for one step on a phantom: bits can be compared, harmonized images are worth
nothing. Where a method's network can know the pixel spacing, its model covers 0.65 to 0.91 mm.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from support.models import make_domain_card, make_model, make_network
from support.training import (
    SMALL_METHODS,
    list_pairs,
    open_dataset,
    tiny_config,
    write_pair_of_scans,
)

from rgan_sdk.model import HarmonizationModel
from rgan_sdk.quantization import quantize
from rgan_train.export import export_run
from rgan_train.methods import METHODS
from rgan_train.pairs import read_pairs
from rgan_train.training import Job, RunFolder, fit

AWARE = ("radiomicgan", "physics+gan", "compact", "linear")
ONE_STEP = ("training.steps_per_epoch=1", "training.epochs=1")


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        scans = write_pair_of_scans(Path(name), size=160)
        for method in METHODS:
            config = tiny_config(
                *SMALL_METHODS,
                *ONE_STEP,
                f"method.name={method}",
                f"domain.spacing_aware={str(method in AWARE).lower()}",
            )
            run = RunFolder(Path(name) / f"run-{method}")
            job = Job(config, open_dataset(scans), read_pairs(list_pairs(scans)), run)
            fit(job, lambda report: None)
            export_run(run, folder / f"{method}.onnx")
    write_int8(folder / "network.int8.onnx")
    (folder / "blur.format-1.onnx").write_bytes(make_model().SerializeToString())


def write_int8(path: Path) -> None:
    """Write a small network with random weights, its inner layers in int8."""
    path.write_bytes(make_network(card=make_domain_card(multiple=2)).SerializeToString())
    random = np.random.default_rng(0)
    images = [random.normal(0, 300, (64, 64)).astype(np.float32) for _ in range(2)]
    model = HarmonizationModel.open(path)
    quantized = quantize(model, images, pixel_spacings=[0.7, 0.7], limit=1e4)
    path.write_bytes(quantized.content)


if __name__ == "__main__":
    main()
