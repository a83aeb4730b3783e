"""Which scans were compared, and by which scanners they were made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rgan_train.evaluation.report.texts import join_with_and, pluralize
from rgan_train.evaluation.writeup.document import state
from rgan_train.evaluation.writeup.report import Report

AUTHOR: str = state(
    "where the scans come from, ethical approval or licence, how they were selected, dose and "
    "contrast agent"
)


def describe_scans(report: Report) -> str:
    """Return what is known of the scans."""
    sentences = [*(_pairs(report) if report.is_paired else _groups(report)), AUTHOR + "."]
    return " ".join(sentences)


def describe_split(report: Report) -> str:
    """Return how the slices of pairs were divided; empty for groups without pairs."""
    if not report.is_paired:
        return ""
    split = report.provenance("split")
    if not split:
        return state("how the slices were divided into training, validation and test") + "."
    slices = split["slices"]
    if not slices["train"] + slices["validation"]:
        return (
            "All slices of these pairs are test slices. "
            + state("that the models were not trained on these patients")
            + "."
        )
    shared = _shared(split["test_patients_also_in_training"], split["patients"]["test"])
    return (
        f"The slices of the pairs were divided into {slices['train']:,} for training, "
        f"{slices['validation']:,} for validation and {slices['test']:,} for the test. {shared} "
        + state("that the models were trained with this division, or on which other scans")
        + "."
    )


def _shared(seen: int, tested: int) -> str:
    if not seen:
        return "No test patient has slices in another part."
    if seen < tested:
        who = f"{seen} of {tested} test patients"
    else:
        who = "The test patient" if tested == 1 else f"All {tested} test patients"
    return f"{who} also {_have(seen)} slices in training or validation."


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _pairs(report: Report) -> list[str]:
    kernels = report.data["source_kernel"], report.data["target_kernel"]
    patients, slices = report.patients, report.data["slices"]
    sentences = [
        "Harmonization was evaluated on paired CT series. Each scan was reconstructed with the "
        f"kernel {kernels[0]} (source) and with the kernel {kernels[1]} (target). "
        f"{pluralize(slices, 'slice')} of {pluralize(patients, 'patient')} "
        f"{'was' if slices == 1 else 'were'} compared."
    ]
    return [*sentences, describe_acquisition(report)]


def _groups(report: Report) -> list[str]:
    sentences = [
        "Two groups of CT series were compared before and after harmonization of the first. They "
        "are not pairs: no patient was seen with both kernels in one scan."
    ]
    for side in ("source", "target"):
        facts = report.data[side]
        kernels = join_with_and(facts["kernels"]) if facts["kernels"] else state("kernel")
        sentences.append(
            f"The {side} group has {facts['series']} series of "
            f"{pluralize(facts['patients'], 'patient')} with the kernel {kernels}; "
            f"{pluralize(facts['slices'], 'slice')} were compared."
        )
    shared = report.data["shared_patients"]
    if shared:
        sentences.append(f"{pluralize(shared, 'patient')} {_have(shared)} series in both groups.")
    return [*sentences, describe_acquisition(report)]


def describe_acquisition(report: Report) -> str:
    """Return what the headers state of the scanners and the images."""
    if report.is_paired:
        return _acquisition(report.provenance("scans", "source"))
    return " ".join(
        _acquisition(report.provenance("scans", side), f"{side.capitalize()} group: ")
        for side in ("source", "target")
    )


def _acquisition(scans: dict[str, Any] | None, whose: str = "") -> str:
    """Return what headers state, and a mark for what they don't."""
    if not scans:
        everything = "scanners, tube voltage, slice thickness, pixel spacing and matrix"
        return state(f"{whose}{everything}") + "."
    told = {
        "manufacturer": _names(scans["manufacturers"]),
        "scanner": _names(scans["scanners"]),
        "tube voltage": _numbers(scans["tube_kv"], "kV"),
        "slice thickness": _numbers(scans["thickness_mm"], "mm"),
        "pixel spacing": _numbers(scans["pixel_spacing_mm"], "mm"),
        "matrix": _names(scans["matrix"]),
    }
    known = "; ".join(f"{name} {text}" for name, text in told.items() if text)
    unknown = [name for name, text in told.items() if not text]
    text = f"{whose}{known}" if whose else known[:1].upper() + known[1:]
    mark = state(f"{whose}{join_with_and(unknown)}") + "." if unknown else ""
    return f"{text}. {mark}".strip()


def _names(names: Sequence[str]) -> str:
    """Return all names; empty if there are none."""
    return join_with_and(names) if names else ""


def _numbers(values: Sequence[float], unit: str) -> str:
    """Return one value, or the ends of a range; empty if there are none."""
    if not values:
        return ""
    ends = dict.fromkeys(f"{value:.4g}" for value in (values[0], values[-1]))
    return f"{' to '.join(ends)} {unit}"
