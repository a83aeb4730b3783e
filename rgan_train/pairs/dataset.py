"""The slices of a training run: for training, for validation, and for the test."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.config import DataConfig
from rgan_train.pairs.compare import OnFiles
from rgan_train.pairs.find import Pair, open_pairs
from rgan_train.pairs.leaks import refuse_overlaps, refuse_shared
from rgan_train.pairs.splits import PARTS, SEVERAL_PATIENTS, Split, describe_fold, make_splits

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series


@dataclass(frozen=True)
class PairedFiles:
    """The two files of one slice, one with each kernel.

    Attributes
    ----------
    patient
        Pseudonym.
    source, target
        DICOM files; in a distillation run ``target`` may be an ``.npy`` file of HU.
    source_uid, target_uid
        SOPInstanceUID of both files.
    series_uids
        SeriesInstanceUID of the source and of the target.
    frame
        Of the positions: FrameOfReferenceUID, or StudyInstanceUID where the headers have none.
    position
        Along the slice normal, in mm.
    rows, columns
        Size in pixels.
    pixel_spacing
        In mm: between rows, between columns.
    """

    patient: str
    source: Path
    target: Path
    source_uid: str
    target_uid: str
    series_uids: tuple[str, str]
    frame: str
    position: float
    rows: int
    columns: int
    pixel_spacing: tuple[float, float]

    @property
    def spacing(self) -> float:
        """The mean of both pixel spacings, which hardly differ, in mm."""
        return sum(self.pixel_spacing) / 2


@dataclass(frozen=True)
class Dataset:
    """All slices of a training run, by the part that they belong to.

    Attributes
    ----------
    train, validation, test
        The slices. A run records which slices are test slices, but never opens them.
    source_kernel, target_kernel
        The direction, as the list of pairs spells the kernels.
    patients
        Pseudonyms.
    manufacturers
        Of the scanners of the source series with training slices, as far as the headers state it.
    thickness
        SliceThickness (0018,0050) of these series, in mm, ascending.
    reconstruction
        Kinds of reconstruction that the headers of these series state.
    series_uids
        SeriesInstanceUID of all series used.
    notes
        Remarks on the split.
    """

    train: tuple[PairedFiles, ...]
    validation: tuple[PairedFiles, ...]
    test: tuple[PairedFiles, ...]
    source_kernel: str
    target_kernel: str
    patients: tuple[str, ...]
    manufacturers: tuple[str, ...]
    series_uids: tuple[str, ...]
    thickness: tuple[float, ...] = ()
    reconstruction: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def known_patients(self) -> frozenset[str]:
        """Patients of the test who have slices in training or validation too."""
        known = {item.patient for item in (*self.train, *self.validation)}
        return frozenset(item.patient for item in self.test) & known

    def sha256(self) -> str:
        """Return a hash of which SOP instances are in which part."""
        digest = hashlib.sha256()
        for part in PARTS:
            for item in getattr(self, part):
                digest.update(f"{part} {item.source_uid} {item.target_uid}\n".encode())
        return digest.hexdigest()


def list_series(slices: Iterable[PairedFiles]) -> tuple[str, ...]:
    """Return the SeriesInstanceUIDs of slices, source and target, each once."""
    return tuple(dict.fromkeys(uid for item in slices for uid in item.series_uids))


def reference_spacing(slices: Sequence[PairedFiles]) -> float:
    """Return the pixel spacing in mm that half of the training slices do not exceed.

    It is one that a scanner reconstructed, and not a mean of two.
    """
    return statistics.median_low(files.spacing for files in slices)


def spread_over_patients(slices: Sequence[PairedFiles], count: int) -> tuple[PairedFiles, ...]:
    """Choose ``count`` slices that stand for all, in their order; all of them if 0.

    Each patient gives as many as the others, as far as it has them, from the middles of equal
    parts of its slices.
    """
    if not 0 < count < len(slices):
        return tuple(slices)
    of_patient: dict[str, list[int]] = {}
    for number, item in enumerate(slices):
        of_patient.setdefault(item.patient, []).append(number)
    chosen: list[int] = []
    for done, numbers in enumerate(sorted(of_patient.values(), key=len)):
        share = min(len(numbers), (count - len(chosen)) // (len(of_patient) - done))
        chosen += [numbers[(2 * part + 1) * len(numbers) // (2 * share)] for part in range(share)]
    return tuple(slices[number] for number in sorted(chosen))


def load_dataset(
    pairs: Sequence[Pair],
    config: DataConfig,
    needed: Sequence[str] = ("train", "validation"),
    on_files: OnFiles | None = None,
) -> Dataset:
    """Find the listed series on disk, and split their slices. Only headers are read.

    Parameters
    ----------
    pairs
        All listed pairs; those of other kernels are ignored.
    config
        The direction and the split.
    needed
        Parts that must not be empty. An evaluation needs ``test`` only.
    on_files
        As for ``find_pairs``.

    Raises
    ------
    ConfigurationError
        If the direction is not clear, or no pair has it.
    TrainingError
        If a series is missing, two series no longer form a pair, the split cannot be made,
        a slice or patient would be in two parts, or slices of two parts overlap.
    """
    source_kernel, target_kernel = choose_direction(pairs, config)
    wanted = {source_kernel.casefold(), target_kernel.casefold()}
    used = [
        pair for pair in pairs if {pair.kernel_a.casefold(), pair.kernel_b.casefold()} == wanted
    ]
    opened = list(open_pairs(used, on_files))
    slices = [
        _pair_files(pair, *series, source_kernel) for pair, series in zip(used, opened, strict=True)
    ]
    splits = make_splits(
        [pair.patient for pair in used],
        [len(items) for items in slices],
        [pair.split for pair in used],
        config,
    )
    parts = {part: _select(slices, splits, part) for part in PARTS}
    _require_parts(parts, needed)
    refuse_shared(parts)
    refuse_overlaps(slices, splits)
    trained = [
        _in_direction(pair, *series, source_kernel)[0]
        for pair, series, split in zip(used, opened, splits, strict=True)
        if split.train
    ]
    dataset = Dataset(
        train=parts["train"],
        validation=parts["validation"],
        test=parts["test"],
        source_kernel=source_kernel,
        target_kernel=target_kernel,
        patients=tuple(sorted({pair.patient for pair in used})),
        manufacturers=tuple(sorted({s.manufacturer for s in trained if s.manufacturer})),
        series_uids=tuple(uid for pair in used for uid in (pair.series_a, pair.series_b)),
        thickness=tuple(sorted({s.slice_thickness for s in trained if s.slice_thickness})),
        reconstruction=tuple(sorted({s.reconstruction for s in trained if s.reconstruction})),
        notes=(*patient_notes(used), *_fold_notes(used, config)),
    )
    return replace(dataset, notes=(*dataset.notes, *_known_notes(dataset)))


def patient_notes(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Return a remark where the pairs of several studies have one and the same PatientID."""
    studies = {pair.study_instance_uid for pair in pairs}
    if len(studies) < 2 or len({pair.patient for pair in pairs}) > 1:
        return ()
    return (f"the {len(studies)} studies count as one patient. {SEVERAL_PATIENTS}",)


