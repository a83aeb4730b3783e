"""How a run shows on the terminal: bars for people, plain lines for logs."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from rgan_sdk.cli.tables import as_text
from rgan_sdk.run.report import SeriesEntry


class RunProgress:
    """An observer of a run that draws on standard error."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._files = self.bars.add_task("looking at files", total=None, rate="")
        self._outputs = self.bars.add_task("verifying", total=None, visible=False, rate="")
        self._series = self.bars.add_task("series", total=None, visible=False, rate="")
        self._slices = self.bars.add_task("slices", total=None, visible=False, rate="")

    def on_found(self, files: int) -> None:
        """Count files."""
        self.bars.update(self._files, completed=files)

    def on_planned(self, series: int, slices: int) -> None:
        """Start the bars of series and slices."""
        self.bars.update(self._files, visible=False)
        self.bars.update(self._series, total=series, visible=True)
        self.bars.reset(self._slices, total=slices, visible=True)
        if series and not self.console.is_terminal:
            self._print(f"harmonizing {series} series, {slices} slices")

    def on_verified(self, files: int, total: int) -> None:
        """Show how many files of finished series were read again."""
        self.bars.update(self._outputs, completed=files, total=total, visible=files < total)
        if files == total and not self.console.is_terminal:
            self._print(f"verified {total} files of finished series")

    def on_started(self, series_instance_uid: str, slices: int) -> None:
        """Show nothing: the bar of slices moves."""

    def on_written(self, slices: int) -> None:
        """Advance the bar of slices."""
        self.bars.advance(self._slices, slices)
        speed = self.bars.tasks[self._slices].speed
        if speed:
            self.bars.update(self._slices, rate=f"{speed:.1f}/s")

    def on_finished(self, entry: SeriesEntry) -> None:
        """Advance the bar of series. Print what has a reason; without a terminal, every series."""
        self.bars.advance(self._series)
        if entry.reason or not self.console.is_terminal:
            reason = f": {entry.reason}" if entry.reason else ""
            self._print(
                f"{entry.status} {entry.series_instance_uid} "
                f"({entry.convolution_kernel}, {entry.slices} slices){reason}"
            )

    def _print(self, text: str) -> None:
        self.bars.console.print(as_text(text), highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.bars.stop()
