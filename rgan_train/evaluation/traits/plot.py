"""The heat maps of traits: cases against features, one map for each variant of the images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.results import TARGET, filter_and_class
from rgan_train.evaluation.traits.traits import RESEARCH_ONLY, Analysis, Cohort

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMED: Final = 40
"""With more features, their names could not be read in the figure."""

LIMIT: Final = 2.5
"""End of the colour scale, in standard deviations."""

CLASS_COLORS: Final = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
"""Okabe and Ito (2008): colour-blind readers can tell them apart."""

OTHER_COLOR: Final = "0.75"


def draw_traits(analysis: Analysis) -> Figure:
    """Draw the z-scores of all features as heat maps, the variants side by side.

    Columns are cases, sorted by group. Rows are features, clustered by the target. Both have the
    same order in all maps. Bars on the right mark the features that separate the groups.
    """
    from matplotlib.figure import Figure

    cohort = analysis.cohort
    cases = np.argsort(cohort.in_second, kind="stable")
    rows = _cluster_order(standardize(cohort.values[TARGET]))
    sides = 4.9 if len(rows) <= MOST_NAMED else 2.3
    figure = Figure(figsize=(sides + 2.2 * len(cohort.values), 7.2), layout="constrained")
    panels = figure.subplots(1, len(cohort.values), squeeze=False)[0]
    for axes, (variant, values) in zip(panels, cohort.values.items(), strict=True):
        scores = standardize(values)[np.ix_(cases, rows)].T
        image = axes.imshow(scores, aspect="auto", cmap="RdBu_r", vmin=-LIMIT, vmax=LIMIT)
        axes.set_title(_title(analysis, variant), fontsize=9.5, parse_math=False)
        _name_groups(axes, cohort)
        _mark(axes, analysis.separations[variant].separates[rows])
    scale = "z-score over the cases of a variant"
    figure.colorbar(image, ax=list(panels), label=scale, extend="both", shrink=0.5, aspect=30)
    _name_features(figure, panels[0], [cohort.features[row] for row in rows])
    figure.supxlabel(
        f"{len(rows)} features, clustered by the target. Black: separates the groups at a false "
        f"discovery rate of {analysis.fdr:g}.\n{RESEARCH_ONLY}",
        fontsize=7.5,
    )
    return figure


def standardize(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return z-scores over the cases, ``[N, F]``, by the variant's own mean and deviation.

    So each variant is shown as in a study that has no other images. A shift of all cases together
    does not show, as it does not change what separates the groups.
    """
    deviation = np.where(np.ptp(values, axis=0) > 0, values.std(axis=0), 1.0)
    scores: NDArray[np.float64] = (values - values.mean(axis=0)) / deviation
    return scores


def _cluster_order(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return an order of the features in which similar ones are neighbours (average linkage).

    Euclidean distances of z-scores rank pairs of features as one minus their correlation does.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    if scores.shape[1] < 2:
        return np.zeros(1, np.int64)
    return np.asarray(leaves_list(linkage(scores.T, method="average")), np.int64)


def _title(analysis: Analysis, variant: str) -> str:
    overlap = analysis.overlaps[variant]
    if variant == TARGET:
        return f"{variant}\n{overlap.separating} separate\n"
    return (
        f"{variant}\n{overlap.separating} separate\n"
        f"{overlap.found} of the target's {overlap.found + overlap.missed}"
    )


def _name_groups(axes: Axes, cohort: Cohort) -> None:
    """Write the names of the groups below a heat map, and draw a line between the groups."""
    first, second = cohort.sizes
    places = ((first - 1) / 2, first + (second - 1) / 2)
    names = [f"{name}\n({size})" for name, size in zip(cohort.groups, cohort.sizes, strict=True)]
    axes.set_xticks(places, names, fontsize=8, parse_math=False)
    axes.tick_params(length=0)
    axes.set_yticks([])
    axes.axvline(first - 0.5, color="black", linewidth=1.2)


def _mark(axes: Axes, separates: NDArray[np.bool_]) -> None:
    """Draw a bar beside each row that separates the groups."""
    strip = axes.inset_axes((1.015, 0, 0.05, 1), sharey=axes)
    rows = np.flatnonzero(separates)
    strip.barh(rows, 1, height=1, color="black", edgecolor="black", linewidth=0.5)
    strip.set(xlim=(0, 1), xticks=[])
    strip.tick_params(left=False, labelleft=False)


def _name_features(figure: Figure, axes: Axes, names: Sequence[str]) -> None:
    """Colour the rows by feature class, with a legend; also write their names if there are few."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    classes = [filter_and_class(name)[1] if name.count("_") > 1 else "other" for name in names]
    common = Counter(name for name in classes if name != "other").most_common(len(CLASS_COLORS))
    colors = dict(zip(sorted(name for name, _ in common), CLASS_COLORS, strict=False))
    strip = axes.inset_axes((-0.07, 0, 0.05, 1))
    rows = [[to_rgb(colors.get(name, OTHER_COLOR))] for name in classes]
    strip.imshow(rows, aspect="auto", interpolation="nearest")
    strip.set(xticks=[], yticks=[])
    if len(names) <= MOST_NAMED:
        strip.set_yticks(range(len(names)), names, fontsize=6, parse_math=False)
        strip.tick_params(length=0)
    if not set(classes) <= set(colors):
        colors["other"] = OTHER_COLOR
    patches = [Patch(color=color, label=name) for name, color in colors.items()]
    figure.legend(handles=patches, loc="outside left upper", title="feature class", fontsize=8)
