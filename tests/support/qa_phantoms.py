"""Small scans of a QA phantom, rendered as the benchmark does, and written as series."""

from __future__ import annotations

import sys
from pathlib import Path

from support.groups import write_series

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "quality"))
from qa_phantom import Rod, Wire, render

SIZE, SPACING = 256, 0.6
RODS = (Rod(-25, -20, 12, 900), Rod(30, -16, 6, 400))
WIRES = (Wire(18.3, 29.4, 900),)


def scan(mtf, count=3, spacing=SPACING, *, rods=RODS, wires=WIRES, noise=6.0, seed=0):
    """Return ``[count, 256, 256]`` HU of a phantom that fills most of the image."""
    body = 0.45 * SIZE * spacing
    inserts = {"rods": rods, "wires": wires}
    return render(mtf, spacing, count, size=SIZE, body=body, **inserts, noise=noise, seed=seed)


def write_scan(folder, slices, kernel, number, spacing=SPACING):
    """Write slices as a series; each number is another one."""
    return write_series(folder, slices, kernel, number, spacing)
