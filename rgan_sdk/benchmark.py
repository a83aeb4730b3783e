"""Measure how fast a model runs on this machine, and which stage is the bottleneck."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from rgan_sdk.dicom.synthetic.sample import write_sample_for
from rgan_sdk.errors import ConfigurationError
from rgan_sdk.harmonizer import DOMAINS, Harmonizer
from rgan_sdk.run.directory import harmonize_directory
from rgan_sdk.run.observer import Observer
from rgan_sdk.run.options import RunOptions


def run_benchmark(
    harmonizer: Harmonizer,
    source: Path | None = None,
    *,
    slices: int = 32,
    observer: Observer | None = None,
) -> dict[str, Any]:
    """Harmonize a folder into a temporary folder, and measure the time.

    Parameters
    ----------
    source
        A folder of CT series with any kernels; None takes a synthetic series.
    slices
        How many slices the synthetic series has, each 512x512.
    observer
        Is informed of the progress.

    Returns
    -------
    dict
        ``slices`` and ``seconds`` of the whole run; ``slices_per_second`` of each stage and of the
        whole run (``end_to_end``); the ``bottleneck``; ``foreign_kernels``, those of the folder
        that the model is not for; ``model``, ``engine`` and ``environment``
        as in the report of a run. The rate of a stage is the number of slices divided by the time
        that it was busy. Stages overlap in time.

    Raises
    ------
    ConfigurationError
        If no slice could be harmonized.
    """
    with tempfile.TemporaryDirectory(prefix="rgan-bench-") as name:
        folder = Path(name)
        if source is None:
            source = folder / "in"
            write_sample_for(harmonizer.model.card, source, slices=slices)
        start = time.perf_counter()
        report = harmonize_directory(
            source,
            folder / "out",
            harmonizer,
            RunOptions(outside_domain=DOMAINS),
            observer=observer,
        )
        seconds = time.perf_counter() - start
    done = report.summary["files"]["done"]
    if done == 0:
        reasons = sorted({entry.reason for entry in report.series})[:3]
        raise ConfigurationError(
            f"{source}: no slice could be harmonized ({'; '.join(reasons) or 'no CT series'})"
        )
    rates = {stage: round(done / max(busy, 1e-3), 2) for stage, busy in report.stages.items()}
    return {
        "slices": done,
        "seconds": round(seconds, 2),
        "slices_per_second": {**rates, "end_to_end": round(done / seconds, 2)},
        "bottleneck": report.bottleneck,
        "foreign_kernels": sorted(
            {
                entry.convolution_kernel or "no kernel"
                for entry in report.series
                if entry.status == "done" and "kernel" in entry.outside
            }
        ),
        "model": report.model,
        "engine": report.engine,
        "environment": report.environment,
    }
