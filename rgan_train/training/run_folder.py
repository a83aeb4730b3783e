"""A run's folder: configuration, provenance, frozen encoder and checkpoints.

::

    RUN/config.json           fixed when the run starts
    RUN/provenance.json       data, kernels, versions
    RUN/pairs.csv             the list of pairs, with absolute folders
    RUN/encoder.safetensors   the frozen encoder, once
    RUN/checkpoints/epoch-0007/
        state.json            where training stands
        generator.safetensors, discriminator.safetensors,
        optimizer_g.safetensors, optimizer_d.safetensors

Nothing is pickled. A checkpoint is written under a temporary name and renamed, so one
that has its name is complete.
"""

from __future__ import annotations

import dataclasses
import json
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
CHANGEABLE = frozenset({"training.epochs", "training.max_minutes"})
_TEMPORARY = ".unfinished-"


@dataclass(frozen=True)
class RunState:
    """Where a run stands.

    Attributes
    ----------
    epoch, step
        Finished epochs, and finished steps of the one after them.
    best, best_psnr
        Name of the checkpoint with the best validation PSNR, and that in dB.
    averages, scaler
        Of the unfinished epoch's losses; of the gradient scaler in 16-mixed precision.
    curriculum, method
        Where the window schedule and an alternating method stand.
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
        """The folder name of a checkpoint in this state."""
        name = f"epoch-{self.epoch:04d}"
        return f"{name}-step-{self.step:06d}" if self.step else name


@dataclass(frozen=True)
class RunFolder:
    """A folder that holds one training run."""

    path: Path

    @property
    def pairs_csv(self) -> Path:
        """The run's own copy of the list of pairs."""
        return self.path / "pairs.csv"

    def exists(self) -> bool:
        """Whether a run was started here."""
        return (self.path / "config.json").is_file()

    def create(
        self, config: Config, provenance: Mapping[str, Any], encoder: dict[str, Tensor]
    ) -> None:
        """Start a run here. The configuration is written last, and marks the run as started."""
        try:
            (self.path / "checkpoints").mkdir(parents=True, exist_ok=True)
            if encoder:
                save_tensors(encoder, self._encoder)
            recorded = {**provenance, "encoder_sha256": _sha256(self._encoder)}
            text = json.dumps(recorded, indent=2) + "\n"
            (self.path / "provenance.json").write_text(text, encoding="utf-8")
            (self.path / "config.json").write_text(config.to_json(), encoding="utf-8")
        except (OSError, SafetensorError) as exc:
            raise OutputError(f"{self.path}: the run cannot be started here ({exc})") from exc

    def config(self) -> Config:
        """Return the configuration that the run was started with."""
        if not self.exists():
            raise TrainingError(f"{self.path}: holds no training run (no config.json)")
        return config_from_json((self.path / "config.json").read_text(encoding="utf-8"))

    def provenance(self) -> dict[str, Any]:
        """Return what was recorded of the run's data and software."""
        try:
            text = (self.path / "provenance.json").read_text(encoding="utf-8")
            recorded: dict[str, Any] = json.loads(text)
        except (OSError, ValueError) as exc:
            raise TrainingError(f"{self.path}: provenance.json cannot be read ({exc})") from exc
        return recorded

    def check_resumable(self, config: Config, data_sha256: str) -> None:
        """Refuse to go on with another configuration or other data.

        More epochs or minutes are fine, and are recorded.
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
        """Record new limits of a resumed run."""
        try:
            with atomic_write(self.path / "config.json") as file:
                file.write_text(config.to_json(), encoding="utf-8")
        except OSError as exc:
            raise OutputError(f"{self.path}: cannot record the new limits ({exc})") from exc

    def encoder(self) -> dict[str, Tensor]:
        """Return the frozen weights; empty where all are trained.

        Raises
        ------
        TrainingError
            If they are not those that the run was started with.
        """
        try:
            found = _sha256(self._encoder)
        except OSError as exc:
            raise TrainingError(f"{self._encoder}: cannot be read ({exc.strerror})") from exc
        if found != self.provenance().get("encoder_sha256", found):
            raise TrainingError(
                f"{self._encoder}: a file of the run is missing, or is not the one that the run "
                "was started with; put it back, or start a new run in another folder"
            )
        return load_tensors(self._encoder) if found else {}

    def save(self, state: RunState, tensors: Tensors) -> Path:
        """Write a checkpoint, then delete those that are neither the last nor the best."""
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
        """Return the state of the last or the best checkpoint; None where there is none."""
        names = self._names()
        if not names:
            return None
        last = self._read_state(names[-1])
        if which == "last":
            return last
        return self._read_state(last.best) if last.best else None

    def load(self, state: RunState, device: torch.device | str = "cpu") -> Tensors:
        """Return the tensors of a checkpoint, by file and name."""
        folder = self._checkpoints / state.name
        return {path.stem: load_tensors(path, device) for path in folder.glob("*.safetensors")}

    @property
    def _encoder(self) -> Path:
        return self.path / "encoder.safetensors"

    @property
    def _checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def _names(self) -> list[str]:
        return sorted(path.name for path in self._checkpoints.glob("epoch-*"))

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
        """Take the name away first: a folder with a checkpoint's name is complete."""
        if folder.exists():
            doomed = self._checkpoints / f"{_TEMPORARY}delete-{folder.name}"
            shutil.rmtree(doomed, ignore_errors=True)
            folder.rename(doomed)
            shutil.rmtree(doomed)


def _sha256(path: Path) -> str:
    """Return a file's hash; an empty text where there is no file."""
    return file_sha256(path) if path.exists() else ""
