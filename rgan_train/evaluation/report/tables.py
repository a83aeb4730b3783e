"""The tables of a report: computed once, then written as HTML, Markdown and LaTeX."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE
from rgan_train.evaluation.metrics.tissue_bias import TISSUES
from rgan_train.evaluation.results import (
    COMBAT,
    COMBAT_SHRUNK,
    INPUT,
    THRESHOLDS,
    Count,
    Evaluation,
    Spread,
)

BEST: Final = "Best of each column in bold."


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    over
        Heading that it shares with its neighbours; empty where there is none.
    label
        Its own heading.
    texts
        What is shown, a cell for each method.
    values
        What to sort by; NaN where there is nothing.
    badness
        What to rank by, as far as the value is shown: less is better, NaN where there is nothing.
    """

    over: str
    label: str
    texts: Sequence[str]
    values: Sequence[float]
    badness: Sequence[float]

    @property
    def best(self) -> frozenset[int]:
        """Rows with the best value."""
        least = min((bad for bad in self.badness if not math.isnan(bad)), default=math.nan)
        return frozenset(row for row, bad in enumerate(self.badness) if bad == least)


@dataclass(frozen=True)
class Table:
    """A table with a row for each method.

    Attributes
    ----------
    name
        For links and labels.
    """

    name: str
    caption: str
    methods: Sequence[str]
    columns: Sequence[Column]


def make_tables(evaluation: Evaluation) -> list[Table]:
    """Return the tables of an evaluation.

    Features, one for each threshold and one beside ComBat where that was applied; quality; bias.
    """
    features = [_feature_table(evaluation, threshold) for threshold in THRESHOLDS]
    if any(COMBAT in agreement.method for agreement in evaluation.agreements):
        features.append(_combat_table(evaluation))
    return [*features, _quality_table(evaluation), _bias_table(evaluation)]


def groups_of(evaluation: Evaluation) -> list[str]:
    """Return the groups of regions that were compared, in order."""
    return list(dict.fromkeys(agreement.group for agreement in evaluation.agreements))


def counted(number: int, noun: str) -> str:
    """Return ``1 slice`` or ``8 slices``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def sample_of(evaluation: Evaluation, group: str) -> str:
    """Say how many regions, slices and patients a group's figures are from."""
    first = evaluation.agreement(group, evaluation.methods[0])
    regions = counted(first.regions, "region")
    return f"{regions}, {counted(first.slices, 'slice')}, {counted(evaluation.patients, 'patient')}"


