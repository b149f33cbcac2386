"""One entry of the ledger: who decided what, when, and where the label lies."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

from spss.annotation.plane import Plane
from spss.errors import InputError
from spss.types import Shape

Kind: TypeAlias = Literal["planes", "voxels", "dense", "restore"]
"""What an entry decides: whole planes, single voxels, every voxel, or "as it was after …"."""

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Entry:
    """One submit (or one restore) for one image; never changed once written.

    Attributes:
        id: unique within the image; sorts in the order of commit.
        image_id: the image as the server knows it.
        kind: see ``Kind``.
        class_names: names of the label's values, ``class_names[0]`` is the background.
        author: who sent it, as the client says; may be empty.
        time: UTC, ISO 8601; for people, never used for ordering (clocks go backwards).
        shape: ``(I, J, K)`` of the label.
        planes: the planes decided, for ``kind == "planes"``.
        plane_sha256: one hex digest for each of ``planes``, of its class values.
        label_file: name of the label file beside the entry; empty for a restore.
        label_sha256: hex digest of that file's bytes.
        provenance: how the label came to be (``manual``, ``corrected draft``, …).
        restores: for a restore: id of the entry after which the state is taken again, or
            empty for "as before any annotation".
    """

    id: str
    image_id: str
    kind: Kind
    class_names: tuple[str, ...]
    author: str = ""
    time: str = ""
    shape: Shape = (0, 0, 0)
    planes: tuple[Plane, ...] = ()
    plane_sha256: tuple[str, ...] = ()
    label_file: str = ""
    label_sha256: str = ""
    provenance: str = "manual"
    restores: str = ""

    @property
    def sequence(self) -> int:
        """Position in the image's history, from 1."""
        return int(self.id.split("-", 1)[0])

    def to_json(self) -> bytes:
        """UTF-8 JSON, readable by people."""
        record = asdict(self) | {"format": FORMAT_VERSION}
        return json.dumps(record, indent=1, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Entry:
        """Reads an entry back.

        Raises:
            InputError: the text is torn, or was never an entry.
        """
        try:
            record = json.loads(text)
            return _parse(record)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            msg = f"not a ledger entry ({type(error).__name__}: {error})"
            raise InputError(msg) from error


def _parse(record: dict[str, Any]) -> Entry:
    """Checks everything that later code relies on: the file may have been edited or torn."""
    if record.pop("format") != FORMAT_VERSION:
        msg = "unknown format version"
        raise ValueError(msg)
    if record["kind"] not in get_args(Kind):
        msg = f"unknown kind {record['kind']!r}"
        raise ValueError(msg)
    record["planes"] = tuple(Plane(int(p["axis"]), int(p["index"])) for p in record["planes"])
    for name in ("class_names", "plane_sha256"):
        record[name] = tuple(str(value) for value in record[name])
    record["shape"] = tuple(int(size) for size in record["shape"])
    entry = Entry(**record)
    if len(entry.planes) != len(entry.plane_sha256) or len(entry.shape) != 3:
        msg = "planes, digests and shape do not fit together"
        raise ValueError(msg)
    for plane in entry.planes:
        plane.check(entry.shape)
    if entry.sequence < 1 or "/" in entry.label_file or "\\" in entry.label_file:
        msg = "bad sequence number or label file name"
        raise ValueError(msg)
    return entry
