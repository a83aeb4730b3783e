"""What models and controls make of the slices of a group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_sdk.harmonizer import Harmonizer
from rgan_train.evaluation.cohorts.cohort import Cohort, Images, Scan
from rgan_train.evaluation.cohorts.controls import CONTROLS
from rgan_train.evaluation.stacks import describe_model, open_model

Method = Callable[[Scan, NDArray[np.float32]], NDArray[np.float32]]
"""Makes slices ``[N, H, W]`` HU of those of a scan."""


class Methods:
    """Models and controls, ready to be applied to source slices. Use it in a ``with`` statement.

    Attributes
    ----------
    records
        What is to be told of each model, by its name; see ``describe_model``.
    methods
        By name: models, then controls.
    """

    def __init__(self, models: Mapping[str, str | Path], source: Cohort, target: Cohort) -> None:
        self._opened = ExitStack()
        self.records: dict[str, dict[str, Any]] = {}
        self.methods: dict[str, Method] = {}
        for name, model in models.items():
            harmonizer = self._opened.enter_context(
                open_model(model, source.kernels, target.kernels)
            )
            uids = (*source.series_uids, *target.series_uids)
            self.records[name] = describe_model(harmonizer, source.spacings, uids)
            self.methods[name] = _Model(harmonizer)
        self.methods |= CONTROLS

    def __enter__(self) -> Methods:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._opened.close()

    def apply(
        self, name: str, cohort: Cohort, images: Images, on_done: Callable[[], None]
    ) -> Images:
        """Apply one method to the slices of a group; see ``as_written``."""
        found = []
        for scan, hu in zip(cohort.scans, images, strict=True):
            found.append(as_written(scan, self.methods[name](scan, hu)))
            on_done()
        return found


class _Model:
    def __init__(self, harmonizer: Harmonizer) -> None:
        self._harmonizer = harmonizer

    def __call__(self, scan: Scan, images: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack([self._harmonizer(hu, pixel_spacing=scan.spacing) for hu in images])


def as_written(scan: Scan, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return slices as files hold them: whole HU, none below the lowest of the scan.

    Otherwise a classifier could tell a method's slices by their fractions. Padding is the same in
    all variants.
    """
    written = np.maximum(np.rint(images), np.float32(scan.lowest))
    written[scan.padding] = PADDING_HU
    return written


def mark_padding(cohort: Cohort) -> Images:
    """Return the slices of a group as they are, with padding as in all variants."""
    return [np.where(scan.padding, PADDING_HU, scan.hu) for scan in cohort.scans]


def list_notes(records: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """Return the notes on all models, with their names."""
    return [f"{name}: {note}" for name, record in records.items() for note in record["notes"]]
