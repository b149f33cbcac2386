"""Small JSON files, one an image: what is known about it and can be found out again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from spss.annotation import folder_name
from spss.annotation.durable import write_durably

Signature = tuple[int, int, int]
"""Time, size and inode of a file."""


class Notes:
    """A folder of JSON objects by image id.

    Each file is replaced in one step and read again only when it changed, so that several
    processes may write and a server with a thousand images answers quickly. An unreadable file
    counts as absent: notes are only ever conveniences.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache: dict[str, tuple[Signature, dict[str, Any]]] = {}

    def read(self, image_id: str) -> dict[str, Any]:
        """The note, or an empty dict."""
        try:
            signature = _signature(self._path(image_id).stat())
        except OSError:
            return {}
        return self._cached(image_id, signature)

    def read_many(self, image_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The notes of those images that have one; the folder is listed once for all of them."""
        signatures = self.signatures(image_ids)
        return {image_id: self._cached(image_id, known) for image_id, known in signatures.items()}

    def signatures(self, image_ids: Iterable[str]) -> dict[str, Signature]:
        """Image → what changes when its note is replaced; images without one are left out."""
        try:
            with os.scandir(self._folder) as entries:
                found = {entry.name: _signature(entry.stat()) for entry in entries}
        except OSError:
            return {}
        named = ((image_id, found.get(_file_name(image_id))) for image_id in image_ids)
        return {image_id: signature for image_id, signature in named if signature is not None}

    def load(self, image_id: str) -> dict[str, Any]:
        """As `read`, but nothing is kept: for readers that keep something smaller themselves."""
        try:
            note = json.loads(self._path(image_id).read_bytes())
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    def write(self, image_id: str, note: dict[str, Any]) -> None:
        """Replaces the note."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_durably(self._path(image_id), json.dumps(note, ensure_ascii=False).encode())

    def remove(self, image_id: str) -> None:
        """Forgets the note, if there is one."""
        self._path(image_id).unlink(missing_ok=True)

    def _cached(self, image_id: str, signature: Signature) -> dict[str, Any]:
        cached = self._cache.get(image_id)
        if cached is None or cached[0] != signature:
            cached = self._cache[image_id] = (signature, self.load(image_id))
        return cached[1]

    def _path(self, image_id: str) -> Path:
        return self._folder / _file_name(image_id)


@lru_cache(maxsize=100_000)
def _file_name(image_id: str) -> str:
    return f"{folder_name(image_id)}.json"


def _signature(state: os.stat_result) -> Signature:
    return (state.st_mtime_ns, state.st_size, state.st_ino)
