"""Train on hundreds of patients whose slices do not fit into memory.

    OMP_NUM_THREADS=1 python benchmarks/train/streaming.py --work runs/streaming --steps 500 \
        --json benchmarks/results/streaming-training.json

300 simulated patients of 100 slices of 512x512 with two kernels: 60,000 files, 31 GB, made in the
folder `--work` where they are missing. Before training they are dropped from the page cache.

- `training`: `compact` with a cache of 256 MB for slices. Memory is what the process holds (RSS), ten times a
  second; the share of time spent waiting for data is the run's own figure.
- `batches`: batches of this training, drawn with one thread and with three, and from slices that pydicom reads.
- `resumed`: runs on the first patients with one process and with two (`--devices 2`), interrupted with Ctrl-C in the
  middle of an epoch and resumed, against unbroken ones.
"""  # noqa: E501

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from patients import make_patients
from safetensors.numpy import load_file

import rgan_sdk
from rgan_sdk.cores import usable_cores
from rgan_sdk.dicom.read.padding import PADDING_HU, find_padding
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_train.config import Config, override_from_text, recommended_config
from rgan_train.pairs import SliceReader, find_pairs, read_pairs, write_pairs
from rgan_train.training import EpochDone, Job, RunFolder, StepDone, TrainingEvent, fit, sampler
from rgan_train.training.sampler import Sampler, make_sampler

CACHE_MB, INTERVAL = 256, 0.1
DRAWN, FEW = 40, 12
KERNELS = ("data.source_kernel=B70f", "data.target_kernel=B40f")
SHORT = (*KERNELS, "training.epochs=2", "training.steps_per_epoch=60", "training.validate_on=4")


class Watch:
    """Notes the process's memory and the steps done, ten times a second."""

    def __init__(self, steps_per_epoch: int) -> None:
        self.records: list[dict[str, Any]] = []
        self.points: list[tuple[int, float]] = []
        self._steps, self._per_epoch = 0, steps_per_epoch
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def __call__(self, event: TrainingEvent) -> None:
        """Take what the run reports."""
        print(event, flush=True)
        if isinstance(event, StepDone):
            self._steps = event.epoch * self._per_epoch + event.step
        if isinstance(event, EpochDone):
            self.records.append(event.record)

    def stop(self) -> None:
        """End the watch."""
        self._done.set()
        self._thread.join()

    def memory_at(self, share: float, steps: int) -> int:
        """Return the largest memory within 10 % of the steps after a share of them, in MiB."""
        return round(max(m for step, m in self.points if 0 <= step / steps - share <= 0.1))

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.points.append((self._steps, pages * os.sysconf("SC_PAGE_SIZE") / 2**20))


