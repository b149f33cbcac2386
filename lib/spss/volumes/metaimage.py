"""What must hold of a MetaImage before ITK reads it: from damaged voxels it may not come back."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from spss.types import Shape
from spss.volumes.data_file import is_beside

ENDINGS = (".mha", ".mhd")

_HEADER_BYTES = 65_536
_CHUNK_BYTES = 1 << 20
_LARGEST_VOXEL_BYTES = 8


def header_fault(path: Path) -> str:
    """Why the header of a MetaImage must not be given to ITK; empty if it may.

    ITK 5.4 counts to whatever number of dimensions is claimed, and reads any file that is named.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    fields, _ = _fields(head)
    claimed = [
        line.partition(b"=")[2].strip()
        for line in head.splitlines()
        if line.partition(b"=")[0].strip() == b"NDims"
    ]
    if any(not number.isdigit() or int(number[:9]) not in range(1, 10) for number in claimed):
        return "its header claims an impossible number of dimensions"
    data_file = fields.get("ElementDataFile", "")
    if data_file.upper() != "LOCAL" and not is_beside(data_file):
        return "its voxels are not in the file or beside it"
    return ""


def damage_of(path: Path, shape: Shape) -> str:
    """Why the compressed voxels of a MetaImage cannot be read; empty if they can.

    ITK 5.4 decompresses for ever what is no stream, and where a stream ends too early it takes what
    happens to lie in memory for voxels.

    Args:
        path: of the header.
        shape: of the image, which bounds what is decompressed.
    """
    with path.open("rb") as file:
        fields, start = _fields(file.read(_HEADER_BYTES))
    if fields.get("CompressedData", "").lower() not in ("true", "1"):
        return ""
    local = fields.get("ElementDataFile", "").upper() == "LOCAL"
    data = path if local else path.with_name(fields["ElementDataFile"])
    if not data.is_file():
        return ""  # ITK says so itself
    size = fields.get("CompressedDataSize", "")
    size_bytes = int(size) if size.isdecimal() and int(size) > 0 else None
    most_bytes = int(np.prod(shape, dtype=float)) * _LARGEST_VOXEL_BYTES
    return _damage_of_stream(data, start if local else 0, size_bytes, most_bytes)


def _fields(head: bytes) -> tuple[dict[str, str], int]:
    """``KEY = VALUE`` lines up to ``ElementDataFile``, the last of a key counts; and their end."""
    fields: dict[str, str] = {}
    start = 0
    for line in head.splitlines(keepends=True):
        start += len(line)
        key, _, value = line.decode("latin-1").partition("=")
        fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            break
    return fields, start


def _damage_of_stream(path: Path, start: int, size: int | None, most_bytes: int) -> str:
    """Decompresses the part that ITK would, and keeps nothing of it."""
    stream, left, produced = zlib.decompressobj(), size, 0
    with path.open("rb") as file:
        file.seek(start)
        while not stream.eof:
            data = stream.unconsumed_tail
            if not data:
                data = file.read(_CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES))
                left = None if left is None else left - len(data)
            if not data:
                return "its compressed voxels end too early"
            try:
                produced += len(stream.decompress(data, _CHUNK_BYTES))
            except zlib.error as error:
                return f"its compressed voxels are damaged ({error})"
            if produced > most_bytes:
                return "it holds more compressed voxels than its header says"
    return ""
