"""Charts of a report without pairs, drawn once as SVG: they need no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from rgan_sdk.kernels.spectra import FREQUENCY
from rgan_train.evaluation.cohorts.image_measures import ImageMeasures
from rgan_train.evaluation.cohorts.results import CohortEvaluation
from rgan_train.evaluation.results import INPUT, TARGET

WIDTH: Final = 560
ROW: Final = 24
NAMES: Final = 210
LETTERS: Final = 28
"""Most letters of a name that are as wide as ``NAMES``."""
COLORS: Final = 6

Floats = NDArray[np.float64]
Line = tuple[Floats, Floats]


def draw_auc(evaluation: CohortEvaluation, kind: str) -> Markup:
    """Draw the AUC of each row as a dot, and the limits of chance, if there are any, as a bar."""
    rows = [row for row in evaluation.rows if evaluation.group(kind, row).separation]
    height = ROW * (len(rows) + 1) + 8

    def x(value: float) -> str:
        return f"{NAMES + value * (WIDTH - NAMES - 12):.1f}"

    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        style = "guide" if tick == 0.5 else "grid"
        bottom = height - ROW
        parts.append(f'<line class="{style}" x1="{x(tick)}" x2="{x(tick)}" y1="4" y2="{bottom}"/>')
        parts.append(f'<text x="{x(tick)}" y="{height - 6}" text-anchor="middle">{tick:g}</text>')
    for number, row in enumerate(rows):
        found = evaluation.group(kind, row).separation
        assert found is not None
        y = ROW * number + 16
        parts.append(
            f'<text class="name" x="0" y="{y + 4}">{escape(_shorten(row))}'
            f"<title>{escape(row)}</title></text>"
        )
        if found.limits is not None:
            low, high = found.limits
            parts.append(
                f'<line x1="{x(low)}" x2="{x(high)}" y1="{y}" y2="{y}" stroke="var(--line)" '
                'stroke-width="9"/>'
            )
        parts.append(f'<circle cx="{x(found.auc)}" cy="{y}" r="4.5" fill="var(--accent)"/>')
    return _svg(height, f"AUC by row, {kind}", parts)


def _shorten(name: str) -> str:
    """Leave out the middle of a long name: names of models often differ at the end."""
    half = LETTERS // 2
    return name if len(name) <= LETTERS else f"{name[:half]}…{name[1 - half :]}"


def draw_mtf(evaluation: CohortEvaluation) -> Markup:
    """Draw the MTF of the target, the input and the models."""
    lines = {
        name: (found.curves.mtf.frequency, found.curves.mtf.value)
        for name, found in _shown(evaluation).items()
        if found.curves is not None
    }
    return _draw_lines(lines, "MTF by spatial frequency, lp/cm", (0.0, 0.5, 1.0))


def draw_noise(evaluation: CohortEvaluation) -> Markup:
    """Draw the noise power of the target, the input and the models, as powers of 10."""
    lines = {}
    for name, found in _shown(evaluation).items():
        power = found.spectra.mean_power("even")
        known = np.isfinite(power) & (power > 0) & (found.spectra.nyquist > FREQUENCY)
        if known.any():
            lines[name] = FREQUENCY[known], np.log10(power[known])
    values = np.concatenate([line[1] for line in lines.values()]) if lines else np.zeros(1)
    ticks = np.arange(np.floor(values.min()), np.ceil(values.max()) + 1)
    return _draw_lines(lines, "log10 of noise power, HU² mm², by spatial frequency, lp/cm", ticks)


def _shown(evaluation: CohortEvaluation) -> dict[str, ImageMeasures]:
    return {name: evaluation.images[name] for name in (TARGET, INPUT, *evaluation.models)}


def _draw_lines(lines: Mapping[str, Line], label: str, ticks: Sequence[float] | Floats) -> Markup:
    """Draw lines on common axes, the target dashed, and a legend below."""
    height, left, bottom = 240, 40, 216
    if not lines:
        return Markup()
    right = max(float(line[0].max()) for line in lines.values())
    low, high = float(min(ticks)), float(max([*ticks, *(line[1].max() for line in lines.values())]))

    def x(value: float) -> float:
        return left + value / right * (WIDTH - left - 12)

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low or 1) * (bottom - 8)

    parts = []
    for tick in ticks:
        place = f"{y(float(tick)):.1f}"
        parts.append(
            f'<line class="grid" x1="{left}" x2="{WIDTH - 12}" y1="{place}" y2="{place}"/>'
        )
        parts.append(f'<text x="{left - 6}" y="{place}" dy="4" text-anchor="end">{tick:g}</text>')
    parts += [
        f'<text x="{x(tick):.1f}" y="{height - 6}" text-anchor="middle">{tick}</text>'
        for tick in range(0, int(right) + 1, 2)
    ]
    for number, (name, (frequency, value)) in enumerate(lines.items()):
        points = " ".join(
            f"{x(f):.1f},{y(max(v, low)):.1f}" for f, v in zip(frequency, value, strict=True)
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke-width="2" {_stroke(number, name)}/>'
        )
    legend = "".join(
        f'<li><svg viewBox="0 0 28 10"><line x1="0" x2="28" y1="5" y2="5" stroke-width="2" '
        f"{_stroke(number, name)}/></svg>{escape(name)}</li>"
        for number, name in enumerate(lines)
    )
    return _svg(height, label, parts) + Markup(f'<ul class="legend">{legend}</ul>')  # noqa: S704


def _stroke(number: int, name: str) -> str:
    if name == TARGET:
        return 'stroke="var(--text)" stroke-dasharray="5 3"'
    return f'stroke="var(--series-{(number - 1) % COLORS})"'


def _svg(height: int, label: str, parts: Sequence[str]) -> Markup:
    """Return an SVG; names in its parts are escaped already."""
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'
    return Markup(head + "".join(parts) + "</svg>")  # noqa: S704
