"""Compare slices with a model's card: other kernels are refused, the rest is noted.

That is, pixel spacings that it is not made for, and series that it was made with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rgan_sdk.card import ModelCard
from rgan_sdk.errors import ConfigurationError
from rgan_sdk.kernels import kernel_name


def check_kernels(
    model: str | Path, card: ModelCard, sources: Sequence[str], targets: Sequence[str]
) -> None:
    """Refuse a model that is for other kernels; case and blanks don't matter.

    Parameters
    ----------
    model
        File or name, for the message.
    sources
        Kernels of the slices to harmonize. The model must take all of them.
    targets
        Kernels to compare with: several if series of several kernels are taken as one. The
        model's own must be one of them.

    Raises
    ------
    ConfigurationError
        If the model is for other kernels.
    """
    advice = "choose another model or direction"
    for kernel in sources:
        if not card.accepts_kernel(kernel):
            taken = ", ".join(card.source_kernels)
            raise ConfigurationError(
                f"{model}: is for {taken}, and the source is {kernel}; {advice}"
            )
    if kernel_name(card.target_kernel).casefold() not in {
        kernel_name(kernel).casefold() for kernel in targets
    }:
        raise ConfigurationError(
            f"{model}: harmonizes to {card.target_kernel}, and the target is {', '.join(targets)}; "
            f"{advice}"
        )


def spacing_notes(card: ModelCard, spacings: Sequence[float]) -> tuple[str, ...]:
    """Return a remark on slices outside the pixel spacings of a model; none if all are inside.

    Parameters
    ----------
    spacings
        Pixel spacing of each slice, in mm.
    """
    limits = card.pixel_spacing
    outside = [spacing for spacing in spacings if limits is None or spacing not in limits]
    if not outside:
        return ()
    found = " to ".join(dict.fromkeys(f"{end:g}" for end in (min(outside), max(outside))))
    states = "is of format 1 and states none"
    if limits is not None:
        states = f"is made for {limits.min:g} to {limits.max:g} mm"
    return (
        f"the pixel spacing is {found} mm on {len(outside)} of {len(spacings)} slices, and the "
        f"model {states}: `rgan-harmonize run` skips such series",
    )


def seen_notes(card: ModelCard, series_uids: Iterable[str]) -> tuple[str, ...]:
    """Return a remark if a model was made with series that it is tested on, or may have been.

    Parameters
    ----------
    series_uids
        SeriesInstanceUIDs of the test, source and target.
    """
    if not card.series_seen:
        return (
            "the model's card does not say which series it was made with (series_seen), so it may "
            "have seen those that are tested",
        )
    tested = set(series_uids)
    seen = sum(map(card.has_seen, tested))
    if not seen:
        return ()
    verb = "is" if seen == 1 else "are"
    return (
        f"{seen} of the {len(tested)} tested series {verb} among those that the model was made "
        "with, so its figures are not those of unseen patients",
    )
