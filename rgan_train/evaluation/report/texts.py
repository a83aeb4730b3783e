"""Numbers and samples as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rgan_train.evaluation.results import Evaluation, FeatureCount, Spread


def pluralize(number: int, noun: str) -> str:
    """Return ``1 slice`` or ``8 slices``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def join_with_and(items: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]]))


def format_number(value: float, digits: int = 0, plus: str = "") -> str:
    """Return a number with a typographic minus sign.

    Parameters
    ----------
    digits
        Decimal places.
    plus
        ``+`` to show the sign of positive numbers too.

    Returns
    -------
    str
        A dash for NaN.
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    rounded = round(value, digits) + 0.0  # no negative zero
    return f"{rounded:{plus},.{digits}f}".replace("-", "−")


def format_spread(spread: Spread, digits: int) -> str:
    """Return ``47.25 ± 0.31``, or the mean alone if there is no standard deviation."""
    mean = format_number(spread.mean, digits)
    return mean if math.isnan(spread.sd) else f"{mean} ± {format_number(spread.sd, digits)}"


def format_count(count: FeatureCount) -> str:
    """Return a count with its interval: ``1,240 (1,180 to 1,290)``."""
    low, high = count.interval
    interval = "" if math.isnan(low) else f" ({format_number(low)} to {format_number(high)})"
    return f"{count.features:,}{interval}"


def describe_sample(evaluation: Evaluation, group: str) -> str:
    """Return how many regions, slices and patients the results of a group come from."""
    first = evaluation.agreement(group, evaluation.methods[0])
    patients = next(one.patients for one in evaluation.stability if one.group == group)
    counts = (first.regions, "region"), (first.slices, "slice"), (patients, "patient")
    return ", ".join(pluralize(number, noun) for number, noun in counts)


def describe_slices(evaluation: Evaluation) -> str:
    """Return how many slices and patients image quality comes from."""
    slices = pluralize(len(evaluation.pixel_spacings), "slice")
    return f"{slices} of {pluralize(evaluation.patients, 'patient')}"
