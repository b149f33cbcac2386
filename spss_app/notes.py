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


class Notes:
    """A folder of JSON objects by image id.

    Each file is replaced in one step and read again only when it changed, so that several
    processes may write and a server with a thousand images answers quickly. An unreadable file
    counts as absent: notes are only ever conveniences.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {}

    def read(self, image_id: str) -> dict[str, Any]:
        """The note, or an empty dict."""
        path = self._path(image_id)
        try:
            state = path.stat()
            signature = _signature(state)
            cached = self._cache.get(image_id)
            if cached is not None and cached[0] == signature:
                return cached[1]
            note = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return {}
        note = note if isinstance(note, dict) else {}
        self._cache[image_id] = (signature, note)
        return note

    def read_many(self, image_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The notes of those images that have one; the folder is listed once for all of them."""
        try:
            with os.scandir(self._folder) as entries:
                states = {entry.name: entry.stat() for entry in entries}
        except OSError:
            return {}
        notes = {}
        for image_id in image_ids:
            state = states.get(_file_name(image_id))
            if state is None:
                continue
            cached = self._cache.get(image_id)
            known = cached is not None and cached[0] == _signature(state)
            notes[image_id] = cached[1] if known and cached else self.read(image_id)
        return notes

    def write(self, image_id: str, note: dict[str, Any]) -> None:
        """Replaces the note."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_durably(self._path(image_id), json.dumps(note, ensure_ascii=False).encode())

    def remove(self, image_id: str) -> None:
        """Forgets the note, if there is one."""
        self._path(image_id).unlink(missing_ok=True)

    def _path(self, image_id: str) -> Path:
        return self._folder / _file_name(image_id)


@lru_cache(maxsize=100_000)
def _file_name(image_id: str) -> str:
    return f"{folder_name(image_id)}.json"


def _signature(state: os.stat_result) -> tuple[int, int, int]:
    return (state.st_mtime_ns, state.st_size, state.st_ino)