def shown(value: float, digits: int = 0, plus: str = "") -> str:
    """Return a number for people to read; ``plus`` is ``+`` to show the sign of all."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    rounded = round(value, digits) + 0.0  # no negative zero
    return f"{rounded:{plus},.{digits}f}".replace("-", "−")


def shown_spread(spread: Spread, digits: int) -> str:
    """Return ``47.25 ± 0.31``, or the mean alone where there is no standard deviation."""
    mean = shown(spread.mean, digits)
    return mean if math.isnan(spread.sd) else f"{mean} ± {shown(spread.sd, digits)}"


def shown_count(count: Count) -> str:
    """Return a count with its interval: ``1,240 (1,180 to 1,290)``."""
    low, high = count.interval
    interval = "" if math.isnan(low) else f" ({shown(low)} to {shown(high)})"
    return f"{count.features:,}{interval}"


def _feature_table(evaluation: Evaluation, threshold: float) -> Table:
    columns, samples, repeats = [], [], 0
    for group in groups_of(evaluation):
        agreements = [evaluation.agreement(group, method) for method in evaluation.methods]
        counts = [agreement.counts[threshold] for agreement in agreements]
        over = f"{group}, of {counts[0].total:,}"
        samples.append(f"{group}: {sample_of(evaluation, group)}.")
        if counts[0].repeats:
            repeats = len(counts[0].repeats)
            spreads = [_spread_over(count.repeats) for count in counts]
            columns.append(_spread_column(over, "repeats", spreads, 0, _largest))
        texts = [shown_count(count) for count in counts]
        features = [float(count.features) for count in counts]
        columns.append(_column(over, "all regions", texts, features, 0, _largest))
    drawn = f" Random regions were drawn {repeats} times: mean ± SD over the repeats, then all."
    caption = (
        f"Reproducible features: concordance (CCC) with the target above {threshold:.2f}, of those "
        "that are defined on the target; in brackets the 95 % interval, from resampled slices."
        f"{drawn if repeats else ''} {' '.join(samples)} {BEST}"
    )
    return Table(f"features-{threshold * 100:.0f}", caption, evaluation.methods, columns)


def _combat_table(evaluation: Evaluation) -> Table:
    threshold, methods = THRESHOLDS[0], evaluation.methods
    columns, shrunk = [], []
    for group in groups_of(evaluation):
        counts = {
            agreement.method: agreement.counts[threshold]
            for agreement in evaluation.agreements
            if agreement.group == group
        }
        total = next(iter(counts.values())).total
        for label, ending in (("alone", ""), ("with ComBat", COMBAT)):
            found = [counts[method + ending] for method in methods]
            texts = [shown_count(count) for count in found]
            features = [float(count.features) for count in found]
            columns.append(_column(f"{group}, of {total:,}", label, texts, features, 0, _largest))
        shrunk.append(f"{group}: {counts[INPUT + COMBAT_SHRUNK].features}")
    caption = (
        f"Beside ComBat: features with a CCC above {threshold:.2f}. ComBat gives each feature the "
        "mean and the spread that it has on the target. It sees the target's features of the very "
        "regions that it is judged by, which no model does, and changes tables, not images. In "
        f"its usual form, with empirical Bayes, the input has {'; '.join(shrunk)}: there the few "
        "features whose variance differs a millionfold between kernels set the prior of all. "
        f"{BEST}"
    )
    return Table("combat", caption, methods, columns)


def _quality_table(evaluation: Evaluation) -> Table:
    quality = [evaluation.quality[method] for method in evaluation.methods]
    columns = [
        _spread_column("", "PSNR, dB", [q.psnr_db for q in quality], 2, _largest),
        _spread_column("", "SSIM", [q.ssim for q in quality], 4, _largest),
        _spread_column("", "mean error, HU", [q.mae_hu for q in quality], 2, _smallest),
    ]
    distances = [_noise_distance(q.noise_power) for q in quality]
    texts = [shown(distance, 2) for distance in distances]
    columns.append(_column("", "noise power distance, dB", texts, distances, 2, _smallest))
    rises = [q.edge_rise_mm for q in quality if q.edge_rise_mm]
    if rises:
        label = f"edge rise, mm (target {shown(rises[0][1], 2)})"
        widths = [q.edge_rise_mm[0] if q.edge_rise_mm else math.nan for q in quality]
        texts = [shown(width, 2) for width in widths]
        goal = round(rises[0][1], 2)
        columns.append(_column("", label, texts, widths, 2, lambda mm: round(abs(mm - goal), 2)))
    peak = QUALITY_RANGE
    caption = (
        f"Image quality against the target, mean ± SD over {slices_of(evaluation)}. PSNR, SSIM "
        f"and mean absolute error: values clipped to [{shown(peak.lower)}, {peak.upper:.0f}] HU, "
        f"data range {peak.width:.0f} HU; SSIM with Gaussian weights of 11×11 pixels, σ = 1.5, "
        "K1 = 0.01, K2 = 0.03. Noise power distance: root mean square over ten radial bands of "
        "10 log10 of the noise power to the target's. Edge rise: 10 to 90 % of an edge's height. "
        f"{BEST}"
    )
    return Table("quality", caption, evaluation.methods, _measured(columns))


def _bias_table(evaluation: Evaluation) -> Table:
    quality = [evaluation.quality[method] for method in evaluation.methods]
    columns = []
    for name in quality[0].bias_hu:
        biases = [q.bias_hu[name] for q in quality]
        texts = [shown(bias, 2, plus="+") for bias in biases]
        columns.append(_column("", name, texts, biases, 2, abs))
    ranges = ", ".join(
        f"{name} {shown(window.lower)} to {shown(window.upper)}" for name, window in TISSUES.items()
    )
    caption = (
        "HU bias: mean of method minus target by tissue, in HU, where the target's local mean is "
        f"in the tissue's range ({ranges}). {slices_of(evaluation)}. {BEST}"
    )
    return Table("bias", caption, evaluation.methods, _measured(columns))


def _noise_distance(ratio: NDArray[np.float64] | None) -> float:
    if ratio is None:
        return math.nan
    with np.errstate(divide="ignore"):
        return math.sqrt(float(np.mean((10 * np.log10(ratio)) ** 2)))


def slices_of(evaluation: Evaluation) -> str:
    """Say how many slices and patients image quality is from."""
    slices = counted(len(evaluation.pixel_spacings), "slice")
    return f"{slices} of {counted(evaluation.patients, 'patient')}"


def _measured(columns: Sequence[Column]) -> list[Column]:
    """Leave out what could not be measured: some slices have no edges, or no such tissue."""
    return [column for column in columns if column.best]


def _spread_over(repeats: Sequence[int]) -> Spread:
    return Spread(statistics.mean(repeats), statistics.stdev(repeats), len(repeats))


def _spread_column(
    over: str,
    label: str,
    spreads: Sequence[Spread],
    digits: int,
    badness: Callable[[float], float],
) -> Column:
    texts = [shown_spread(spread, digits) for spread in spreads]
    return _column(over, label, texts, [spread.mean for spread in spreads], digits, badness)


def _column(
    over: str,
    label: str,
    texts: Sequence[str],
    values: Sequence[float],
    digits: int,
    badness: Callable[[float], float],
) -> Column:
    return Column(over, label, texts, values, [badness(round(value, digits)) for value in values])


def _largest(value: float) -> float:
    return -value


def _smallest(value: float) -> float:
    return value


def to_html(table: Table) -> str:
    """Write a table for a web page; its headings are buttons that a script makes sort."""
    rows = []
    for row, method in enumerate(table.methods):
        cells = [f'<th scope="row">{escape(method)}</th>']
        for column in table.columns:
            text = _html_text(column.texts[row])
            text = f"<b>{text}</b>" if row in column.best else text
            cells.append(f'<td data-value="{_html_number(column.values[row])}">{text}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="table-{table.name}">'
        f'<table class="sortable"><caption id="table-{table.name}">{escape(table.caption)}'
        "</caption>"
        f"<thead>{_html_heading_over(table)}<tr>{_html_headings(table)}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _html_text(text: str) -> str:
    """Let a cell break before what is in brackets, and nowhere else."""
    return escape(text).replace(" ", "&nbsp;").replace("&nbsp;(", " (")


def _html_number(value: float) -> str:
    """Write a number as JavaScript reads it."""
    return repr(float(value)).replace("inf", "Infinity").replace("nan", "NaN")


def _html_heading_over(table: Table) -> str:
    """Write the row of headings that several columns share, if there are any."""
    spans: dict[str, int] = {}
    for column in table.columns:
        spans[column.over] = spans.get(column.over, 0) + 1
    if not any(spans):
        return ""
    cells = "".join(
        f'<th scope="colgroup" colspan="{span}">{escape(over)}</th>' for over, span in spans.items()
    )
    return f"<tr><td></td>{cells}</tr>"


def _html_headings(table: Table) -> str:
    labels = ["method", *(column.label for column in table.columns)]
    return "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{escape(label)}</button></th>'
        for label in labels
    )


def to_markdown(table: Table) -> str:
    """Write a table in GitHub's Markdown, with its caption above."""
    headings = [", ".join(filter(None, (c.over, c.label))) for c in table.columns]
    lines = [["method", *headings], ["---"] + ["---:"] * len(table.columns)]
    lines[0] = [_markdown(heading) for heading in lines[0]]
    for row, method in enumerate(table.methods):
        cells = [_markdown(column.texts[row]) for column in table.columns]
        lines.append(
            [
                _markdown(method),
                *(
                    f"**{cell}**" if row in column.best else cell
                    for cell, column in zip(cells, table.columns, strict=True)
                ),
            ]
        )
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{_markdown(table.caption)}\n\n{body}\n"


