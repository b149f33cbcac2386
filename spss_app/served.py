"""Who was asked for which plane, and until when an image is theirs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
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
        return {
            image_id
            for image_id, holders in self._holders(image_ids)
            if any(other != client for other in holders)
        }

    def held_by(self, image_ids: Iterable[str], client: str) -> set[str]:
        """Images that this client was asked for and has neither drawn nor let time out.

        A client that asks for the next sample all the same has skipped them.
        """
        return {image_id for image_id, holders in self._holders(image_ids) if client in holders}

    def seconds_until_free(self, image_ids: Iterable[str]) -> float:
        """Until the first of these leases runs out; 0 if none is leased."""
        ends = [max(holders.values()) for _, holders in self._holders(image_ids) if holders]
        return max(0.0, min(ends) - time.time()) if ends else 0.0

    def _holders(self, image_ids: Iterable[str]) -> Iterator[tuple[str, dict[str, float]]]:
        """Image → clients with a lease, and when it ends."""
        now = time.time()
        for image_id, asked in self._notes.read_many(image_ids).items():
            yield (
                image_id,
                {
                    client: each.get("time", 0) + self._lease_seconds
                    for client, each in asked.items()
                    if 0 <= now - each.get("time", 0) < self._lease_seconds
                },
            )


def _plane(asked: dict[str, Any] | None) -> Plane | None:
    return None if not asked else Plane(int(asked["axis"]), int(asked["index"]))
