"""The folder of a run: configuration, provenance, frozen encoder and checkpoints.

::

    RUN/config.json           fixed when the run starts
    RUN/provenance.json       hashes of the data, kernels, versions
    RUN/pairs.csv             the list of pairs, with absolute folders
    RUN/unpaired.json         real slices without a partner, in runs of ``match``
    RUN/encoder.safetensors   the frozen encoder
    RUN/checkpoints/epoch-0007/
        state.json            progress of the training
        generator.safetensors, discriminator.safetensors,
        optimizer_g.safetensors, optimizer_d.safetensors

Nothing is pickled. A checkpoint is written under a temporary name and then renamed, so a
checkpoint with its final name is complete.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import Tensor

from rgan_sdk.errors import OutputError, TrainingError
from rgan_sdk.files import atomic_write, file_sha256, sync
from rgan_train.config import Config, config_from_json, differences
from rgan_train.networks.weights import Tensors, load_tensors, save_tensors

FORMAT = 2
"""Version of ``state.json``."""

CHANGEABLE = frozenset({"training.epochs", "training.max_minutes"})
"""Settings that may change when a run is resumed."""

_OLD_FILTERS = frozenset({"kernel", "kernels"})
"""Names of a linear filter's taps in earlier versions of this software."""

_TEMPORARY = ".unfinished-"


