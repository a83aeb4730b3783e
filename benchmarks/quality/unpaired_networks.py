"""Train the networks of docs/results/unpaired.md: `match` on halves of a scan, without pairs.

    python benchmarks/quality/unpaired_networks.py --jobs 2
    python benchmarks/quality/unpaired_networks.py --only B70f-B40f_compact

Trains and measures what is missing; what was interrupted goes on. Needs the scans and the compact
VGG-19 of docs/data.md in .data/. One core takes a quarter of an hour for each ``compact``, more
than an hour for each of the others; a GPU a minute or two for several at a time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cells import versions
from processes import run_all
from spacings.training import device_name
from unpaired_pairs import DATA, PAIRS, SPLITS, Pair, Scan, measure_model, splits

from rgan_train.config import Config, override
from rgan_train.export.export import load_graph
from rgan_train.matching.groups import Group, open_group
from rgan_train.matching.measurement import measure
from rgan_train.matching.network import NetworkMethod, network_config, prepare_job
from rgan_train.pairs import read_pairs
from rgan_train.training import Job, RunFolder, fit

RUNS, RESULTS = Path("runs/unpaired"), Path("docs/results/unpaired/networks")
VGG = DATA / "vgg/vgg19_16x_distilled_relu5_1.npz"

TRAINING: Final[dict[str, dict[str, Any]]] = {
    "training": {"epochs": 10, "steps_per_epoch": 500, "precision": "32-true"},
    "domain": {"spacing_aware": False, "added_noise": 0.0},
}
"""The scans have one pixel spacing and one dose."""

ENCODER: Final = {"generator": {"encoder": "vgg19-compact"}}


@dataclass(frozen=True)
class Network:
    """A method, settings on top of ``TRAINING``, and weights for a pretrained encoder."""

    title: str
    method: NetworkMethod
    settings: dict[str, dict[str, Any]]
    vgg_weights: Path | None = None


NETWORKS: Final = {
    "compact": Network("compact", "compact", {}),
    "physics+gan": Network("physics+gan", "physics+gan", ENCODER, VGG),
    "physics": Network(
        "physics+gan without a discriminator",
        "physics+gan",
        {**ENCODER, "loss": {"adversarial_weight": 0.0}},
        VGG,
    ),
    "radiomicgan": Network("RadiomicGAN", "radiomicgan", ENCODER, VGG),
}


@dataclass(frozen=True)
class Training:
    """One network, for one direction of a scan and one division of its slices."""

    scan: str
    way: tuple[int, int]
    network: str
    division: int

    @property
    def pair(self) -> Pair:
        """The scan with two kernels."""
        return PAIRS[self.scan]

    @property
    def kernels(self) -> tuple[str, str]:
        """The source's and the target's."""
        return self.pair.kernels[self.way[0]], self.pair.kernels[self.way[1]]

    @property
    def name(self) -> str:
        """Of the run, and of the file with its figures."""
        return f"{self.scan}_{'-'.join(self.kernels)}_{self.network}_{self.division}"

    @property
    def figures(self) -> Path:
        """The file with what was measured; it is there if the network is."""
        return RESULTS / f"{self.name}.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--only", default="", help="only networks whose name holds this")
    options = parser.parse_args()
    missing = [one for one in trainings() if options.only in one.name and not one.figures.exists()]
    return 0 if run_all(train_and_measure, missing, options.jobs) else 1


def trainings() -> list[Training]:
    """Return all trainings; the first division of all networks of a scan comes first."""
    return [
        Training(scan, way, network, division)
        for scan in PAIRS
        for division in range(SPLITS)
        for network in NETWORKS
        for way in ((0, 1), (1, 0))
    ]


def train_and_measure(training: Training, threads: int) -> str:
    """Train a network, or go on, and write its figures on the test slices; return what to say."""
    import torch

    torch.set_num_threads(threads)
    run = train(training, NETWORKS[training.network], RUNS / training.name)
    state, config = run.state("last"), run.config()
    assert state is not None
    scan = Scan.read(training.pair)
    graph = load_graph(run, config, "best")
    found = {
        **asdict(training),
        **measure_model(graph, scan, training.pair, training.way),
        "steps": state.epoch * config.training.steps_per_epoch,
        "minutes": round(state.elapsed_seconds / 60, 2),
        "device": device_name(),
        "configuration": json.loads(config.to_json()),
        "environment": versions(),
    }
    training.figures.parent.mkdir(parents=True, exist_ok=True)
    training.figures.write_text(json.dumps(found, indent=1) + "\n")
    return f"{found['minutes']:.1f} min, {found['psnr_db']:.2f} dB"


def train(training: Training, network: Network, folder: Path) -> RunFolder:
    """Train as ``rgan-train match`` does, on slices of two groups, or go on.

    A run with other settings is made anew.
    """
    run = RunFolder(folder / "run")
    if run.exists() and with_settings(run.config(), network) == run.config():
        job = Job.from_pairs(run.config(), read_pairs(run.pairs_csv), run, resume=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        groups = copy_groups(training, folder)
        config = network_config(network.method, *groups)
        job = prepare_job(
            measure(*groups),
            with_settings(config, network),
            run.path,
            lambda done, total: None,
            network.vgg_weights,
        )
    outcome = fit(job, lambda event: None)
    if outcome.status != "finished":
        raise RuntimeError(outcome.status)
    return run


def with_settings(config: Config, network: Network) -> Config:
    """Return a configuration with the settings of a network."""
    return override(override(config, TRAINING), network.settings)


def copy_groups(training: Training, folder: Path) -> tuple[Group, Group]:
    """Copy the slices of one division, each group into a folder of its own."""
    division = list(splits(training.pair.known))[training.division]
    groups = []
    for name, kernel, numbers in zip(("source", "target"), training.kernels, division, strict=True):
        whole = open_group(name, [DATA / training.pair.folder / kernel]).series[0]
        (folder / name).mkdir(parents=True)
        for number in sorted(numbers):
            shutil.copy(whole.slices[number].path, folder / name)
        groups.append(open_group(name, [folder / name]))
    return groups[0], groups[1]


def read_networks(scan: str, kernels: tuple[str, str], network: str) -> list[dict[str, Any]]:
    """Return the figures of a network that are there, by division."""
    found = RESULTS.glob(f"{scan}_{'-'.join(kernels)}_{network}_[0-9].json")
    return [json.loads(path.read_text()) for path in sorted(found)]


if __name__ == "__main__":
    sys.exit(main())
