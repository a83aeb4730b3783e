"""Say where slices lie outside what a model's card states; they are measured all the same."""

from __future__ import annotations

from collections.abc import Sequence

from rgan_sdk.card import ModelCard


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
