"""Train the models that are missing, and export them."""

from __future__ import annotations

import json
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cells import METHOD_VERSION, Cell

from spacings.plan import WORK, Plan, has_settings, list_data


@dataclass(frozen=True)
class Place:
    """Where one cell is trained and exported.

    Attributes
    ----------
    run
        The folder of the run.
    record
        Written when the training is finished: configuration, minutes, device.
    model
        The exported file; it is there if the cell is done.
    """

    run: Path
    record: Path
    model: Path

    @classmethod
    def of(cls, cell: Cell) -> Place:
        """Return the place of a cell."""
        base = WORK / "models" / cell.name
        return cls(
            WORK / "runs" / cell.name, base.with_name(base.name + ".json"), _named(base, ".onnx")
        )


def _named(base: Path, ending: str) -> Path:
    return base.with_name(base.name + ending)  # names hold dots


def is_trained(cell: Cell) -> bool:
    """Whether a training with this very configuration is finished."""
    record = Place.of(cell).record
    if not record.exists():
        return False
    made = json.loads(record.read_text())
    return has_settings(made["configuration"], cell) and made["method_version"] == METHOD_VERSION


def is_done(cell: Cell) -> bool:
    """Whether the model of a cell is there."""
    return is_trained(cell) and Place.of(cell).model.exists()


def make_model(cell: Cell, plan: Plan, threads: int) -> str:
    """Train and export one cell; return what to say about it. A run that broke off is continued."""
    import torch

    torch.set_num_threads(threads)
    place = Place.of(cell)
    said = "trained before" if is_trained(cell) else _train(cell, plan, place)
    _export(cell, plan, place)
    return said


def _train(cell: Cell, plan: Plan, place: Place) -> str:
    from rgan_train.training import Job, RunFolder, fit

    folder = RunFolder(place.run)
    goes_on = folder.exists() and folder.config() == cell.config()
    if not goes_on:
        shutil.rmtree(place.run, ignore_errors=True)
        place.model.unlink(missing_ok=True)
    job = Job.from_pairs(
        cell.config(),
        list_data(plan, cell.pair),
        folder,
        resume=goes_on,
        vgg_weights=cell.vgg_weights,
    )
    outcome = fit(job, lambda event: None)
    if outcome.status != "finished":
        raise RuntimeError(outcome.status)
    minutes = round(outcome.state.elapsed_seconds / 60, 2)
    record: dict[str, Any] = {
        "method_version": METHOD_VERSION,
        "configuration": json.loads(cell.config().to_json()),
        "validation_psnr_db": outcome.state.best_psnr,
        "best_checkpoint": outcome.state.best,
        "data_sha256": job.dataset.sha256(),
        "minutes": minutes,
        "device": device_name(),
    }
    place.record.parent.mkdir(parents=True, exist_ok=True)
    place.record.write_text(json.dumps(record, indent=1) + "\n")
    return f"{minutes:.1f} min, validation PSNR {outcome.state.best_psnr:.2f} dB"


def _export(cell: Cell, plan: Plan, place: Place) -> None:
    """Export the best checkpoint, with the pairs where they are now: runs move between machines."""
    from rgan_train.config import override
    from rgan_train.export import export_run
    from rgan_train.pairs.csv import write_pairs
    from rgan_train.training import RunFolder

    entry = plan["pairs"][cell.pair.partition("-")[0]]
    folder = RunFolder(place.run)
    write_pairs(list_data(plan, cell.pair), folder.pairs_csv)
    named = {"data": {"name": entry["title"], "licence": entry["licence"]}}
    part = place.model.with_name(f".{place.model.stem}.part.onnx")
    export_run(folder, part, override(folder.config(), named), fp16=False)
    part.rename(place.model)


def device_name() -> str:
    """Return what networks are trained on."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
