"""What is to be trained, on what, and where it is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from rgan_sdk.errors import TrainingError
from rgan_sdk.files import is_utf8
from rgan_train.config import Config
from rgan_train.pairs import Dataset, PairList, load_dataset
from rgan_train.training.run_folder import RunFolder


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
    """

    config: Config
    dataset: Dataset
    pairs: PairList
    folder: RunFolder
    resume: bool = False
    devices: int = 1
    vgg_weights: Path | None = None

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
    ) -> Self:
        """Find the listed series on disk, and take the direction from pairs and settings.

        ``config.data`` gets the source and the target kernel as the list spells them.

        Raises
        ------
        ConfigurationError
            If the direction is not clear, or no pair has it.
        TrainingError
            If a series is missing or has changed, or the slices cannot be split.
        """
        dataset = load_dataset(pairs, config.data)
        data = replace(
            config.data,
            source_kernel=dataset.source_kernel,
            target_kernel=dataset.target_kernel,
        )
        config = replace(config, data=data)
        return cls(config, dataset, pairs, folder, resume, devices, vgg_weights)


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
