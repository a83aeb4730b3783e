"""Make onnxruntime-gpu small enough to carry to a machine without a network.

    python benchmarks/gpu/slim_onnxruntime.py WHEEL OUT.tar.xz [ARCHITECTURE]

Keeps the GPU code of one compute capability (90: H100, H200). GPU code of others, and that of
kernels that convolutional networks have no use for, is overwritten with zeros, which compress away;
the rest is the wheel's, byte for byte. The package's metadata is left out, so that it can lie
beside an installed onnxruntime. For measuring only. Needs zstandard and readelf.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import zstandard

LIBRARY = "onnxruntime/capi/libonnxruntime_providers_cuda.so"
UNUSED = re.compile(
    rb"flash|fmha|cutlass|[Mm]oe|MoE|fpA_intB|weight_only|[Aa]ttention|rnn_|[Ll]ong[Ff]ormer"
    rb"|matmul_nbits|MatMulNBits"
)
MAGIC = 0xBA55ED50
"""The first bytes of a container of GPU code."""
ZSTANDARD = b"\x28\xb5\x2f\xfd"
SMALL = 60000
"""Kernels of fewer bytes are kept without a look at what they are."""


class Code(NamedTuple):
    """The place of one piece of GPU code, in bytes, and its compute capability."""

    start: int
    end: int
    architecture: int


def main() -> None:
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    wheel, out = map(Path, sys.argv[1:3])
    architecture = int(sys.argv[3]) if len(sys.argv) == 4 else 90
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        shutil.unpack_archive(wheel, root, "zip")
        kept = blank(root / LIBRARY, architecture)
        with tarfile.open(out, "w:xz", preset=6) as tar:
            tar.add(root / "onnxruntime", "onnxruntime")
    print(f"kept {kept >> 20} MiB of GPU code; {out}: {out.stat().st_size >> 20} MiB")


def blank(library: Path, architecture: int) -> int:
    """Overwrite the GPU code that is not wanted; return how many bytes are left."""
    data = bytearray(library.read_bytes())
    kept = 0
    for code in pieces(data, *fatbin_section(library)):
        body = bytes(data[code.start : code.end])
        if code.architecture == architecture and not is_unused(body):
            kept += len(body)
        else:
            data[code.start : code.end] = bytes(len(body))
    library.write_bytes(data)
    return kept


def is_unused(body: bytes) -> bool:
    if len(body) <= SMALL:
        return False
    is_packed = body.startswith(ZSTANDARD)
    return bool(
        UNUSED.search(zstandard.ZstdDecompressor().decompressobj().decompress(body))
        if is_packed
        else UNUSED.search(body)
    )


def fatbin_section(library: Path) -> tuple[int, int]:
    """Return where the GPU code begins in the file, and its length."""
    table = subprocess.check_output(["readelf", "-SW", library], text=True)
    line = next(line for line in table.splitlines() if " .nv_fatbin " in line)
    columns = line.split("]")[1].split()
    return int(columns[3], 16), int(columns[4], 16)


def pieces(data: bytearray, place: int, size: int) -> Iterator[Code]:
    """Find the pieces of GPU code in the containers of a section."""
    end = place + size
    while place < end:
        magic, _, header, length = struct.unpack_from("<IHHQ", data, place)
        if magic != MAGIC:
            place += 8  # padding between containers
            continue
        entry, last = place + header, place + header + length
        while entry < last:
            _, _, skip, count = struct.unpack_from("<HHIQ", data, entry)
            (architecture,) = struct.unpack_from("<I", data, entry + 28)
            yield Code(entry + skip, entry + skip + count, architecture)
            entry += skip + count
        place = last


if __name__ == "__main__":
    main()
