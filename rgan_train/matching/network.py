"""Networks that learn from simulated pairs. The run is an ordinary one, and can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from rgan_sdk.card import ModelCard
from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_sdk.kernels import CardCurves
from rgan_train.config import Config, DataConfig, override, recommended_config
from rgan_train.export.matched import KEY
from rgan_train.matching.groups import Group
from rgan_train.matching.linear import WINDOW
from rgan_train.matching.measurement import Measurement
from rgan_train.matching.simulated import by_sharpness, check_place, simulate_pairs
from rgan_train.methods import UNPAIRED, check_settings
from rgan_train.pairs import Pair, read_pairs, write_pairs
from rgan_train.pairs.splits import MIN_PATIENTS, split_patients
from rgan_train.pairs.unpaired import Gain, Side, read_unpaired, write_unpaired
from rgan_train.training import Job, RunFolder

NetworkMethod = Literal["compact", "physics+gan", "radiomicgan"]

ADVERSARIAL_WEIGHT = 0.005
"""Of the adversarial loss. A crop's texture has some 10 HU, by which it is divided, a difference to
the source 60 HU: a texture's gradients are so much larger than those that 0.05 was chosen for."""

VALIDATION = 6
"""One of so many slices of a single series is for validation."""


@dataclass(frozen=True)
class MatchFolder(RunFolder):
    """The folder of a run without pairs; its provenance has the facts of the groups.

    Attributes
    ----------
    measurement
        What the pairs were simulated with.
    """

    measurement: Measurement

    def create(
        self, config: Config, provenance: Mapping[str, Any], encoder: dict[str, Tensor]
    ) -> None:
        """Start a run here; also record what the card states of the source group."""
        source = self.measurement.source
        curves = CardCurves.of(self.measurement.source_spectra, self.measurement.target_spectra)
        facts = {
            "series": self._series(),
            "source_kernels": source.kernels,
            "manufacturers": source.manufacturers,
            "reconstruction": source.reconstructions,
            "curves": curves and asdict(curves),
            "certificate": asdict(self.measurement.evidence.certificate()),
            "series_seen": self.measurement.series_seen,
        }
        super().create(config, {**provenance, KEY: facts}, encoder)

    def check_groups(self) -> None:
        """Refuse to go on with groups that the run was not started with.

        Raises
        ------
        TrainingError
            If a group has other series.
        """
        started = self.provenance()[KEY].get("series")
        for name, series in self._series().items():
            if not started or started[name] != series:
                raise TrainingError(
                    f"{self.path}: the run was started with other series in the {name} group; "
                    "give the same folders, or choose another folder for the run"
                )

    def _series(self) -> dict[str, list[list[Any]]]:
        """Return the series of both groups, and how many slices each has."""
        groups = self.measurement.source, self.measurement.target
        return {
            group.name: sorted(
                [one.series_instance_uid, one.group, len(one.slices)] for one in group.series
            )
            for group in groups
        }


def network_config(method: NetworkMethod, source: Group, target: Group) -> Config:
    """Return the settings recommended for a method, with the groups' kernels.

    The range of HU is that of the linear filter of a match. A discriminator of texture has a lower
    weight than one of pairs.
    """
    data = {
        "source_kernel": source.kernels[0],
        "target_kernel": target.kernels[0],
        "window": (WINDOW.lower, WINDOW.upper),
    }
    loss = {"adversarial_weight": ADVERSARIAL_WEIGHT} if method in UNPAIRED else {}
    return override(recommended_config(method), {"data": data, "loss": loss})


def check_start(config: Config, run: Path, source: Group, target: Group) -> None:
    """Refuse what can't become a run or go on as one, before anything is measured.

    Raises
    ------
    ConfigurationError
        If a setting would be ignored, or names other kernels.
    TrainingError
        If ``run`` holds a run that was not started from two groups.
    OutputError
        If an earlier start did not finish there.
    """
    check_settings(config)
    for name, group in (("source", source), ("target", target)):
        stated = getattr(config.data, f"{name}_kernel")
        if stated != group.kernels[0]:
            raise ConfigurationError(
                f"data.{name}_kernel = '{stated}': the {name} group has {group.kernels[0]}; leave "
                "it out"
            )
    folder = RunFolder(run)
    if not folder.exists():
        check_place(run)
    elif KEY not in folder.provenance():
        raise TrainingError(f"{run}: holds a run that has pairs; choose another folder")


