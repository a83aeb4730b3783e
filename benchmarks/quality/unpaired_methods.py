"""What unpaired.py compares a match with: other ways without pairs, and networks.

``band_energy`` is our reading of Gallardo-Estrella et al., "Normalizing computed tomography data
reconstructed with different filter kernels" (Eur Radiol 26:478, 2016): a slice is split into bands
by blurring it more and more, and each band is scaled so that its energy, the standard deviation
inside the body, is that of the target group.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from rgan_sdk.dicom.series import SliceFile
from rgan_train.config import HistogramConfig, override
from rgan_train.evaluation.regions.body import body_mask
from rgan_train.export.export import load_graph
from rgan_train.matching.groups import open_group
from rgan_train.matching.linear import WINDOW, make_graph
from rgan_train.matching.measurement import measure
from rgan_train.matching.network import network_config, prepare_job
from rgan_train.methods.histogram import LookUpCurve
from rgan_train.networks.graph import HarmonizationGraph
from rgan_train.pairs import PairedSample, read_pairs
from rgan_train.training import Job, RunFolder, fit

SIGMAS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Of the blurred slices, pixels."""

TRAINING = {
    "training": {"epochs": 10, "steps_per_epoch": 500, "precision": "32-true"},
    "domain": {"spacing_aware": False, "added_noise": 0.0},
}
"""The scans have one pixel spacing and one dose."""

Images = NDArray[np.float32]


def histogram_graph(source: Images, target: Images, spacing: float) -> HarmonizationGraph:
    """Return the curve that maps the HU of all source slices to those of all target slices."""
    count = min(len(source), len(target))
    network = LookUpCurve(HistogramConfig().segments)
    samples = [PairedSample(*pair) for pair in zip(source[:count], target[:count], strict=True)]
    network.prepare(samples, WINDOW, spacing)
    return make_graph(network)


def band_energy(images: Images, target: Images) -> Images:
    """Scale the bands of a series so that they have the energies of the target group's."""
    gains = _energies(target) / _energies(images)
    out = []
    for hu in images:
        *bands, rest = _bands(hu)
        out.append(rest + np.tensordot(gains, np.stack(bands), 1))
    return np.stack(out).astype(np.float32)


def _bands(hu: Images) -> list[NDArray[np.float64]]:
    """Return what each blur takes away, and what the last one leaves."""
    blurred = [hu.astype(np.float64), *(gaussian_filter(hu.astype(np.float64), s) for s in SIGMAS)]
    return [a - b for a, b in pairwise(blurred)] + [blurred[-1]]


def _energies(images: Images) -> NDArray[np.float64]:
    """Return the standard deviation of each band inside the body, mean of the slices."""
    found = [
        [band[body].std() for band in _bands(hu)[:-1]]
        for hu, body in zip(images, body_mask(images), strict=True)
    ]
    return np.mean(found, axis=0)


def network_graph(
    folder: Path, groups: Sequence[tuple[str, Sequence[SliceFile]]]
) -> tuple[HarmonizationGraph, int]:
    """Train ``match --method compact`` on slices of two groups, or go on; return it and its steps.

    Parameters
    ----------
    folder
        For copies of the slices, and the run.
    groups
        ``source`` and ``target``, and their slices.
    """
    run = RunFolder(folder / "run")
    if not run.exists():
        opened = []
        for name, slices in groups:
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir(parents=True)
            for item in slices:
                shutil.copy(item.path, folder / name)
            opened.append(open_group(name, [folder / name]))
        config = override(network_config("compact", *opened), TRAINING)
        job = prepare_job(measure(*opened), config, run.path, lambda done, total: None)
        fit(job, print)
    elif not (folder / "finished").exists():
        fit(Job.from_pairs(run.config(), read_pairs(run.pairs_csv), run, resume=True), print)
    (folder / "finished").touch()
    state, config = run.state("last"), run.config()
    assert state is not None
    steps = state.epoch * config.training.steps_per_epoch + state.step
    return load_graph(run, config, "best"), steps
