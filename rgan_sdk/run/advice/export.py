"""Advice as JSON, for the report of a scan."""

from __future__ import annotations

from typing import Any

from rgan_sdk.run.advice.advise import Advice, GroupAdvice, KernelAdvice
from rgan_sdk.run.advice.commands import match_command, pair_command


def advice_to_json(advice: Advice) -> dict[str, Any]:
    """Return what JSON can hold; folders are relative to the folder that was searched."""
    target = None if advice.target is None else advice.kernels[advice.target]
    return {
        "groups": [_group(advice, one) for one in advice.groups],
        "pairs": [
            {
                "kernels": [advice.kernels[key].label for key in one.kernels],
                "pairs": one.pairs,
                "command": pair_command(advice.root, one),
            }
            for one in advice.pairs
        ],
        "target": target and _kernel(target),
        "routes": [
            {
                **_kernel(route.kernel),
                "models": route.models,
                "match": target and match_command(advice.root, route.kernel, target),
            }
            for route in advice.routes()
        ],
    }


def _group(advice: Advice, one: GroupAdvice) -> dict[str, Any]:
    group = one.group
    return {
        "manufacturer": group.manufacturer,
        "convolution_kernel": group.kernel,
        "reconstruction": group.reconstruction,
        "pixel_spacing": list(group.pixel_spacing),
        "slice_thickness": group.slice_thickness,
        "slices": group.slices,
        "series": [
            {
                "series_instance_uid": series.series_instance_uid,
                "group": series.group,
                "folder": str(advice.folders[series.series_instance_uid, series.group]),
                "description": advice.descriptions[series.series_instance_uid, series.group],
                "slices": len(series.slices),
                "patient": series.patient,
            }
            for series in group.series
        ],
        "models": [vars(fit) for fit in one.fits],
    }


def _kernel(kernel: KernelAdvice) -> dict[str, Any]:
    return {
        "kernel": kernel.label,
        "series": kernel.series,
        "slices": kernel.slices,
        "slice_thickness": kernel.thickness,
        "noise_hu": kernel.noise_hu,
    }
