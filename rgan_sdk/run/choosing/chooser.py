"""One series, one model: which one takes it, and what becomes of the series that none takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from rgan_sdk.dicom.domain import find_outside
from rgan_sdk.dicom.series import Series, hash_slices
from rgan_sdk.model import stored_name
from rgan_sdk.run.choosing.candidates import (
    Candidate,
    has_target_kernel,
    why_not_model,
    why_outside,
)
from rgan_sdk.run.options import RunOptions


class Fate(Enum):
    """What is to become of a series."""

    HARMONIZE = "harmonize"
    COPY = "copy"
    SKIP = "skip"
    FAIL = "fail"


class Choice(NamedTuple):
    """What is to become of a series.

    Attributes
    ----------
    candidate
        The model that harmonizes it; None where none does, or where there is none to choose from.
    reason
        Why it is skipped or fails.
    """

    fate: Fate
    candidate: Candidate | None = None
    reason: str = ""


class Chooser:
    """Chooses a model for one series after the other.

    A model takes a series that is inside the domain which its card states, but for what
    ``outside_domain`` accepts. One that takes it as it is goes before those that take it only
    because something was accepted. A series that an earlier run has finished keeps its model.

    Parameters
    ----------
    options
        ``outside_domain``, ``shard`` and ``include_target`` matter here.
    listed
        What a work list names as the model of series, by SeriesInstanceUID and group.
    made
        What OUTPUT holds already: the SHA-256 of the model, empty for a copy, by SeriesInstanceUID
        and hash of the slices.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        options: RunOptions,
        listed: Mapping[tuple[str, int], str],
        made: Mapping[tuple[str, str], str],
    ) -> None:
        self._candidates, self._options = candidates, options
        self._listed, self._made = listed, made
        named = [(name, one) for one in candidates for name in (one.name, *one.others)]
        self._by_name = {stored_name(name): one for name, one in named} if listed else {}
        self._sources = {source for source, _ in made}

    def choose(self, series: Series) -> Choice:
        """Return what is to become of a series."""
        choice = self._choose(series)
        shard = self._options.shard
        # Why its model does not take a series is told in all shards, as long as there is one model.
        is_told = choice.fate is Fate.SKIP and len(self._candidates) == 1
        if shard is None or is_told or shard.holds(series.series_instance_uid):
            return choice
        return Choice(Fate.SKIP, reason=shard.why_left)

    def _choose(self, series: Series) -> Choice:
        if not self._candidates:
            return Choice(Fate.HARMONIZE)
        asked = self._asked(series)
        fitting = [one for one in asked if not why_outside(series, one.card, self._options)]
        inside = [one for one in fitting if not find_outside(series, one.card)]
        made = self._made_with(series)
        if made is not None and (kept := self._keep(made, fitting, series, asked)):
            return kept
        if not inside and self._has_target(series):
            return self._leave(series)
        best = inside or fitting
        if len(best) == 1:
            return Choice(Fate.HARMONIZE, best[0])
        if best:
            return Choice(Fate.FAIL, reason=_ambiguous(best))
        return Choice(Fate.SKIP, reason=self._why_none(series, asked))

    def _asked(self, series: Series) -> Sequence[Candidate]:
        """Return the models that may take a series: the one that a list names, or all."""
        name = self._listed.get((series.series_instance_uid, series.group))
        if name is None:
            return self._candidates
        return [self._by_name[name]] if name in self._by_name else []

    def _made_with(self, series: Series) -> str | None:
        if series.series_instance_uid not in self._sources:
            return None
        return self._made.get((series.series_instance_uid, hash_slices(series)))

    def _keep(
        self, made: str, fitting: Sequence[Candidate], series: Series, asked: Sequence[Candidate]
    ) -> Choice | None:
        """Return what became of a series in an earlier run; None if that can be chosen anew."""
        if made == "":
            return self._leave(series)
        for one in fitting:
            if one.sha256 == made:
                return Choice(Fate.HARMONIZE, one)
        left = {one.sha256 for one in self._candidates} - {one.sha256 for one in asked}
        others = [one.name for one in self._candidates if one.sha256 == made and made in left]
        if not others:
            return None
        wanted = self._listed[series.series_instance_uid, series.group]
        reason = (
            f"OUTPUT holds it as {others[0]} made it, and the list names {wanted}; change the "
            "list, or choose another OUTPUT"
        )
        return Choice(Fate.FAIL, reason=reason)

    def _has_target(self, series: Series) -> bool:
        """Return whether a series has the target kernel already, and is no source.

        Where its kernel was accepted, a run with one model harmonizes it, unless it can be copied.
        """
        options = self._options
        is_source = "kernel" in options.outside_domain and len(self._candidates) == 1
        if is_source and not options.include_target:
            return False
        return has_target_kernel(series, [one.card for one in self._candidates])

    def _leave(self, series: Series) -> Choice:
        if self._options.include_target:
            return Choice(Fate.COPY)
        hint = "`run --include-target` copies such series"
        return Choice(Fate.SKIP, reason=f"{_has_already(series)} ({hint})")

    def _why_none(self, series: Series, asked: Sequence[Candidate]) -> str:
        if not asked:
            name = self._listed[series.series_instance_uid, series.group]
            return f"the list names {name} for it, which takes no part in this run"
        if len(self._candidates) == 1:
            return why_not_model(series, asked[0].card, self._options)
        reasons = (f"{one.name}: {self._why_not(series, one)}" for one in asked)
        return f"no model takes it. {'. '.join(reasons)}"

    def _why_not(self, series: Series, candidate: Candidate) -> str:
        """Return why one of several models does not take a series; briefly, if it is the kernel."""
        reasons = why_outside(series, candidate.card, self._options)
        kernel = [text for name, text in reasons if name == "kernel"]
        return "; ".join(kernel or [text for _, text in reasons])


def why_copied(series: Series) -> str:
    """Return what a report says of a copy."""
    return f"copied unchanged: {_has_already(series)}"


def _has_already(series: Series) -> str:
    kernel = series.convolution_kernel
    return f"ConvolutionKernel (0018,1210) is {kernel}, the target kernel already"


def _ambiguous(candidates: Sequence[Candidate]) -> str:
    names = ", ".join(one.name for one in candidates)
    targets = {one.card.target_kernel for one in candidates}
    hint = "or choose with --target-kernel" if len(targets) > 1 else "or name one in a work list"
    return f"ambiguous: several models take it, {names}; leave one out, {hint}"
