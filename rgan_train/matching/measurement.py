"""What two groups of series say of each other's kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rgan_sdk.card import hash_series
from rgan_sdk.errors import MeasurementError, TrainingError
from rgan_sdk.kernels import KernelSpectra, TransferRatio, fit_transfer
from rgan_train.export.model_card import SPACING_MARGIN
from rgan_train.matching.certificate import TRUSTED, Evidence, gather_evidence
from rgan_train.matching.groups import Group, measure_group, require_disjoint

LOWEST = 0.2
"""Part of the Nyquist frequency below which all kernels are nearly alike."""


@dataclass(frozen=True)
class Measurement:
    """Two groups, their spectra, and what turns the one's kernel into the other's.

    Attributes
    ----------
    notes
        Series that were left out, and what else a user should know of the groups.
    """

    source: Group
    target: Group
    source_spectra: KernelSpectra
    target_spectra: KernelSpectra
    evidence: Evidence
    notes: tuple[str, ...]

    @property
    def series_seen(self) -> tuple[str, ...]:
        """Hashes of the patients' series of both groups, for the card."""
        groups = self.source, self.target
        uids = {one.series_instance_uid for group in groups for one in group.patients}
        return tuple(sorted(map(hash_series, uids)))

    @property
    def target_is_sharper(self) -> bool:
        """Whether the target's kernel holds more of the frequencies that tell kernels apart."""
        curve = self.evidence.direct
        ends = LOWEST * curve.nyquist, TRUSTED * curve.nyquist
        known = (curve.ratio.frequency > ends[0]) & (curve.ratio.frequency < ends[1])
        return float(np.log(curve.ratio.value[known]).mean()) > 0

    def softening(self) -> TransferRatio:
        """Return what turns the sharper group's kernel into the softer one's."""
        if self.target_is_sharper:
            return fit_transfer(self.target_spectra, self.source_spectra, resamples=0)
        return self.evidence.direct


def measure(source: Group, target: Group, third: Group | None = None) -> Measurement:
    """Measure the kernels of two groups, and what speaks for it.

    Parameters
    ----------
    source, target
        Series of any patients, doses and pixel spacings, or of a QA phantom.
    third
        Series with another kernel: by way of it the same transfer should come out.

    Raises
    ------
    TrainingError
        If two groups share a series or a kernel, a group cannot tell its kernel, or a slice cannot
        be read.
    """
    groups = [group for group in (source, target, third) if group]
    require_disjoint(groups)
    spectra = [measure_group(group) for group in groups]
    try:
        transfer = fit_transfer(spectra[0], spectra[1])
    except MeasurementError as exc:
        raise TrainingError(str(exc)) from exc
    notes = [note for group in groups for note in group.notes]
    notes += filter(None, [_describe_unseen(spectra[0], transfer)])
    evidence = gather_evidence(transfer, *spectra)
    return Measurement(source, target, spectra[0], spectra[1], evidence, tuple(notes))


def _describe_unseen(source: KernelSpectra, transfer: TransferRatio) -> str:
    """Return a remark if the source's pixels hold frequencies that the target's do not show."""
    if source.nyquist <= (1 + SPACING_MARGIN) * transfer.nyquist:
        return ""
    return (
        f"the target group's pixels show nothing above {transfer.nyquist:.1f} lp/cm, and the "
        f"source's hold up to {source.nyquist:.1f}: there the filter is not known and stays what "
        "it is below; take a target group with finer pixels"
    )
