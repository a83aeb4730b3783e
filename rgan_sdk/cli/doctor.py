"""``rgan-harmonize doctor``: what is installed, what works, how to fix the rest."""

from __future__ import annotations

import click

MARKS = {True: "ok", False: "PROBLEM", None: "absent"}


@click.command()
def command() -> None:
    """Check the installation; exit code 1 where something is broken."""
    from rgan_sdk.doctor import examine

    checks = examine()
    for check in checks:
        click.echo(f"{MARKS[check.ok]:8} {check.name:22} {check.detail}")
        if check.fix:
            click.echo(f"{'':31} fix: {check.fix}")
    if any(check.ok is False for check in checks):
        raise click.exceptions.Exit(1)