@dataclass(frozen=True)
class RunState:
    """The progress of a run.

    Attributes
    ----------
    epoch, step
        Finished epochs, and finished steps of the next one.
    elapsed_seconds
        Training time so far.
    best, best_psnr
        Name of the checkpoint with the best validation PSNR, and this PSNR in dB.
    averages
        Sums of the losses in an unfinished epoch; the mean over all processes.
    scaler
        State of the gradient scaler in 16-mixed precision.
    curriculum, method
        State of the window schedule and of the method.
    """

    epoch: int = 0
    step: int = 0
    elapsed_seconds: float = 0.0
    best: str = ""
    best_psnr: float = 0.0
    averages: dict[str, float] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    curriculum: dict[str, Any] = field(default_factory=dict)
    method: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the folder for a checkpoint of this state."""
        name = f"epoch-{self.epoch:04d}"
        return f"{name}-step-{self.step:06d}" if self.step else name


@dataclass(frozen=True)
class RunFolder:
    """A folder that holds one training run."""

    path: Path

    @property
    def pairs_csv(self) -> Path:
        """The run's copy of the list of pairs."""
        return self.path / "pairs.csv"

    @property
    def unpaired_json(self) -> Path:
        """The list of the run's real slices without a partner."""
        return self.path / "unpaired.json"

    def exists(self) -> bool:
        """Return whether a run was started here."""
        return (self.path / "config.json").is_file()

    def create(
        self, config: Config, provenance: Mapping[str, Any], encoder: dict[str, Tensor]
    ) -> None:
        """Start a run here. The configuration is written last; it marks the run as started.

        Raises
        ------
        OutputError
            If a file cannot be written.
        """
        try:
            (self.path / "checkpoints").mkdir(parents=True, exist_ok=True)
            if encoder:
                save_tensors(encoder, self._encoder)
            recorded = {**provenance, "encoder_sha256": _hash_if_present(self._encoder)}
            text = json.dumps(recorded, indent=2) + "\n"
            with atomic_write(self.path / "provenance.json", durable=True) as file:
                file.write_text(text, encoding="utf-8")
            with atomic_write(self.path / "config.json", durable=True) as file:
                file.write_text(config.to_json(), encoding="utf-8")
        except (OSError, SafetensorError) as exc:
            raise OutputError(f"{self.path}: the run cannot be started here ({exc})") from exc

    def config(self) -> Config:
        """Return the configuration of the run.

        Raises
        ------
        TrainingError
            If the folder holds no run.
        """
        if not self.exists():
            raise TrainingError(f"{self.path}: holds no training run (no config.json)")
        return config_from_json((self.path / "config.json").read_text(encoding="utf-8"))

    def provenance(self) -> dict[str, Any]:
        """Return what was recorded about the run's data and software."""
        try:
            text = (self.path / "provenance.json").read_text(encoding="utf-8")
            recorded: dict[str, Any] = json.loads(text)
        except (OSError, ValueError) as exc:
            raise TrainingError(f"{self.path}: provenance.json cannot be read ({exc})") from exc
        return recorded

    def check_resumable(self, config: Config, data_sha256: str) -> None:
        """Refuse to continue with other settings or other data.

        Only the settings in ``CHANGEABLE`` may differ.

        Raises
        ------
        TrainingError
            If anything else differs, or the folder holds no run.
        """
        changed = [name for name in differences(self.config(), config) if name not in CHANGEABLE]
        if changed:
            raise TrainingError(
                f"{self.path}: the run was started with another {', '.join(changed)}; resume it "
                "with the same configuration, or start a new run in another folder"
            )
        if self.provenance().get("data_sha256") != data_sha256:
            raise TrainingError(
                f"{self.path}: the run was started with other slices or another split of them; "
                "resume it with the same pairs, or start a new run in another folder"
            )

    def update_config(self, config: Config) -> None:
        """Record the new limits of a resumed run."""
        try:
            with atomic_write(self.path / "config.json") as file:
                file.write_text(config.to_json(), encoding="utf-8")
        except OSError as exc:
            raise OutputError(f"{self.path}: cannot record the new limits ({exc})") from exc

    def encoder(self) -> dict[str, Tensor]:
        """Return the frozen weights; empty if all weights are trained.

        Raises
        ------
        TrainingError
            If they are not the weights that the run was started with.
        """
        try:
            found = _hash_if_present(self._encoder)
        except OSError as exc:
            raise TrainingError(f"{self._encoder}: cannot be read ({exc.strerror})") from exc
        if found != self.provenance().get("encoder_sha256", found):
            raise TrainingError(
                f"{self._encoder}: a file of the run is missing, or is not the one that the run "
                "was started with; put it back, or start a new run in another folder"
            )
        return load_tensors(self._encoder) if found else {}

    def save(self, state: RunState, tensors: Tensors) -> Path:
        """Write a checkpoint, then delete all others except the best one.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        final = self._checkpoints / state.name
        temporary = self._checkpoints / f"{_TEMPORARY}{state.name}"
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            for name, group in tensors.items():
                save_tensors(group, temporary / f"{name}.safetensors")
            text = json.dumps({"format": FORMAT, **dataclasses.asdict(state)}, indent=2) + "\n"
            (temporary / "state.json").write_text(text, encoding="utf-8")
            for file in temporary.iterdir():
                sync(file)
            self._delete(final)
            temporary.rename(final)
            sync(self._checkpoints)
            for other in self._names():
                if other not in (state.name, state.best):
                    self._delete(self._checkpoints / other)
        except (OSError, SafetensorError) as exc:
            raise OutputError(f"{final}: the checkpoint cannot be written ({exc})") from exc
        return final

    def state(self, which: Literal["last", "best"]) -> RunState | None:
        """Return the state of the last or the best checkpoint; None if there is none."""
        names = self._names()
        if not names:
            return None
        last = self._read_state(names[-1])
        if which == "last":
            return last
        return self._read_state(last.best) if last.best else None

    def load(self, state: RunState, device: torch.device | str = "cpu") -> Tensors:
        """Return the tensors of a checkpoint by file and name.

        Raises
        ------
        TrainingError
            If a file is damaged, or the run has a linear filter of an earlier version.
        """
        folder = self._checkpoints / state.name
        tensors = {path.stem: load_tensors(path, device) for path in folder.glob("*.safetensors")}
        if any(name.split(".")[-1] in _OLD_FILTERS for name in tensors.get("generator", ())):
            raise TrainingError(self._explain_old_filter())
        return tensors

    def _explain_old_filter(self) -> str:
        config = self.config()
        command = ["rgan-train", "fit", str(self.pairs_csv), "-o", "NEW_RUN"]
        command += ["--method", config.method.name]
        for key in ("source_kernel", "target_kernel"):
            if value := getattr(config.data, key):
                command += ["--set", f"data.{key}={value}"]
        return (
            f"{self.path}: the run was made by an older version of this software, whose linear "
            "filter held for one pixel spacing only; this version cannot read it. Train again, "
            f"with your other settings if you had any (config.json has them): {shlex.join(command)}"
        )

    @property
    def _encoder(self) -> Path:
        return self.path / "encoder.safetensors"

    @property
    def _checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def _names(self) -> list[str]:
        """Return the names of all checkpoints, the oldest first."""
        return sorted((path.name for path in self._checkpoints.glob("epoch-*")), key=_numbers_in)

    def _read_state(self, name: str) -> RunState:
        path = self._checkpoints / name / "state.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.pop("format") != FORMAT:
                raise ValueError("made by another version of this software")
            return RunState(**values)
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise TrainingError(f"{path}: not a readable checkpoint ({exc})") from exc

    def _delete(self, folder: Path) -> None:
        """Delete a checkpoint; rename it first, as one with its final name must be complete."""
        if folder.exists():
            doomed = self._checkpoints / f"{_TEMPORARY}delete-{folder.name}"
            shutil.rmtree(doomed, ignore_errors=True)
            folder.rename(doomed)
            shutil.rmtree(doomed)


def _numbers_in(name: str) -> list[int]:
    """Return the epoch and the step in the name of a checkpoint."""
    return [int(number) for number in re.findall(r"\d+", name)]


def _hash_if_present(path: Path) -> str:
    """Return the hash of a file; an empty text if there is no file."""
    return file_sha256(path) if path.exists() else ""
