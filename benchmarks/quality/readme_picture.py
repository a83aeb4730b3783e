"""Make the README's picture: one held-out slice before and after a packaged model.

    python benchmarks/quality/readme_picture.py .data/pair_lungdx_A0002_siemens/B40f \
        --slice 23 --model b40f-to-b70f -o docs/images/before-after.png

Slices are counted from 0 by ascending position.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.preview import write_preview


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("series", type=Path)
    parser.add_argument("--slice", type=int, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    (series,) = find_series(options.series).series
    before = read_slice(series.slices[options.slice].path).hu
    with Harmonizer.load(options.model, device="cpu") as harmonizer:
        after = harmonizer(before, pixel_spacing=series.mean_pixel_spacing)
        target = harmonizer.model.card.target_kernel
    kernel = str(series.convolution_kernel)
    write_preview(options.output, before, after, (kernel, f"{kernel} harmonized to {target}"))


if __name__ == "__main__":
    main()
