"""What must hold: how much a model for all spacings may lose."""

from __future__ import annotations

import json
from dataclasses import dataclass

from spacings.features import features_path, is_counted
from spacings.figures import Figures
from spacings.plan import Plan, directions
from spacings.written import PackagedModel, packaged_models, read_written

LOSS_TO_ALONE, AIM, LOSS_TO_PACKAGED = 1.0, 0.5, 0.7
"""In dB of PSNR."""

FEATURES = 0.9
"""Share of the features of the model that was made for the spacing."""

ROUNDING = 0.05
"""In dB: files hold whole HU. That adds 1/12 HU^2 to the mean square error, 0.05 dB of a PSNR of
57.5 dB, and less of those in the tables."""

PIXEL = 0.51
"""In HU: half a HU, and the last digits of float32."""

STATES = {True: "met", False: "NOT MET", None: "open"}


@dataclass(frozen=True)
class Gate:
    """One thing that must hold.

    Attributes
    ----------
    found
        What was measured, with its limit.
    is_met
        None if nothing was measured yet.
    """

    what: str
    found: str
    is_met: bool | None

    def __str__(self) -> str:
        return f"{STATES[self.is_met]:7} {self.what}: {self.found}"


def check_gates(plan: Plan, figures: Figures) -> list[Gate]:
    """Return all gates."""
    gates = []
    for pair in plan["pairs"]:
        for way in directions(plan, pair):
            gates += [_against_alone(figures, pair, way, row) for row in plan["row"]]
            if plan["pairs"][pair].get("packaged"):
                gates.append(_against_packaged(figures, pair, way))
    for way in directions(plan, plan["features"]["pair"]):
        gates += _features(plan, way)
    return gates + [_written(plan, packaged) for packaged in packaged_models(plan)]


def _against_alone(figures: Figures, pair: str, way: tuple[str, str], row: str) -> Gate:
    """Compare at the spacings and with the noise of the plan; the worst of them counts."""
    what = f"{row}, {way[0]} to {way[1]}: least gain over the model made for that spacing alone"
    aware = figures.of(pair, way, f"{row}, aware")
    alone = figures.alone(pair, way, row)
    asked = {
        (spacing, noise)
        for spacing in figures.plan["pairs"][pair]["spacings"]
        for noise in figures.plan["noise"]
    }
    known = asked & aware.keys() & alone.keys()
    if not known:
        return Gate(what, "not measured yet", None)
    gains = {key: aware[key]["psnr_db"] - alone[key]["psnr_db"] for key in known}
    worst = min(gains, key=lambda key: gains[key])
    aim = "" if gains[worst] >= -AIM else f", the aim of -{AIM} is missed"
    text = (
        f"{gains[worst]:+.2f} dB at {worst[0]} mm with {worst[1]} HU (limit -{LOSS_TO_ALONE}{aim})"
    )
    if gains[worst] < -LOSS_TO_ALONE:
        return Gate(what, text, False)
    if known < asked:
        return Gate(what, f"{text}; {len(asked) - len(known)} of {len(asked)} not measured", None)
    return Gate(what, text, True)


def _against_packaged(figures: Figures, pair: str, way: tuple[str, str]) -> Gate:
    what = f"compact, {way[0]} to {way[1]}: gain over the packaged model of format 1, own spacing"
    key = (figures.plan["pairs"][pair]["spacings"][0], 0)
    aware, packaged = (figures.of(pair, way, row) for row in ("compact, aware", "packaged"))
    if key not in aware or key not in packaged:
        return Gate(what, "not measured yet", None)
    gain = aware[key]["psnr_db"] - packaged[key]["psnr_db"]
    return Gate(what, f"{gain:+.2f} dB (limit -{LOSS_TO_PACKAGED})", gain >= -LOSS_TO_PACKAGED)


def _features(plan: Plan, way: tuple[str, str]) -> list[Gate]:
    asked = plan["features"]
    what = f"reproducible features at {asked['spacing']} mm, {way[0]} to {way[1]}"
    if not is_counted(plan, way):
        return [Gate(what, "not measured yet", None)]
    gates = []
    for group, counts in json.loads(features_path(*way).read_text())["groups"].items():
        aware, alone = (counts[kind]["features"] for kind in ("aware", "alone"))
        text = f"{aware:,} of {alone:,}, {aware / alone:.0%} (limit {FEATURES:.0%})"
        if "HU" in group:  # whole slices are shown, without a limit
            gates.append(Gate(f"{what}, {group}", text, aware >= FEATURES * alone))
    return gates


def _written(plan: Plan, packaged: PackagedModel) -> Gate:
    what = f"rgan-harmonize run with {packaged.model}: its files against the model in memory"
    rows = read_written(packaged, plan)
    if not rows:
        return Gate(what, "not measured yet", None)
    if refused := [row for row in rows if row["status"] != "done"]:
        text = "; ".join(f"{r['status']} at {r['spacing']} mm: {r['reason']}" for r in refused)
        return Gate(what, text, False)
    apart = max(abs(row["written"]["psnr_db"] - row["memory"]["psnr_db"]) for row in rows)
    pixel = max(row["largest_difference_hu"] for row in rows)
    text = f"{apart:.3f} dB apart (limit {ROUNDING}), a pixel {pixel:.2f} HU (limit {PIXEL})"
    return Gate(what, text, apart <= ROUNDING and pixel <= PIXEL)
