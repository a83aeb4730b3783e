"""What losses are judged by: noise power, features and lesions, on slices with both kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from result_page import difference_table, shown, spread_table
from stacks import Images, Stack

from noise_losses.lesions import Slices, summarize
from rgan_train.evaluation.cohorts.lesions.render import MTF
from rgan_train.evaluation.results import INPUT, TARGET
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice

Trained = Mapping[tuple[str, int], HarmonizationGraph]
"""Computations from HU to HU, by loss and seed. The first loss is the one to compare with."""


def judge(
    models: Trained, stack: Stack, mtfs: tuple[MTF, MTF], kernels: tuple[str, str]
) -> dict[str, Any]:
    """Measure input, target and all models, and compare their losses with the first."""

    def apply(graph: HarmonizationGraph) -> Callable[[Images], Images]:
        return lambda hu: np.stack([harmonize_slice(graph, one, stack.spacing) for one in hu])

    torch.set_num_threads(stack.jobs)
    methods = {INPUT: lambda hu: hu, **{shown(*run): apply(one) for run, one in models.items()}}
    figures, measures = stack.measure(
        {name: method(stack.source_hu) for name, method in methods.items()}
    )
    before, after = (
        Slices(hu, mtf, kernel, stack.spacing)
        for hu, mtf, kernel in zip((stack.source_hu, stack.target_hu), mtfs, kernels, strict=True)
    )
    for name, method in methods.items():
        figures[name] |= summarize(before.see(method))
    by_loss = runs_by_loss(models)
    first, *others = by_loss
    return {
        "runs": by_loss,
        "figures": {TARGET: summarize(after.see(lambda hu: hu)), **figures},
        "against the first": {
            loss: {
                title: one.contrast(by_loss[loss], by_loss[first])
                for title, one in measures.items()
            }
            for loss in others
        },
    }


def runs_by_loss(models: Trained) -> dict[str, list[str]]:
    """Return what the trainings of each loss are called."""
    found: dict[str, list[str]] = {}
    for run in models:
        found.setdefault(run[0], []).append(shown(*run))
    return found


def make_tables(found: Mapping[str, Any]) -> str:
    """Return the table of all losses, and that of their differences from the first."""
    names: dict[str, Sequence[str]] = {TARGET: [TARGET], INPUT: [INPUT], **found["runs"]}
    tables = (
        spread_table("loss", names, found["figures"]),
        difference_table(f"against {next(iter(found['runs']))}", found["against the first"]),
    )
    return "\n\n".join(tables)
