"""Files that made real tools crash: each must be skipped or fail, and quickly."""

import random
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from support.dicom_phantoms import stored_values, uid, write_ct
from support.requirements import require_data

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.batches import read_hu
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.errors import DicomError

pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom says more than enough here

UNDEFINED = 0xFFFFFFFF
COMPRESSED = [RLELossless, JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless, HTJ2KLossless]


def short(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def long(tag: int, vr: bytes, length: int, value: bytes = b"") -> bytes:
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, length) + value


def nested(depth: int) -> bytes:
    item = long(0x00081140, b"SQ", UNDEFINED) + struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED)
    return item * depth


def before(tag: int, insert: bytes) -> Callable[[bytes], bytes]:
    """Return a change that inserts bytes before an explicit little endian element."""

    def change(content: bytes) -> bytes:
        start = content.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF), 300)
        return content[:start] + insert + content[start:]

    return change


def replace(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    assert len(old) == len(new)

    def change(content: bytes) -> bytes:
        assert content.count(old) == 1
        return content.replace(old, new)

    return change


ROWS = short(0x00280010, b"US", struct.pack("<H", 16))
CHANGES = {
    "nothing after DICM": lambda content: content[:132],
    "random after DICM": lambda content: content[:132] + random.Random(1).randbytes(4000),
    "zeros after DICM": lambda content: content[:132] + bytes(4000),
    "nested 10,000 deep": before(0x00100010, nested(10_000)),
    "sequence without delimiter": before(0x00100010, long(0x00081140, b"SQ", UNDEFINED)),
    "value without delimiter": before(0x00100010, long(0x00081140, b"UN", UNDEFINED)),
    "4 GiB value": before(0x00100010, long(0x00081140, b"UN", 0xFFFFFFFE)),
    "4 GiB sequence": before(0x00100010, long(0x00081140, b"SQ", 0xFFFFFFFE)),
    "4 GiB pixel data": replace(long(0x7FE00010, b"OW", 512), long(0x7FE00010, b"OW", 0xFFFFFFFE)),
    "pixel data of undefined length": replace(
        long(0x7FE00010, b"OW", 512), long(0x7FE00010, b"OW", UNDEFINED)
    ),
    "Rows and Columns 65535": lambda content: content.replace(
        ROWS, short(0x00280010, b"US", b"\xff\xff")
    ).replace(
        short(0x00280011, b"US", struct.pack("<H", 16)), short(0x00280011, b"US", b"\xff\xff")
    ),
    "Rows as UL": lambda content: content.replace(
        ROWS, short(0x00280010, b"UL", struct.pack("<I", 1 << 31))
    ),
    "Rows as SQ": lambda content: content.replace(ROWS, long(0x00280010, b"SQ", 0)),
    "Rows as text": lambda content: content.replace(ROWS, short(0x00280010, b"LO", b"16\\x")),
    "Rows without a value": lambda content: content.replace(ROWS, short(0x00280010, b"US", b"")),
    "Rows twice": before(0x00280011, short(0x00280010, b"US", b"\xff\xff")),
    "a billion frames": before(0x00280010, short(0x00280008, b"IS", b"1000000000")),
    "frames as text": before(0x00280010, short(0x00280008, b"IS", b"one ")),
    "an unknown VR": lambda content: content.replace(ROWS, short(0x00280010, b"??", b"\x10\0")),
    "infinite slope": lambda content: content.replace(
        short(0x00281053, b"DS", b"1.0 "), short(0x00281053, b"DS", b"1e999 ")
    ),
    "a UID with a path": lambda content: content.replace(
        uid(1, 1, 1).encode(), b"../../etc/passwd".rjust(len(uid(1, 1, 1)), b"/")
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_hostile_file_is_accounted_for_and_nothing_escapes(tmp_path: Path, name: str):
    path = write_ct(tmp_path / "file")
    content = path.read_bytes()
    changed = CHANGES[name](content)
    assert changed != content
    path.write_bytes(changed)
    inventory = find_series(tmp_path)
    outcomes = [o for failed in inventory.failed for o in failed.outcomes]
    assert [(o.path, o.status) for o in [*outcomes, *inventory.outcomes]] == [(path, "failed")]
    with suppress(DicomError):
        read_slice(path)


def test_a_program_in_the_preamble_is_only_a_preamble(tmp_path: Path):
    path = write_ct(tmp_path / "file")
    path.write_bytes(b"\x7fELF" + bytes(124) + path.read_bytes()[128:])
    assert len(find_series(tmp_path).series) == 1


def test_paths_in_patient_and_description_lead_nowhere(tmp_path: Path):
    write_ct(tmp_path / "file", PatientID="../../x", SeriesDescription="../../y")
    (series,) = find_series(tmp_path).series
    assert "x" not in series.patient


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_mutated_fragments_give_pixels_or_an_error_of_ours(tmp_path: Path, syntax: str):
    stored = stored_values(size=64)
    path = write_ct(tmp_path / "file", stored, syntax=syntax, bits_stored=12)
    content = path.read_bytes()
    start = content.index(b"\xe0\x7f\x10\x00")
    numbers = random.Random(2)
    failures = 0
    for _ in range(60):
        mutant = bytearray(content)
        # The first bytes of a fragment hold its header, where a change does most harm.
        mutant[start + numbers.randrange(20, 90)] = numbers.randrange(256)
        path.write_bytes(bytes(mutant))
        try:
            assert read_slice(path).stored.shape == stored.shape
        except DicomError:
            failures += 1
    assert failures > 0


def reframed(path: Path, change: Callable[[bytes], bytes]) -> Path:
    """Change the one frame of a file."""
    dataset = dcmread(path)
    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    dataset.PixelData = encapsulate([change(frame)])
    dataset.save_as(path)
    return path


@pytest.mark.parametrize("syntax", [s for s in COMPRESSED if s != RLELossless])
@pytest.mark.parametrize("share", [0.5, 0.99])
def test_a_frame_that_is_cut_off_gives_no_pixels(tmp_path: Path, syntax: str, share: float):
    path = write_ct(tmp_path / "file", stored_values(size=64), syntax=syntax, bits_stored=12)
    with pytest.raises(DicomError):
        read_slice(reframed(path, lambda frame: frame[: int(len(frame) * share)]))


@pytest.mark.parametrize(
    ("syntax", "marker", "offset", "form"),
    [
        (JPEGLosslessSV1, b"\xff\xc3", 5, ">HH"),
        (JPEGLSLossless, b"\xff\xf7", 5, ">HH"),
        (JPEG2000Lossless, b"\xff\x51", 6, ">II"),
    ],
)
def test_a_frame_that_claims_to_be_huge_is_refused_at_once(
    tmp_path: Path, syntax: str, marker: bytes, offset: int, form: str
):
    path = write_ct(tmp_path / "file", stored_values(size=64), syntax=syntax, bits_stored=12)
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, content.index(marker) + offset, 60000, 60000)
    path.write_bytes(bytes(content))
    with pytest.raises(DicomError):
        read_slice(path)  # gigabytes and half a minute without a bound


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame[: len(frame) // 3] + b"\xff\xd9",
        lambda frame: frame[: len(frame) // 2] + frame[len(frame) // 2 + 100 :],
        lambda frame: frame[:-20] + bytes(8) + frame[-20:],
    ],
    ids=["cut off and closed", "100 bytes lost", "8 bytes more"],
)
@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEGLosslessSV1])
def test_a_frame_with_more_or_less_data_than_its_pixels_gives_none(
    tmp_path: Path, syntax: str, change: Callable[[bytes], bytes]
):
    path = write_ct(tmp_path / "file", stored_values(size=64), syntax=syntax, bits_stored=12)
    with pytest.raises(DicomError, match="file: PixelData cannot be decoded: damaged, or not"):
        read_slice(reframed(path, change))