def to_latex(table: Table) -> str:
    """Write a table in LaTeX with booktabs, with its caption.

    Columns that share a heading are written below each other: side by side they would be wider
    than a page.
    """
    stacked = any(column.over for column in table.columns)
    headings = dict.fromkeys(c.over if stacked else c.label for c in table.columns)
    kinds = dict.fromkeys(c.label if stacked else "" for c in table.columns)
    cells = {(c.over, c.label) if stacked else (c.label, ""): c for c in table.columns}
    lines = []
    for row, method in enumerate(table.methods):
        for number, kind in enumerate(kinds):
            line = [_latex("" if number else method)] + [_latex(kind)] * stacked
            line += [_latex_cell(cells.get((heading, kind)), row) for heading in headings]
            lines.append(" & ".join(line) + r" \\")
    first = ["Method"] + [""] * stacked + [_latex(heading) for heading in headings]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_latex(table.caption)}}}",
            rf"\label{{tab:{table.name}}}",
            r"\centering\footnotesize",
            rf"\begin{{tabular}}{{l{'l' * stacked}{'r' * len(headings)}}}",
            r"\toprule",
            " & ".join(first) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _latex_cell(column: Column | None, row: int) -> str:
    if column is None:
        return ""
    text = _latex(column.texts[row])
    return rf"\textbf{{{text}}}" if row in column.best else text


_MARKDOWN: Final = str.maketrans({mark: f"\\{mark}" for mark in r"\`*_[]<>|~$"})
_LATEX: Final = str.maketrans(
    {
        **{mark: f"\\{mark}" for mark in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "[": "{[}",  # or it would be taken for an option of the line break before it
        "]": "{]}",
        "±": r"$\pm$",
        "−": "$-$",
        "–": "--",
        "×": r"$\times$",
        "σ": r"$\sigma$",
        "∞": r"$\infty$",
    }
)


def _markdown(text: str) -> str:
    return text.translate(_MARKDOWN)


def _latex(text: str) -> str:
    return text.translate(_LATEX)
