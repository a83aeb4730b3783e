"""The command ``rgan-train``."""

from __future__ import annotations

from importlib import metadata

import click

from rgan_sdk.cli.lazy import LazyGroup

COMMANDS = {
    "public-pairs": "List public scans with two kernels, and download them.",
    "pair": "Find series of one scan with different kernels.",
    "match": "Make a model from two groups of series, without pairs.",
    "simulate": "Simulate roughly the series that another kernel would have given.",
    "fit": "Train a model on listed pairs.",
    "distill": "Train a small, fast model on the output of a large one.",
    "export": "Write a trained model as ONNX, fp32 and fp16.",
    "windows": "Draw the HU window that a run trained on, epoch by epoch.",
    "cam": "Show where the discriminator recognizes a harmonized slice.",
    "evaluate": "Measure the effect of models on radiomic features and image quality.",
    "methods-text": "Write the methods section and checklists of a paper from a report.",
    "measure": "Measure the density of the lungs of series.",
    "features": "Compute the radiomic features of structures in series.",
    "traits": "Find the features that separate two groups of cases.",
    "compare": "Draw one slice, harmonized by several models, beside its target.",
}

EPILOG = """\b
From scans to a model:
  rgan-train pair SCANS -o pairs.csv
  rgan-train fit pairs.csv -o runs/first --method compact \\
      --set data.source_kernel=B40f --set data.target_kernel=B70f
  rgan-train export runs/first -o b40f-to-b70f.onnx
  rgan-train evaluate pairs.csv --model b40f-to-b70f.onnx -o report \\
      --set data.source_kernel=B40f --set data.target_kernel=B70f

For research use. Not a medical device."""


@click.group(
    cls=LazyGroup,
    package="rgan_train.cli",
    table=COMMANDS,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(metadata.version("rgan-sdk"), prog_name="rgan-train")
def main() -> None:
    """Train models that harmonize CT series across convolution kernels."""