def rle_controls(frame: bytes) -> list[int]:
    """Return the places of all bytes in an RLE frame that say how many bytes follow."""
    count, *offsets = struct.unpack_from("<16I", frame)
    places = []
    for at, end in zip(offsets[:count], [*offsets[1:count], len(frame) - 1], strict=True):
        while at < end:
            places.append(at)
            at += 2 if frame[at] > 128 else frame[at] + 2
    return places


def test_a_wrong_length_in_rle_shifts_no_pixels(tmp_path: Path):
    stored = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint16) // 7
    path = write_ct(tmp_path / "file", stored, syntax=RLELossless, bits_stored=12)
    content = path.read_bytes()
    start = content.index(b"\xe0\x7f\x10\x00") + 32
    places = rle_controls(content[start:-8])
    numbers = random.Random(4)
    for place in numbers.sample(places, 60):
        mutant = bytearray(content)
        mutant[start + place] ^= 1 << numbers.randrange(8)
        path.write_bytes(mutant)
        with pytest.raises(DicomError, match="file: PixelData cannot be decoded: damaged"):
            read_slice(path)
        with pytest.raises(DicomError, match="file: PixelData cannot be decoded: damaged"):
            read_hu(path, stored.shape)


@pytest.mark.parametrize("behind", [b"\0\0", b"\0" * 17])
def test_fill_bytes_behind_a_segment_of_rle_do_no_harm(tmp_path: Path, behind: bytes):
    stored = stored_values(size=64)
    path = write_ct(tmp_path / "file", stored, syntax=RLELossless, bits_stored=12)
    assert (read_slice(reframed(path, lambda frame: frame + behind)).stored == stored).all()


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless])
@pytest.mark.parametrize("behind", [b"\xff", b"\0\0", b"\x20", b"\n\0"])
def test_a_few_bytes_behind_a_frame_do_no_harm(tmp_path: Path, syntax: str, behind: bytes):
    stored = stored_values(size=64)
    path = write_ct(tmp_path / "file", stored, syntax=syntax, bits_stored=12)
    assert (read_slice(reframed(path, lambda frame: frame + behind)).stored == stored).all()


