"""Measure harmonized DICOM files against the paired series of the target kernel.

    python benchmarks/quality/written_files.py --source SCANS/B40f --target SCANS/B70f \
        --harmonized NAME=FOLDER [--harmonized ...] --slices 22-29 --json OUT.json --figure OUT.png

Reads what a user of the files would read: stored values and rescale of the written objects.
Slices are matched by their position and counted from 0 by ascending z. PSNR and SSIM are
measured in ``QUALITY_RANGE``.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import rgan_sdk
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.series import Series
from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE, psnr, ssim
from rgan_train.pairs.splits import parse_ranges

Volume = NDArray[np.float32]


def main() -> None:
    options = parse_arguments()
    numbers = parse_ranges(options.slices)
    source = read_volume(one_series(options.source), numbers)
    target = read_volume(one_series(options.target), numbers)
    volumes = {"input": source}
    for name, folder in options.harmonized:
        # Our own objects are not eligible for another harmonization, so they are found by hand.
        volumes[name] = read_written(Path(folder), numbers)
    rows = {name: measure(volume, target) for name, volume in volumes.items()}
    for name, row in rows.items():
        print(f"{name:24} " + "  ".join(f"{k} {v:8.3f}" for k, v in row.items() if k != "slices"))
    result = {
        "data": str(options.target.name),
        "slices": options.slices,
        "methods": rows,
        "environment": {
            "rgan-sdk": rgan_sdk.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.figure:
        draw(volumes, target, len(numbers) // 2, options)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--harmonized", type=lambda text: text.split("=", 1), action="append")
    parser.add_argument("--slices", default="0-9999")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--caption", default="")
    return parser.parse_args()


def one_series(folder: Path) -> Series:
    (series,) = find_series(folder).series
    return series


def read_volume(series: Series, numbers: tuple[int, ...]) -> Volume:
    return np.stack([read_slice(series.slices[n].path).hu for n in numbers])


def read_written(folder: Path, numbers: tuple[int, ...]) -> Volume:
    slices = [read_slice(path) for path in folder.rglob("*.dcm")]
    slices.sort(key=lambda item: float(item.dataset.ImagePositionPatient[2]))
    return np.stack([slices[n].hu for n in numbers])


def measure(volume: Volume, target: Volume) -> dict[str, float | list[float]]:
    pairs = list(zip(volume, target, strict=True))
    each = [psnr(*pair, QUALITY_RANGE) for pair in pairs]
    clipped = [
        np.clip(hu, QUALITY_RANGE.lower, QUALITY_RANGE.upper).astype(np.float64)
        for hu in (volume, target)
    ]
    error = clipped[0] - clipped[1]
    return {
        "psnr_db": float(np.mean(each)),
        "psnr_sd": float(np.std(each, ddof=1)),
        "ssim": float(np.mean([ssim(*pair, QUALITY_RANGE) for pair in pairs])),
        "mae_hu": float(np.abs(error).mean()),
        "bias_hu": float(error.mean()),
        "slices": [round(value, 3) for value in each],
    }


def draw(
    volumes: dict[str, Volume], target: Volume, index: int, options: argparse.Namespace
) -> None:
    """Draw one slice of each method, a magnified part, and its difference to the target."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt
    from matplotlib.patches import Rectangle

    columns = {name: volume[index] for name, volume in volumes.items()} | {"target": target[index]}
    figure, axes = plt.subplots(
        3, len(columns), figsize=(3.2 * len(columns), 10.2), layout="constrained"
    )
    part = (slice(190, 330), slice(280, 420))
    for column, (name, hu) in zip(axes.T, columns.items(), strict=True):
        column[0].imshow(hu, cmap="gray", vmin=-1350, vmax=150)
        column[0].set_title(name)
        column[1].imshow(hu[part], cmap="gray", vmin=-1350, vmax=150)
        column[2].imshow((hu - target[index])[part], cmap="gray", vmin=-100, vmax=100)
        for axis in column:
            axis.set_axis_off()
    axes[0, 0].add_patch(Rectangle((280, 190), 140, 140, fill=False, edgecolor="lime", linewidth=1))
    figure.suptitle(
        f"Slice {parse_ranges(options.slices)[index]}; magnified; difference to the target "
        f"(-100 to 100 HU)\n{options.caption}",
        fontsize=9,
    )
    figure.savefig(options.figure, dpi=80)


if __name__ == "__main__":
    main()
