"""What a model's card says of the scans that the model is for, in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rgan_sdk.card import ModelCard, ValidityMap
from rgan_sdk.kernels import MatchCertificate

RESAMPLED = "Slices were resampled and noise was added: they are computed, not scanned."
NO_SPACING = "not stated: format 1 knows none, so `run` asks for --outside-domain spacing"


def describe_domain(card: ModelCard) -> list[tuple[str, str]]:
    """Return what the card states, as pairs of a heading and a text."""
    kernels = ", ".join(card.source_kernels)
    window = f"{number(card.window.lower)} to {number(card.window.upper)} HU"
    noise = card.noise_hu
    return [
        ("kernels", f"{kernels}, made to look like {card.target_kernel}"),
        ("HU", f"{window}; pixels outside keep their value"),
        ("pixel spacing", describe_spacing(card)),
        (
            "noise",
            f"{number(noise.min)} to {number(noise.max)} HU, standard deviation in soft tissue"
            if noise
            else "not stated",
        ),
        (
            "slice thickness",
            f"{', '.join(map(number, card.thickness_seen))} mm in the training data"
            if card.thickness_seen
            else "not stated",
        ),
        ("reconstruction", ", ".join(card.reconstruction) or _unnamed_reconstruction(card)),
        ("manufacturers", ", ".join(filter(None, card.manufacturers)) or "not stated"),
    ]


def describe_spacing(card: ModelCard) -> str:
    """Return the card's range of pixel spacings in mm."""
    spacing = card.pixel_spacing
    if spacing is None:
        return NO_SPACING
    return (
        f"{number(spacing.min)} to {number(spacing.max)} mm; the training data were "
        f"reconstructed at {number(spacing.reference)} mm"
    )


def describe_validity(card: ModelCard) -> Iterator[str]:
    """Yield the lines of the validity map as tables; none if the card has no map."""
    validity = card.validity
    if validity is None:
        return
    yield f"validity map: gain in PSNR, dB, on {validity.data}"
    yield RESAMPLED
    for title, gains in panels(validity):
        yield ""
        yield f"  {title}; added noise in HU to the right"
        yield _row("mm", map(number, validity.added_noise))
        for spacing, row in zip(validity.pixel_spacing, gains, strict=True):
            mark = "" if is_stated(card, spacing) else "  not on the card"
            yield _row(number(spacing), map(gain, row)) + mark


def describe_certificate(certificate: MatchCertificate) -> Iterator[str]:
    """Yield a line for each known answer that the fits of a match were compared with."""
    for what, deviation in (
        ("halves of both groups differ by", certificate.halves),
        ("half of the source against the other half", certificate.source_to_itself),
        ("half of the target against the other half", certificate.target_to_itself),
        ("by way of the third group", certificate.closure),
    ):
        if deviation is not None:
            yield f"{what}: {deviation:.2f} dB (rms)"


def panels(validity: ValidityMap) -> list[tuple[str, Sequence[Sequence[float]]]]:
    """Return the tables of gains that a map has, each with its title."""
    found = [
        ("over the source", validity.over_input),
        ("over a linear filter", validity.over_linear),
    ]
    return [(title, gains) for title, gains in found if gains]


def is_stated(card: ModelCard, spacing: float) -> bool:
    """Return whether a pixel spacing in mm is in the card's range."""
    return card.pixel_spacing is not None and spacing in card.pixel_spacing


def number(value: float) -> str:
    """Return a number with as many of three decimals as it needs."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def gain(value: float) -> str:
    """Return a gain in dB with its sign and one decimal."""
    return f"{value:+.1f}" if round(value, 1) else "0.0"


def _row(heading: str, cells: Iterable[str]) -> str:
    return f"  {heading:>8}" + "".join(f"{cell:>7}" for cell in cells)


def _unnamed_reconstruction(card: ModelCard) -> str:
    return "not stated" if card.format == 1 else "the headers of the training data name none"
