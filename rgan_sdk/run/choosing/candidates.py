"""Models that may be run, and whether one takes a series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

from rgan_sdk.card import ModelCard
from rgan_sdk.dicom.domain import company, find_outside
from rgan_sdk.dicom.geometry import why_not_square
from rgan_sdk.dicom.series import Described, Series
from rgan_sdk.kernels import kernel_name
from rgan_sdk.run.options import RunOptions


class Candidate(NamedTuple):
    """A model that may be run.

    Attributes
    ----------
    name
        What ``--model`` takes.
    sha256
        Of its file; it tells which series an earlier run has made with the model.
    others
        Further names of the same file.
    """

    name: str
    card: ModelCard
    sha256: str = ""
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, card: ModelCard) -> Self:
        """Return a model by its card alone."""
        return cls(card.name, card)


def same_kernel(first: str, second: str) -> bool:
    """Return whether two names stand for one kernel: case and blanks do not count."""
    return kernel_name(first).casefold() == kernel_name(second).casefold()


def has_target_kernel(series: Series, cards: Sequence[ModelCard]) -> bool:
    """Return whether a series has the kernel already that all models with these cards imitate.

    Two makers may use one name for two kernels. The target of a model that was trained with pairs
    comes from the scanners that its card names; whose the target of a match is, no card says.
    """
    kernel = series.convolution_kernel
    if kernel is None or not all(same_kernel(kernel, card.target_kernel) for card in cards):
        return False
    trained = (card for card in cards if card.certificate is None)
    makers = {company(name) for card in trained for name in card.manufacturers} - {""}
    return not makers or not series.manufacturer or company(series.manufacturer) in makers


def why_not_model(series: Described, card: ModelCard, options: RunOptions) -> str:
    """Return why a model does not take a series, with what would help; empty if it does."""
    reasons = why_outside(series, card, options)
    names = [name for name, _ in reasons if name]
    text = "; ".join(reason for _, reason in reasons)
    if len(names) < len(reasons) or not names:  # to accept the others would not help
        return text
    return f"{text} (or use --outside-domain {','.join(names)})"


def why_outside(
    series: Described, card: ModelCard, options: RunOptions
) -> tuple[tuple[str, str], ...]:
    """Return why a model does not take a series; nothing if it does.

    Returns
    -------
    tuple of (name, reason)
        The name is one of ``rgan_sdk.harmonizer.DOMAINS``, which ``outside_domain`` may accept, or
        empty where nothing helps.
    """
    not_square = why_not_square(series) if card.format > 1 else ""
    outside = find_outside(series, card).items()
    refused = [(name, text) for name, text in outside if name not in options.outside_domain]
    return (*([("", not_square)] if not_square else []), *refused)
