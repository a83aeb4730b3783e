"""What is to be trained, on what, and where it is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from rgan_sdk.errors import TrainingError
from rgan_sdk.files import is_utf8
from rgan_train.config import Config
from rgan_train.pairs import Dataset, PairList, load_dataset
from rgan_train.pairs.compare import OnFiles
from rgan_train.pairs.unpaired import Unpaired, read_unpaired
from rgan_train.training.run_folder import RunFolder

UNPAIRED: Final = "unpaired_sha256"
"""In the provenance of a run with real slices without a partner: the hash of their list."""


@dataclass(frozen=True)
class Job:
    """A training run to start or to resume.

    Attributes
    ----------
    config
        All settings; ``from_pairs`` fills in the kernels.
    dataset
        The slices to train and to validate on.
    pairs
        The list that ``dataset`` was taken from. The run keeps a copy and records its hash.
    folder
        Where the run is kept.
    resume
        Whether to continue the run in ``folder`` instead of starting one.
    devices
        Number of GPUs, or of processes if there is no GPU.
    vgg_weights
        Weight file of a pretrained encoder; None downloads it if the method needs one.
    unpaired
        Real slices without a partner, which the discriminator is to compare; None: pairs alone.
    """

    config: Config
    dataset: Dataset
    pairs: PairList
    folder: RunFolder
    resume: bool = False
    devices: int = 1
    vgg_weights: Path | None = None
    unpaired: Unpaired | None = None

    @classmethod
    def from_pairs(
        cls,
        config: Config,
        pairs: PairList,
        folder: RunFolder,
        *,
        resume: bool = False,
        devices: int = 1,
        vgg_weights: Path | None = None,
        on_files: OnFiles | None = None,
    ) -> Self:
        """Find the listed series on disk, and take the direction from pairs and settings.

        ``config.data`` gets the source and the target kernel as the list spells them.

        Parameters
        ----------
        on_files
            As for ``find_pairs``.

        Raises
        ------
        ConfigurationError
            If the direction is not clear, or no pair has it.
        TrainingError
            If a series is missing or has changed, or the slices cannot be split. Also if a
            resumed run has real slices without a partner, and their list is not the one it had.
        """
        dataset = load_dataset(pairs, config.data, on_files=on_files)
        data = replace(
            config.data,
            source_kernel=dataset.source_kernel,
            target_kernel=dataset.target_kernel,
        )
        config = replace(config, data=data)
        unpaired = _open_unpaired(folder) if resume else None
        return cls(config, dataset, pairs, folder, resume, devices, vgg_weights, unpaired)


def check_folder(job: Job) -> None:
    """Refuse a folder that does not suit the job, before any process is started.

    Raises
    ------
    TrainingError
        If it holds a run and the job starts one, if the job cannot resume what it holds, or if its
        name is not UTF-8.
    """
    if not is_utf8(str(job.folder.path)):
        raise TrainingError(
            f"{job.folder.path}: the folder of a run needs a name in UTF-8, for safetensors and "
            "TensorBoard; choose another folder"
        )
    if job.resume:
        job.folder.check_resumable(job.config, job.dataset.sha256())
    elif job.folder.exists():
        raise TrainingError(
            f"{job.folder.path}: holds a run already; continue it with --resume, or choose "
            "another folder"
        )


def _open_unpaired(folder: RunFolder) -> Unpaired | None:
    """Find the real slices without a partner that a run was started with."""
    recorded = folder.provenance().get(UNPAIRED) if folder.exists() else None
    if recorded is None:
        return None
    unpaired = read_unpaired(folder.unpaired_json)
    if unpaired.sha256 != recorded:
        raise TrainingError(
            f"{folder.unpaired_json}: is not the list that the run was started with; put it back, "
            "or start a new run in another folder"
        )
    return unpaired