def prepare_job(
    measurement: Measurement,
    config: Config,
    run: Path,
    on_slice: Callable[[int, int], None],
    vgg_weights: Path | None = None,
) -> Job:
    """Return the job that trains on simulated pairs. A run that is there goes on with its pairs.

    Parameters
    ----------
    config
        As ``network_config`` returns it, with changes.
    run
        Folder of the run: the simulated series, and what a training writes.
    on_slice
        Called with the number of finished slices and the number of all slices.

    Raises
    ------
    TrainingError
        If the slices cannot be simulated or split, or the run was started with other series.
    OutputError
        If a file cannot be written.
    """
    folder = MatchFolder(run, measurement)
    resume = folder.exists()
    if resume:
        folder.check_groups()
        listed: Sequence[Pair] = read_pairs(folder.pairs_csv)
    else:
        listed = simulate_pairs(measurement, run, on_slice)
    pairs, data = split_pairs(listed, config.data)
    if not resume:
        write_pairs(pairs, folder.pairs_csv)
    job = Job.from_pairs(
        replace(config, data=data),
        read_pairs(folder.pairs_csv),
        folder,
        resume=resume,
        vgg_weights=vgg_weights,
    )
    return job if resume else add_real_slices(job, measurement)


def add_real_slices(job: Job, measurement: Measurement) -> Job:
    """Give the discriminator of a job, if it has one, the real slices that pairs do not show.

    Raises
    ------
    OutputError
        If their list cannot be written.
    """
    if job.config.method.name not in UNPAIRED or job.config.loss.adversarial_weight == 0:
        return job
    _, soft = by_sharpness(measurement)
    if not soft.patients:
        note = (
            f"the {soft.name} group shows no patients, so the discriminator compares simulated "
            "pairs alone"
        )
        return replace(job, dataset=replace(job.dataset, notes=(*job.dataset.notes, note)))
    side: Side = "source" if soft is measurement.source else "target"
    direct = measurement.evidence.direct
    frequency = direct.ratio.frequency
    gain = Gain(tuple(frequency.tolist()), tuple(direct.gain(frequency).tolist()))
    path = job.folder.unpaired_json
    write_unpaired(side, soft.patients, gain, path)
    return replace(job, unpaired=read_unpaired(path))


def describe_outside(source: Group, card: ModelCard) -> str:
    """Return a remark if source series have pixels that the network was not trained for."""
    claimed = card.pixel_spacing
    outside = sorted({round(one, 3) for one in source.spacings if claimed and one not in claimed})
    if not claimed or not outside:
        return ""
    return (
        f"source series with pixels of {', '.join(f'{one:g}' for one in outside)} mm are outside "
        f"what the network was trained for, {claimed.min:g} to {claimed.max:g} mm; the linear "
        "filter (--method linear) holds for them"
    )


def split_pairs(pairs: Sequence[Pair], data: DataConfig) -> tuple[list[Pair], DataConfig]:
    """Split for training and validation alone: what is tested on simulated pairs proves nothing.

    Settings of the user take precedence. Patients go whole into one part. The slices of a single
    series are split by position; several series of too few patients are split as ``fit`` does.
    """
    if any(data.ranges) or data.fold or data.split != "auto":
        return list(pairs), data
    patients = [pair.patient for pair in pairs]
    if len(set(patients)) >= MIN_PATIENTS:
        parts = split_patients(patients)
        kept = {"validation": "validation"}
        return [replace(pair, split=kept.get(parts[pair.patient], "train")) for pair in pairs], data
    count = pairs[0].slices
    if len(pairs) > 1 or count < VALIDATION:
        return list(pairs), data
    first = count - count // VALIDATION
    return list(pairs), replace(
        data, train_slices=f"0-{first - 1}", validation_slices=f"{first}-{count - 1}"
    )
