"""Who was asked for which plane, and until when an image is theirs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spss.annotation import Plane
from spss_app.notes import Notes

_KEPT_CLIENTS = 16


class Served:
    """Remembers, per image and client, the plane that was suggested and when.

    Two annotators who ask for the next sample get different images: an image is leased to the
    client it was served to, until that client submits or the lease runs out.
    """

    def __init__(self, folder: Path, lease_minutes: float) -> None:
        self._notes = Notes(folder)
        self._lease_seconds = lease_minutes * 60

    def remember(self, image_id: str, client: str, plane: Plane) -> None:
        """Notes that ``client`` was asked for ``plane``."""
        note = dict(self._notes.read(image_id))
        note[client] = {"axis": plane.axis, "index": plane.index, "time": time.time()}
        newest = sorted(note, key=lambda name: note[name].get("time", 0))[-_KEPT_CLIENTS:]
        self._notes.write(image_id, {name: note[name] for name in newest})

    def plane(self, image_id: str, client: str) -> Plane | None:
        """The plane this client was last asked for in this image."""
        return _plane(self._notes.read(image_id).get(client))

    def release(self, image_id: str, client: str) -> None:
        """Ends the lease: the client has submitted. What it was asked for stays known."""
        note = dict(self._notes.read(image_id))
        if client in note:
            note[client] = {**note[client], "time": 0}
            self._notes.write(image_id, note)

    def leased_to_others(self, image_ids: Iterable[str], client: str) -> set[str]:
        """Images that another client holds now."""
        now = time.time()
        return {
            image_id
            for image_id in image_ids
            for other, asked in self._notes.read(image_id).items()
            if other != client and 0 <= now - asked.get("time", 0) < self._lease_seconds
        }


def _plane(asked: dict[str, Any] | None) -> Plane | None:
    return None if not asked else Plane(int(asked["axis"]), int(asked["index"]))
