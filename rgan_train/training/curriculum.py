"""Dynamic Window-based Training: which HU the network is trained on (paper, section 2.2).

*Fixed growing*: the window starts narrow at the lower end of the HU range and grows at its
upper end. *Dynamic selection*: after each epoch the window becomes the range of HU in which the
discriminator still recognizes a harmonized image. The paper's RadiomicGAN does first the one,
then the other.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from rgan_sdk.hu import HUWindow
from rgan_train.config import CurriculumConfig

Phase = Literal["growing", "selection", "whole"]


@dataclass(frozen=True)
class FixedGrowing:
    """The windows of the growing stages, counted from 1.

    Parameters
    ----------
    hu_range
        Range of HU that the last stage covers.
    step
        HU by which the window grows in each stage.
    """

    hu_range: HUWindow
    step: float

    @property
    def stages(self) -> int:
        """Number of stages: eight for [-1024, 1000] in steps of 256 HU."""
        return max(1, math.ceil((self.hu_range.width + 1) / self.step))

    def window_at(self, stage: int) -> HUWindow:
        """Return the window of a stage.

        HU are counted as whole numbers: the first 256 of them go from -1024 to -769.
        """
        upper = self.hu_range.lower + stage * self.step - 1
        return HUWindow(self.hu_range.lower, min(upper, self.hu_range.upper))


@dataclass(frozen=True)
class Selection:
    """The HU by which the discriminator recognized harmonized images.

    Attributes
    ----------
    lower, upper
        Range of HU under hot pixels; ``inf`` and ``-inf`` if there were none.
    statistics
        Statistics of the class activation maps, for the log.
    """

    lower: float = math.inf
    upper: float = -math.inf
    statistics: dict[str, float] = dataclasses.field(default_factory=dict)

    def window(self, hu_range: HUWindow, min_width: float) -> HUWindow | None:
        """Return the selected window inside ``hu_range``; None if no pixel was hot.

        A narrow selection is widened to ``min_width`` HU around its middle.
        """
        if self.lower > self.upper:
            return None
        width = min(max(min_width, self.upper - self.lower), hu_range.width)
        lower = (self.lower + self.upper - width) / 2
        lower = min(max(lower, hu_range.lower), hu_range.upper - width)
        return HUWindow(lower, lower + width)


@dataclass(frozen=True)
class CurriculumState:
    """The progress of a curriculum: phase, stage, window, and finished epochs of the stage."""

    phase: Phase
    stage: int
    lower: float
    upper: float
    epochs: int = 0

    @property
    def window(self) -> HUWindow:
        """The HU that the network is trained on."""
        return HUWindow(self.lower, self.upper)


class Curriculum:
    """Chooses the window of each epoch.

    Parameters
    ----------
    hu_range
        The whole range of HU that the model is made for.

    Attributes
    ----------
    state
        The current progress.
    """

    def __init__(self, config: CurriculumConfig, hu_range: HUWindow) -> None:
        self.config, self.hu_range = config, hu_range
        self._growing = FixedGrowing(hu_range, config.step)
        if config.schedule.startswith("growing"):
            self.state = self._at_stage(1)
        elif config.schedule == "selection":
            self.state = self._at("selection", hu_range)
        else:
            self.state = self._at("whole", hu_range)

    @property
    def window(self) -> HUWindow:
        """The HU that the network is trained on now."""
        return self.state.window

    @property
    def is_growing(self) -> bool:
        """Whether the accuracy decides on the next window."""
        return self.state.phase == "growing"

    def advance(self, accuracy: float, select: Callable[[], Selection]) -> dict[str, Any]:
        """Finish an epoch, and choose the next window.

        Parameters
        ----------
        accuracy
            Validation accuracy; in a growing stage that inside its window.
        select
            Judges random subsets; called only if the next window depends on it.

        Returns
        -------
        dict
            The epoch's line in ``windows.jsonl``, without the number of the epoch.
        """
        before = self.state
        selection = None
        if self.is_growing:
            reason = self._end_of_stage(accuracy)
            if not reason:
                self.state = dataclasses.replace(before, epochs=before.epochs + 1)
            elif before.stage < self._growing.stages:
                self.state = self._at_stage(before.stage + 1)
            elif self.config.schedule == "growing":
                self.state = self._at("whole", self.hu_range)
            else:
                selection = select()
                reason = f"{reason}; {self._select(selection)}"
        elif before.phase == "selection":
            selection = select()
            reason = self._select(selection)
        else:
            reason = ""
        return {
            "phase": before.phase,
            "stage": before.stage,
            "window": [before.lower, before.upper],
            "accuracy": round(accuracy, 6),
            "next_window": [self.state.lower, self.state.upper],
            "reason": reason,
            "cam": selection.statistics if selection else None,
        }

    def describe_stop(self, steps: int) -> str:
        """Return what to know if the training stopped inside a growing window; else nothing.

        Parameters
        ----------
        steps
            Finished steps of the current epoch.
        """
        if not self.is_growing:
            return ""
        is_untouched = steps == self.state.epochs == 0
        stage = max(1, self.state.stage - is_untouched)
        window = self._growing.window_at(stage)
        if window == self.hu_range:
            return ""
        return (
            f"the training stopped inside the growing window {_format(window)}, stage {stage} of "
            f"{self._growing.stages}: the rest of {_format(self.hu_range)} was not trained"
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the progress as JSON values."""
        return dataclasses.asdict(self.state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self.state = CurriculumState(**state)

    def _end_of_stage(self, accuracy: float) -> str:
        """Return why the stage ends; empty if it continues."""
        if accuracy > self.config.th_acc:
            return f"accuracy {accuracy:.4f} passed th_acc = {self.config.th_acc}"
        if self.state.epochs + 1 >= self.config.th_eta:
            return f"th_eta = {self.config.th_eta} epochs in this stage"
        return ""

    def _select(self, selection: Selection) -> str:
        """Move to the selected window; return the reason."""
        window = selection.window(self.hu_range, self.config.min_width)
        self.state = self._at("selection", window or self.hu_range)
        if window is None:
            return "no hot pixel of a HU that occurs twice: the whole range"
        return f"HU under hot pixels from {selection.lower:.0f} to {selection.upper:.0f}"

    def _at_stage(self, stage: int) -> CurriculumState:
        window = self._growing.window_at(stage)
        return CurriculumState("growing", stage, window.lower, window.upper)

    def _at(self, phase: Phase, window: HUWindow) -> CurriculumState:
        return CurriculumState(phase, 0, window.lower, window.upper)


def _format(window: HUWindow) -> str:
    return f"[{window.lower:.0f}, {window.upper:.0f}] HU"
