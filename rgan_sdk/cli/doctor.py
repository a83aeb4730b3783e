"""``rgan-harmonize doctor``: what is installed, what works, how to fix the rest."""

from __future__ import annotations

import click

MARKS = {
    True: click.style("ok      ", fg="green"),
    False: click.style("PROBLEM ", fg="red"),
    None: click.style("absent  ", dim=True),
}


@click.command()
def command() -> None:
    """Check the installation and what each engine computes.

    The exit code is 1 if anything is broken.
    """
    from rgan_sdk.doctor import examine

    broken = False
    for check in examine():
        click.echo(f"{MARKS[check.ok]} {check.name:22} {check.detail}")
        if check.fix:
            click.echo(f"{'':31} fix: {check.fix}")
        broken |= check.ok is False
    if broken:
        raise click.exceptions.Exit(1)