def _fold_notes(pairs: Sequence[Pair], config: DataConfig) -> tuple[str, ...]:
    return (describe_fold([p.patient for p in pairs], config.fold),) if config.fold else ()


def _known_notes(dataset: Dataset) -> tuple[str, ...]:
    """Return a remark where several patients of the test are known from training."""
    count = len(dataset.known_patients)
    if count < 2:
        return ()
    return (
        f"{count} patients have slices in the test and in training or validation, so the results "
        "say nothing about other patients. For a split by patient, leave out ranges of slices and "
        "data.split=position; it needs three patients or more",
    )


def choose_direction(pairs: Sequence[Pair], config: DataConfig) -> tuple[str, str]:
    """Return the source and target kernel, spelled as in the list of pairs.

    Raises
    ------
    ConfigurationError
        If no direction, or more than one, fits the settings.
    """
    directions = {
        direction
        for pair in pairs
        for direction in ((pair.kernel_a, pair.kernel_b), (pair.kernel_b, pair.kernel_a))
    }
    matching = sorted(
        (source, target)
        for source, target in directions
        if config.source_kernel.casefold() in ("", source.casefold())
        and config.target_kernel.casefold() in ("", target.casefold())
    )
    if len(matching) == 1:
        return matching[0]
    choices = ", ".join(f"{source} to {target}" for source, target in sorted(directions))
    raise ConfigurationError(
        f"data.source_kernel = '{config.source_kernel}' and data.target_kernel = "
        f"'{config.target_kernel}' fit {len(matching)} directions; the pairs have: {choices}. "
        "Choose one with --set data.source_kernel=... --set data.target_kernel=..."
    )


def _in_direction(pair: Pair, a: Series, b: Series, source_kernel: str) -> tuple[Series, Series]:
    """Return the source and the target series."""
    return (a, b) if pair.kernel_a.casefold() == source_kernel.casefold() else (b, a)


def _pair_files(pair: Pair, a: Series, b: Series, source_kernel: str) -> list[PairedFiles]:
    """Return the slices of a pair in the direction asked for, by ascending position."""
    a, b = _in_direction(pair, a, b, source_kernel)
    return [
        PairedFiles(
            pair.patient,
            source.path,
            target.path,
            source.sop_instance_uid,
            target.sop_instance_uid,
            (a.series_instance_uid, b.series_instance_uid),
            pair.frame_of_reference_uid or pair.study_instance_uid,
            round(source.position, 2),
            pair.rows,
            pair.columns,
            (a.pixel_spacing[0], a.pixel_spacing[1]),
        )
        for source, target in zip(a.slices, b.slices, strict=True)
    ]


def _select(
    slices: Sequence[Sequence[PairedFiles]], splits: Sequence[Split], part: str
) -> tuple[PairedFiles, ...]:
    return tuple(
        items[number]
        for items, split in zip(slices, splits, strict=True)
        for number in getattr(split, part)
    )


def _require_parts(parts: dict[str, tuple[PairedFiles, ...]], needed: Sequence[str]) -> None:
    for part in needed:
        if not parts[part]:
            raise TrainingError(f"the split leaves no slices for {part}; check [data] split")
