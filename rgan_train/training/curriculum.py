"""Dynamic Window-based Training: which HU the network is trained on (paper, section 2.2).

*Fixed growing*: the window starts narrow at the lower end of the HU range and grows at its upper
end. *Dynamic selection*: after each epoch the window becomes the range of the HU where the
discriminator still sees what gives a harmonized image away. Both in turn are the paper's
RadiomicGAN.
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
        Covered by the last stage.
    step
        HU by which the window grows.
    """

    hu_range: HUWindow
    step: float

    @property
    def stages(self) -> int:
        """How many stages there are: eight for [-1024, 1000] in steps of 256 HU."""
        return max(1, math.ceil((self.hu_range.width + 1) / self.step))

    def window_at(self, stage: int) -> HUWindow:
        """Return the window of a stage.

        HU are whole numbers here: the first 256 of them from -1024 on end at -769.
        """
        upper = self.hu_range.lower + stage * self.step - 1
        return HUWindow(self.hu_range.lower, min(upper, self.hu_range.upper))


@dataclass(frozen=True)
class Selection:
    """What the discriminator gave away in some random subsets of the training data.

    Attributes
    ----------
    lower, upper
        The range of HU under hot pixels; infinite and the wrong way round where there
        were none.
    statistics
        Of the class activation maps, for the log.
    """

    lower: float = math.inf
    upper: float = -math.inf
    statistics: dict[str, float] = dataclasses.field(default_factory=dict)

    def window(self, hu_range: HUWindow, min_width: float) -> HUWindow | None:
        """Return the selected window inside a range; None where no pixel was hot."""
        if self.lower > self.upper:
            return None
        width = min(max(min_width, self.upper - self.lower), hu_range.width)
        lower = (self.lower + self.upper - width) / 2
        lower = min(max(lower, hu_range.lower), hu_range.upper - width)
        return HUWindow(lower, lower + width)


@dataclass(frozen=True)
class CurriculumState:
    """Where a curriculum stands: its window, and the epochs that were trained in it."""

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
    """Decides after each epoch which window the next one has.

    Parameters
    ----------
    hu_range
        The whole range; what a model is made for.

    Attributes
    ----------
    place
        Where it stands.
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
        """Whether accuracy decides on the next window."""
        return self.state.phase == "growing"

    def advance(self, accuracy: float, select: Callable[[], Selection]) -> dict[str, Any]:
        """Finish an epoch: decide on the next window.

        Parameters
        ----------
        accuracy
            On the validation slices; of a growing stage, in its window.
        select
            Judges random subsets; called only if the next window depends on it.

        Returns
        -------
        dict
            What ``windows.jsonl`` says of the epoch, but for its number.
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

    def state_dict(self) -> dict[str, Any]:
        """Return where it stands, as JSON values."""
        return dataclasses.asdict(self.state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what ``state_dict`` returned."""
        self.state = CurriculumState(**state)

    def _end_of_stage(self, accuracy: float) -> str:
        """Say why the stage ends; empty where it goes on."""
        if accuracy > self.config.th_acc:
            return f"accuracy {accuracy:.4f} passed th_acc = {self.config.th_acc}"
        if self.state.epochs + 1 >= self.config.th_eta:
            return f"th_eta = {self.config.th_eta} epochs in this stage"
        return ""

    def _select(self, selection: Selection) -> str:
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
