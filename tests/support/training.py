"""Tiny scans with two kernels, tiny networks, and the training command line in tests."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result

from rgan_train.cli import main
from rgan_train.config import Config, DataConfig, override_from_text
from rgan_train.pairs.csv import write_pairs
from rgan_train.pairs.dataset import Dataset, load_dataset
from rgan_train.pairs.find import find_pairs
from rgan_train.training import trainer
from rgan_train.training.run_folder import RunFolder
from support.dicom_phantoms import uid, write_ct

KERNELS = ("B40f", "B70f")
SMALL_METHODS = (
    "choe.channels=4",
    "compact.channels=4",
    "linear.taps=7",
    "histogram.segments=8",
    "ganai.phase_steps=2",
)
"""Settings that make each method's own parts small."""
TINY = (
    "data.source_kernel=B40f",
    "data.target_kernel=B70f",
    "data.name=phantom",
    "data.licence=CC0-1.0",
    "generator.encoder=none",
    "generator.widths=[4, 8]",
    "generator.stem_channels=4",
    "generator.output=residual",
    "discriminator.channels=4",
    "discriminator.strided_layers=1",
    "curriculum.schedule=none",
    "training.crop=32",
    "training.batch_size=2",
    "training.steps_per_epoch=3",
    "training.epochs=2",
)


def write_scan(
    folder: Path,
    kernel: str,
    *,
    number: int = 1,
    series: int = 1,
    slices: int = 12,
    size: int = 64,
    **attributes: object,
) -> Path:
    """Write a series of scan ``number``; with another kernel the same scan is sharper."""
    for index in range(slices):
        rng = np.random.default_rng((number, index))
        noise = rng.normal(0, 60, (size, size))
        if kernel == KERNELS[0]:
            noise = (noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)) / 3
        disk = np.hypot(*np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]) < 0.8
        hu = np.where(disk, 40.0 + 10 * index, -1000.0) + noise
        stored = np.clip(np.round(hu + 1024), 0, 4095).astype(np.uint16)
        own = {
            "PatientID": f"patient {number}",
            "StudyInstanceUID": uid(number),
            "FrameOfReferenceUID": uid(number, 2),
            "SeriesInstanceUID": uid(number, 1, series),
            "SOPInstanceUID": uid(number, 1, series, index + 1),
            "ImagePositionPatient": [-10, -20, 2.0 * index],
            "ConvolutionKernel": kernel,
            "Manufacturer": "Scanner Works",
        }
        name = f"{number}-{series}-{index:02d}.dcm"
        write_ct(folder / name, stored, bits_stored=12, **{**own, **attributes})
    return folder


def write_pair_of_scans(root: Path, *, number: int = 1, slices: int = 12, size: int = 64) -> Path:
    """Write one scan with both kernels of ``KERNELS``."""
    for series, kernel in enumerate(KERNELS, start=1):
        folder = root / f"{number}-{kernel}"
        write_scan(folder, kernel, number=number, series=series, slices=slices, size=size)
    return root


def list_pairs(root: Path) -> Path:
    """Write the list of pairs of a folder beside its series."""
    path = root / "pairs.csv"
    write_pairs(find_pairs([root]).pairs, path)
    return path


def tiny_config(*assignments: str) -> Config:
    """Return a configuration that trains in a moment."""
    return override_from_text(Config(), (*TINY, *assignments))


def open_dataset(root: Path, config: DataConfig | None = None) -> Dataset:
    """Find and split the pairs of a folder."""
    return load_dataset(find_pairs([root]).pairs, config or tiny_config().data)


def train(*arguments: object) -> Result:
    """Run ``rgan-train`` in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def settings(assignments: Sequence[str] = (), base: Sequence[str] = TINY) -> list[str]:
    """Return ``--set`` options."""
    return [part for text in (*base, *assignments) for part in ("--set", text)]


def weights(run: Path, file: str = "generator", which: str = "last") -> dict[str, np.ndarray]:
    """Return the tensors of a run's checkpoint as arrays."""
    folder = RunFolder(run)
    return {name: value.numpy() for name, value in folder.load(folder.state(which))[file].items()}


def stop_before(patch, step):
    """Let the user interrupt before a step of the run, counted from 0."""

    class Stop(trainer.Interrupt):
        polls = 0

        @property
        def requested(self):
            self.polls += 1
            return self.polls > step

        @requested.setter
        def requested(self, value):
            pass

    patch.setattr(trainer, "Interrupt", Stop)