@pytest.mark.parametrize("fill", [b"\xff", b"\xff" * 5])
@pytest.mark.parametrize("place", [-2, 2], ids=["before the end marker", "before the first table"])
def test_fill_bytes_before_a_marker_of_a_lossless_jpeg_do_no_harm(
    tmp_path: Path, fill: bytes, place: int
):
    stored = stored_values(size=64)
    path = write_ct(tmp_path / "file", stored, syntax=JPEGLosslessSV1, bits_stored=12)
    reframed(path, lambda frame: frame[:place] + fill + frame[place:])
    assert (read_slice(path).stored == stored).all()


def test_a_fill_byte_does_not_stand_for_a_byte_of_data(tmp_path: Path):
    path = write_ct(
        tmp_path / "file", stored_values(size=64), syntax=JPEGLosslessSV1, bits_stored=12
    )
    with pytest.raises(DicomError, match="file: PixelData cannot be decoded: damaged, or not"):
        read_slice(reframed(path, lambda frame: frame[:-3] + b"\xff" + frame[-2:]))


def test_the_sign_of_a_lossless_jpeg_of_fewer_bits_is_not_guessed(tmp_path: Path):
    stored = stored_values(signed=True, size=64)
    path = write_ct(tmp_path / "file", stored, syntax=JPEGLosslessSV1, bits_stored=12)
    assert (read_slice(path).stored == stored).all()
    dataset = dcmread(path)
    dataset.BitsStored, dataset.HighBit = 16, 15
    dataset.save_as(path)
    with pytest.raises(DicomError):
        read_slice(path)


def test_pixel_data_without_fragments_is_an_error_of_ours(tmp_path: Path):
    path = write_ct(tmp_path / "file", stored_values(size=64), syntax=RLELossless)
    content = path.read_bytes()
    start = content.index(b"\xe0\x7f\x10\x00") + 12
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    empty_table = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    for fragments in (b"", empty_table):
        path.write_bytes(content[:start] + fragments + end)
        with pytest.raises(DicomError):
            read_slice(path)


def test_mutants_of_a_whole_file_never_escape(tmp_path: Path):
    content = write_ct(tmp_path / "whole").read_bytes()
    (tmp_path / "whole").unlink()
    numbers = random.Random(3)
    for number in range(300):
        mutant = bytearray(content)
        for _ in range(numbers.randrange(1, 6)):
            mutant[numbers.randrange(128, len(mutant) - 512)] = numbers.randrange(256)
        (tmp_path / f"{number:03d}").write_bytes(bytes(mutant))
    inventory = find_series(tmp_path)
    found = [file.path for series in inventory.series for file in series.slices]
    found += [o.path for failed in inventory.failed for o in failed.outcomes]
    found += [o.path for o in inventory.outcomes]
    assert sorted(found) == sorted(tmp_path.iterdir())
    for path in found:
        with suppress(DicomError):
            read_slice(path)


def test_every_odd_file_is_in_exactly_one_place():
    root = require_data("odd_and_malformed")
    inventory = find_series(root)
    found = [file.path for series in inventory.series for file in series.slices]
    found += [o.path for failed in inventory.failed for o in failed.outcomes]
    found += [o.path for o in inventory.outcomes]
    assert sorted(found) == sorted(path for path in root.rglob("*") if path.is_file())
    assert len(inventory.series) > 3


def test_reading_an_odd_file_gives_hu_or_an_error_of_ours():
    read = 0
    for path in require_data("odd_and_malformed").rglob("*"):
        if path.is_file():
            try:
                read_slice(path)
                read += 1
            except DicomError:
                continue
    assert read > 10
