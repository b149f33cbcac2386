"""What must hold of a MetaImage before ITK reads it: from damaged voxels it may not come back."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np

from spss.types import Shape
from spss.volumes.data_file import is_beside

ENDINGS = (".mha", ".mhd")

_HEADER_BYTES = 65_536
_CHUNK_BYTES = 1 << 20
_DIMENSIONS = ("1", "2", "3", "4", "5")
_LINE = re.compile(rb"[A-Za-z0-9_ |.:/()-]{1,200}=[^\x00-\x08\x0b-\x1f\x7f]{0,2000}")
_SIZE = re.compile(r"\d{1,7}")
_NUMBER = re.compile(r"[+-]?(\d{1,30}\.?\d{0,30}|\.\d{1,30})([eE][+-]?\d{1,3})?")
_VECTORS = {
    **dict.fromkeys(("Offset", "Position", "Origin", "CenterOfRotation"), 1),
    **dict.fromkeys(("ElementSpacing", "ElementSize"), 1),
    **dict.fromkeys(("TransformMatrix", "Rotation", "Orientation"), 2),
}
"""Field → its numbers are the dimensions to this power."""

_TYPES = tuple(
    f"MET_{name}"
    for name in (
        *("CHAR", "UCHAR", "SHORT", "USHORT", "INT", "UINT", "LONG", "ULONG"),
        *("LONG_LONG", "ULONG_LONG", "FLOAT", "DOUBLE"),
    )
)
_LARGEST_VOXEL_BYTES = 8


def header_fault(path: Path) -> str:
    """Why the header of a MetaImage must not be given to ITK; empty if it may.

    ITK 5.4 counts to whatever number of dimensions is claimed, reads any file that is named, and
    crashes on headers that lack what it takes for granted: everything it relies on is checked.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    fields, end = _fields(head)
    lines = head[:end].splitlines()
    if len(fields) != len(lines) or any(not _LINE.fullmatch(line) for line in lines):
        return "its header is not made of lines KEY = VALUE, each key once"
    dimensions = fields.get("NDims", "")
    if dimensions not in _DIMENSIONS:
        return "its header claims an impossible number of dimensions"
    if not _has_numbers(fields, int(dimensions)) or fields.get("ElementType") not in _TYPES:
        return "its header has not the numbers and the type that its dimensions need"
    data_file = fields.get("ElementDataFile", "")
    if data_file.upper() != "LOCAL" and not is_beside(data_file):
        return "its voxels are not in the file or beside it"
    return ""


def _has_numbers(fields: dict[str, str], dimensions: int) -> bool:
    """Whether each field of numbers has as many as the dimensions need."""
    sizes = fields.get("DimSize", "").split()
    if len(sizes) != dimensions or not all(_SIZE.fullmatch(size) for size in sizes):
        return False
    for key, power in _VECTORS.items():
        numbers = fields[key].split() if key in fields else []
        if key in fields and len(numbers) != dimensions**power:
            return False
        if not all(_NUMBER.fullmatch(number) for number in numbers):
            return False
    return True


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
    """``KEY = VALUE`` lines up to ``ElementDataFile``, and their end."""
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
