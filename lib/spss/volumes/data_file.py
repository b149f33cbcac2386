"""Headers that name another file for their voxels: only one beside them is read.

A file that came from elsewhere must not have any other file of this machine read as its voxels.
"""

from __future__ import annotations

import re
from pathlib import Path

NRRD_ENDINGS = (".nrrd", ".nhdr")

_HEADER_BYTES = 4_000_000
"""A Slicer segmentation of hundreds of segments has a header of some 100 kB."""
_NRRD_DATA_FILE = re.compile(rb"(?im)^data ?file:[ \t]*(.*?)[ \t\r]*$")


def is_beside(name: str) -> bool:
    """Whether it is the plain name of one file, no folder, list or pattern of names."""
    if name in (".", "..") or name.upper().startswith("LIST"):  # ITK looks at no more of it
        return False
    return re.fullmatch(r"[^/\\%\x00\r\n]{1,100}", name) is not None


def nrrd_fault(path: Path) -> str:
    """Why the header of a NRRD must not be given to ITK; empty if it may."""
    with path.open("rb") as file:
        head, *data = re.split(rb"\r?\n\r?\n", file.read(_HEADER_BYTES), maxsplit=1)
    if not data and len(head) == _HEADER_BYTES:
        return "its header does not end"
    for name in _NRRD_DATA_FILE.findall(head):
        if not is_beside(name.decode("latin-1")):
            return "its voxels are not in the file or beside it"
    return ""
