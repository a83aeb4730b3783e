"""Command lines to copy."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from rgan_sdk.run.advice.advise import KernelAdvice, PairAdvice


def pair_command(root: Path, pair: PairAdvice) -> str:
    """Return the command that lists pairs to train with."""
    return shlex.join(["rgan-train", "pair", str(root / pair.folder), "-o", "pairs.csv"])


def match_command(root: Path, source: KernelAdvice, target: KernelAdvice) -> str | None:
    """Return the command that makes a model of two groups; None if one is no group to match."""
    if source.match.problem or target.match.problem:
        return None
    words = ["rgan-train", "match"]
    for option, one in (("--source", source), ("--target", target)):
        for folder in one.match.folders:
            words += [option, str(root / folder)]
    name = f"{_slug(source.label)}-to-{_slug(target.label)}.onnx"
    return shlex.join([*words, "-o", name])


def measure_command(root: Path) -> str:
    """Return the command that measures kernels, and so tells which is the softest."""
    return shlex.join(["rgan-harmonize", "scan", str(root), "--kernels"])


def _slug(label: str) -> str:
    """Return a kernel's name, of a label, as a part of a file name."""
    kernel = label.partition(" (")[0]
    return "-".join(re.findall("[a-z0-9]+", kernel.lower())) or "kernel"
