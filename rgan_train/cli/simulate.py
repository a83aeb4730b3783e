"""``rgan-train simulate``: simulate the series of another kernel."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_sdk.errors import ConfigurationError

if TYPE_CHECKING:
    from rgan_sdk.kernels.mtf import KernelMTF

EXAMPLE = """\b
Example:
  rgan-train simulate SERIES simulated --target-kernel SOFT \\
      --source-mtf 7,11 --target-mtf 3.5,6.5
  rgan-train pair SERIES simulated -o pairs.csv"""


def _parse_mtf(
    context: click.Context, option: click.Parameter, text: str | None
) -> KernelMTF | None:
    """Parse ``F50,F10``."""
    from rgan_sdk.kernels.mtf import KernelMTF

    if text is None:
        return None
    try:
        f50, f10 = map(float, text.split(","))
        return KernelMTF(f50, f10)
    except ValueError as error:
        reason = f"{text!r} is not two numbers in lp/cm, such as 3.5,6.5"
        raise click.BadParameter(reason) from error
    except ConfigurationError as error:
        raise click.BadParameter(str(error)) from error


@click.command(epilog=EXAMPLE)
@click.argument("source", metavar="SERIES", type=click.Path(path_type=Path, file_okay=False))
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--target-kernel", metavar="NAME", required=True, help="Name of the kernel to simulate."
)
@click.option(
    "--source-mtf",
    metavar="F50,F10",
    callback=_parse_mtf,
    help="Frequencies in lp/cm at 50 % and 10 % MTF, for the kernel of the series.",
)
@click.option(
    "--target-mtf",
    metavar="F50,F10",
    callback=_parse_mtf,
    help="The same for the target kernel.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the noise that is added for a sharper kernel.",
)
def command(
    source: Path,
    output: Path,
    target_kernel: str,
    source_mtf: KernelMTF | None,
    target_mtf: KernelMTF | None,
    seed: int,
) -> None:
    """Simulate roughly the series that another kernel would have given.

    Changes the modulation transfer function (MTF) of each slice, adds the noise that a
    sharper kernel would show, and writes a series to OUT. It is marked as simulated and
    forms a pair with SERIES. For the kernels B40f and B70f rough MTF values are assumed
    unless others are given.
    """
    from rgan_sdk.cli.tables import as_text, describe_clamped
    from rgan_sdk.dicom.write.clamping import clamped_shares
    from rgan_train.simulation.series import KernelChange, open_series, simulate_series

    series = open_series(source)
    kernel = series.convolution_kernel or ""
    change = KernelChange(
        source_mtf or _assume_mtf(kernel, "--source-mtf"),
        target_mtf or _assume_mtf(target_kernel, "--target-mtf"),
        target_kernel,
        seed,
    )
    count = len(series.slices)
    with click.progressbar(length=count, label="slices", file=sys.stderr) as bar:
        clamped = simulate_series(series, output, change, lambda: bar.update(1))
    pixels = count * series.rows * series.columns
    shares = clamped_shares(sum(clamped), clamped, pixels)
    lines = (
        f"wrote {count} slices to {output}: kernel {kernel} simulated as {target_kernel}",
        f"{change}; clamped: {describe_clamped(shares) or 'no pixel'}",
        f"try: rgan-train pair {source} {output} -o pairs.csv",
    )
    for line in lines:
        click.echo(as_text(line).plain)


def _assume_mtf(kernel: str, option: str) -> KernelMTF:
    """Return the assumed MTF of a known kernel, and say so."""
    from rgan_sdk.kernels.mtf import ASSUMED_MTFS, assumed_mtf

    mtf = assumed_mtf(kernel)
    if mtf is None:
        raise ConfigurationError(
            f"the MTF of kernel {kernel!r} is not known, only those of {', '.join(ASSUMED_MTFS)}; "
            f"give {option} F50,F10"
        )
    click.echo(
        f"kernel {kernel}: an MTF of {mtf.f50:g},{mtf.f10:g} lp/cm is assumed; {option} replaces it"
    )
    return mtf