class PydicomReader(SliceReader):
    """Reads each slice through pydicom, and keeps none."""

    def read_image(self, path: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Return one image."""
        source = read_slice(path)
        return np.where(find_padding(source.hu, source.padding), PADDING_HU, source.hu)


def forget(folder: Path) -> None:
    """Drop all files below a folder from the page cache."""
    for path in folder.rglob("*.dcm"):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def measure_training(job: Job) -> dict[str, object]:
    """Train, and return how the memory went and how long the loop waited for data."""
    steps = job.config.training.steps_per_epoch
    watch, load = Watch(steps), os.getloadavg()[0]
    try:
        fit(job, watch)
    finally:
        watch.stop()
    total = steps * job.config.training.epochs
    return {
        "steps": total,
        "cache_mb": CACHE_MB,
        "read_mib": round(total * job.config.training.batch_size * 2 * 0.5),
        **{f"memory_mib_at_{p}_percent": watch.memory_at(p / 100, total) for p in (10, 50, 90)},
        "memory_mib_peak": round(max(memory for _, memory in watch.points)),
        "waiting_for_data": [record["waiting_for_data"] for record in watch.records],
        "minutes": [record["elapsed_minutes"] for record in watch.records],
        "load_average": [round(load, 1), round(os.getloadavg()[0], 1)],
    }


def compare_batches(job: Job) -> dict[str, object]:
    """Draw batches with one thread, with three, and from slices that pydicom reads."""

    def draw(reader: SliceReader, threads: int) -> str:
        slices = job.dataset.train
        drawn: Sampler = make_sampler(slices, reader, job.config, multiple=1)
        digest = hashlib.sha256()
        with mock.patch.multiple(sampler, READERS=threads, AHEAD=2 * threads):
            for batch in islice(drawn.batches(0, 0, 0), DRAWN):
                digest.update(batch.sample.source_hu.tobytes() + batch.sample.target_hu.tobytes())
        return digest.hexdigest()

    one = draw(SliceReader(CACHE_MB), 1)
    return {
        "batches": DRAWN,
        "sha256": one,
        "equal_with_three_threads": draw(SliceReader(CACHE_MB), 3) == one,
        "equal_to_pydicom": draw(PydicomReader(0), 1) == one,
    }


def compare_resumed(pairs: Path, folder: Path, devices: int) -> dict[str, object]:
    """Compare the weights of an unbroken run with those of one that was interrupted."""
    settings = [part for text in SHORT for part in ("--set", text)]
    command = [Path(sys.executable).parent / "rgan-train", "fit", pairs, "--devices", devices]
    new = [*map(str, command), "--method", "compact", *settings]
    subprocess.run([*new, "-o", folder / "unbroken"], check=True)
    broken = subprocess.Popen([*new, "-o", folder / "broken"], start_new_session=True)
    while not (folder / "broken/metrics.jsonl").exists():
        time.sleep(INTERVAL)
    time.sleep(3)  # it is in the middle of the second epoch then
    os.killpg(broken.pid, signal.SIGINT)
    status = broken.wait()
    stopped = RunFolder(folder / "broken").state("last")
    assert stopped is not None
    again = [*map(str, command), "--resume", "-o", str(folder / "broken")]
    subprocess.run(again, check=True)
    first, second = (
        load_file(next(folder.glob(f"{name}/checkpoints/epoch-0002/generator.safetensors")))
        for name in ("unbroken", "broken")
    )
    return {
        "processes": devices,
        "exit_status": status,
        "interrupted_at": [stopped.epoch, stopped.step],
        "equal_weights": all(np.array_equal(first[name], second[name]) for name in first),
    }


def settings_of(options: argparse.Namespace) -> Config:
    """Return the configuration of the measured training."""
    own = ("data.cache_mb", CACHE_MB), ("training.steps_per_epoch", options.steps)
    values = [*KERNELS, "training.epochs=2", *(f"{name}={value}" for name, value in own)]
    return override_from_text(recommended_config("compact"), values)


def main() -> None:
    """Make the patients where needed, measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=300)
    parser.add_argument("--slices", type=int, default=100)
    parser.add_argument("--steps", type=int, default=300, help="per epoch; there are two")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    work, patients = options.work, options.work / "patients"
    if not patients.exists():
        make_patients(work, options.patients, options.slices)
    pairs = work / "pairs.csv"
    if not pairs.exists():
        write_pairs(find_pairs([patients]).pairs, pairs)
    listed = read_pairs(pairs)
    few = work / "few.csv"
    write_pairs(listed[:FEW], few)
    start = time.monotonic()
    job = Job.from_pairs(settings_of(options), listed, RunFolder(work / "run"))
    opened = time.monotonic() - start
    forget(patients)
    result = {
        "patients": len(job.dataset.patients),
        "files": sum(1 for _ in patients.rglob("*.dcm")),
        "slices": {part: len(getattr(job.dataset, part)) for part in ("train", "validation")},
        "seconds_to_open": round(opened),
        "training": measure_training(job),
        "batches": compare_batches(job),
        "resumed": [compare_resumed(few, work / f"resumed-{n}", n) for n in (1, 2)],
        "environment": {
            "rgan-sdk": rgan_sdk.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "cores": usable_cores(),
            "threads of PyTorch": torch.get_num_threads(),
        },
    }
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
