"""Arguments that take time off an example of ``rgan-train``, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

TRAINING = (
    "training.crop=32",
    "training.batch_size=2",
    "training.steps_per_epoch=2",
)
NETWORK = (
    "generator.encoder=none",
    "generator.widths=[4, 8]",
    "generator.stem_channels=4",
    "generator.output=residual",
    "discriminator.channels=4",
    "discriminator.strided_layers=1",
)
COMPACT = ("compact.channels=4", "compact.layers=2")
CHOE = ("choe.channels=4", "choe.layers=2")
FEATURES = (
    "imageType: {Original: {}}\nfeatureClass: {firstorder: [Mean, Variance], glcm: [Contrast]}\n"
)
"""A file of parameters for pyradiomics, with few features."""


def smaller(arguments: Sequence[str], few: Path = Path("few.yaml")) -> list[str]:
    """Return what to put behind the arguments of ``rgan-train``.

    Parameters
    ----------
    few
        The file that holds ``FEATURES``.
    """
    command, *options = arguments
    method = options[options.index("--method") + 1] if "--method" in options else ""
    if command == "distill" or method == "compact":
        return _settings(*TRAINING, *COMPACT, "training.epochs=1")
    if command == "fit":
        network = CHOE if method == "choe" else NETWORK
        epochs = "training.epochs=2" if "--resume" in options else "training.epochs=1"
        return _settings(*TRAINING, *network, epochs)
    if command == "evaluate":
        return ["--parameters", str(few), "--regions", "2", "--workers", "1"]
    if command == "features":
        return ["--parameters", str(few)]
    return []


def _settings(*assignments: str) -> list[str]:
    return [part for text in assignments for part in ("--set", text)]
