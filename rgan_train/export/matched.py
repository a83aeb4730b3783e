"""The card of a model that was trained without pairs, on simulated ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from rgan_sdk.card import ModelCard
from rgan_sdk.kernels import CardCurves, MatchCertificate

KEY: Final = "match"
"""In the provenance of a run; ``rgan_train.matching.network`` writes it."""

SIMULATED: Final = "simulated pairs (there were no real ones)"


def state_match(card: ModelCard, facts: Mapping[str, Any]) -> ModelCard:
    """Return the card of a run with simulated pairs, with the facts of both groups.

    The model is for series like the source's: their kernels, manufacturers and reconstructions.
    What it was trained on are series of the sharper group alone: slice thickness, pixel spacings
    and noise stay theirs. What was measured on simulated pairs is called so.
    """
    return replace(
        card,
        source_kernels=tuple(facts["source_kernels"]),
        manufacturers=tuple(facts["manufacturers"]),
        reconstruction=tuple(facts["reconstruction"]),
        quality=tuple(replace(one, data=SIMULATED) for one in card.quality),
        validity=card.validity and replace(card.validity, data=SIMULATED),
        curves=facts["curves"] and CardCurves.from_fields(facts["curves"]),
        certificate=MatchCertificate(**facts["certificate"]),
        series_seen=tuple(sorted({*card.series_seen, *facts.get("series_seen", ())})),
    )
