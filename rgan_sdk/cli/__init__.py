"""The command ``rgan-harmonize``."""

from __future__ import annotations

from importlib import metadata

import click

from rgan_sdk.cli.lazy import LazyGroup

COMMANDS = {
    "run": "Harmonize each CT series of a folder.",
    "merge": "Join the reports and mappings of the shards of a run.",
    "module": "Harmonize a folder as a step of an imaging pipeline.",
    "scan": "Show what is in a folder, and what a model would do with it.",
    "models": "List the packaged models.",
    "inspect": "Show a model's card, hash and graph size.",
    "kernel": "Measure the convolution kernel of series: MTF and noise.",
    "quantize": "Make an int8 model for CPUs, calibrated on your slices.",
    "sample": "Write a synthetic CT series to try things on.",
    "build": "Build a model's TensorRT plan ahead of time.",
    "bench": "Measure how fast a model runs on this machine.",
    "doctor": "Check what is installed, what works, and how to fix the rest.",
}

EPILOG = """\b
Try it without any data:
  rgan-harmonize sample sample-ct
  rgan-harmonize run sample-ct harmonized --model b40f-to-b70f --preview

For research use. Not a medical device."""


@click.group(
    cls=LazyGroup,
    package="rgan_sdk.cli",
    table=COMMANDS,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(metadata.version("rgan-sdk"), prog_name="rgan-harmonize")
def main() -> None:
    """Harmonize CT series across convolution kernels."""
