"""CRC-32C, the plain way, and what the journal is to say of a file."""

from pathlib import Path


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


TABLE = [_entry(byte) for byte in range(256)]


def crc32c(content: bytes) -> int:
    """Return the CRC-32C of bytes."""
    value = 0xFFFFFFFF
    for byte in content:
        value = value >> 8 ^ TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def listed(path: Path) -> tuple[str, int, str]:
    """Return name, size and checksum of a file, as the journal lists them."""
    content = path.read_bytes()
    return path.name, len(content), f"{crc32c(content):08x}"
