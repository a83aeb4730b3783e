"""Train every kind of network on a GPU in every precision, resumed and unbroken; then at full size.

    python benchmarks/gpu/train_probe.py

A line for each method and precision: how far the weights of a run that was interrupted after two of
three epochs, and those of the same run made again, are from those of an unbroken one, as a share of
the largest weight of a tensor. If both are alike, the order of additions explains it; if only the
first one is large, resuming is at fault. Then the pace of the full RadiomicGAN with an encoder from
scratch, on crops of 512x512 slices. Without a GPU the first part runs on the CPU, which tests this
script. Exit code 1 where a run failed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from support.training import list_pairs, open_dataset, tiny_config, weights, write_pair_of_scans

from rgan_train.config import Config, recommended_config
from rgan_train.pairs import read_pairs
from rgan_train.training import EpochDone, Job, RunFolder, TrainingEvent, fit

METHODS = ("radiomicgan", "physics+gan", "stan_ct", "ganai", "compact")
SMALL = ("choe.channels=4", "compact.channels=4", "linear.taps=7", "ganai.phase_steps=2")
WINDOWS = ("curriculum.schedule=growing+selection", "curriculum.step=1500", "curriculum.subsets=2")
EPOCHS, INTERRUPTED_AFTER = 3, 2
FULL_PRECISIONS = ("bf16-mixed", "32-true")
FULL_STEPS, FULL_WIDTHS = 40, (64, 128, 256, 512)


def main() -> int:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    has_gpu = torch.cuda.is_available()
    precisions = ("32-true", "bf16-mixed", "16-mixed") if has_gpu else ("32-true", "bf16-mixed")
    ok = True
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        scans = write_pair_of_scans(root / "scans", size=160)
        for method in METHODS:
            for precision in precisions:
                ok &= report(f"{method} {precision}", resume_and_compare, scans, method, precision)
        if has_gpu:
            large = write_pair_of_scans(root / "large", number=2, size=512)
            for precision in FULL_PRECISIONS:
                ok &= report(f"full RadiomicGAN {precision}", measure_full, large, precision)
    return 0 if ok else 1


def report(name: str, work: Any, *arguments: Any) -> bool:
    """Print what a part found; whatever is wrong with it, the others go on."""
    start = time.perf_counter()
    try:
        found, ok = work(*arguments), True
    except Exception as exc:
        found, ok = f"FAILED {type(exc).__name__}: {str(exc)[:300]}", False
    print(f"{name}: {found} ({time.perf_counter() - start:.1f} s)", flush=True)
    return ok


def make_job(scans: Path, config: Config) -> Job:
    folder = RunFolder(Path(tempfile.mkdtemp(dir=scans)) / "run")
    pairs = read_pairs(list_pairs(scans))
    return Job(config, open_dataset(scans, config.data), pairs, folder)


def resume_and_compare(scans: Path, method: str, precision: str) -> str:
    windows = WINDOWS if method == "radiomicgan" else ()
    settings = (*SMALL, f"method.name={method}", f"training.precision={precision}", *windows)
    whole, again, parts = (
        make_job(scans, tiny_config(*settings, f"training.epochs={epochs}"))
        for epochs in (EPOCHS, EPOCHS, INTERRUPTED_AFTER)
    )
    for job in (whole, again, parts):
        fit(job, ignore)
    fit(replace(parts, config=whole.config, resume=True), ignore)
    resumed, repeated = (difference(whole, other) for other in (parts, again))
    return f"resumed weights differ by {resumed:.1e}, repeated ones by {repeated:.1e}"


def difference(one: Job, other: Job) -> float:
    """Return the largest difference of a weight, as a share of the largest of its tensor."""
    first, second = weights(one.folder.path), weights(other.folder.path)
    return max(
        float(np.abs(first[key] - second[key]).max() / (np.abs(first[key]).max() + 1e-12))
        for key in first
    )


def measure_full(scans: Path, precision: Any) -> str:
    base, tiny = recommended_config("radiomicgan"), tiny_config()
    config = replace(
        base,
        data=tiny.data,
        curriculum=tiny.curriculum,
        generator=replace(base.generator, encoder="none", widths=FULL_WIDTHS),
        training=replace(base.training, precision=precision, steps_per_epoch=FULL_STEPS, epochs=2),
    )
    ends: list[tuple[float, dict[str, Any]]] = []

    def note(event: TrainingEvent) -> None:
        if isinstance(event, EpochDone):
            ends.append((time.perf_counter(), event.record))

    fit(make_job(scans, config), note)
    seconds = ends[1][0] - ends[0][0]  # the second epoch: nothing is compiled or chosen any more
    slices = FULL_STEPS * config.training.batch_size
    peak = torch.cuda.max_memory_allocated() >> 20
    waiting = ends[1][1]["waiting_for_data"]
    return f"{slices / seconds:.1f} crops/s, waiting for data {waiting}, peak {peak} MiB"


def ignore(event: TrainingEvent) -> None:
    """Say nothing about the progress of a run."""


if __name__ == "__main__":
    sys.exit(main())
