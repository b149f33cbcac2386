"""An image's history as people list it: which versions there are, and which of them hold now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spss.annotation.entry import Entry
from spss.annotation.fold import entries_in_force


@dataclass(frozen=True)
class Version:
    """One entry, and whether it is part of what holds now (an older one may still be, in part)."""

    entry: Entry
    in_force: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values for an HTTP answer or a program."""
        entry = self.entry
        return {
            "entry": entry.id,
            "time": entry.time,
            "author": entry.author,
            "kind": entry.kind,
            "planes": [{"axis": plane.axis, "index": plane.index} for plane in entry.planes],
            "classes": list(entry.class_names),
            "provenance": entry.provenance,
            "restores": entry.restores,
            "sha256": entry.label_sha256,
            "in_force": self.in_force,
        }


def versions(history: Sequence[Entry]) -> tuple[Version, ...]:
    """All entries, oldest first."""
    in_force = {entry.id for entry in entries_in_force(history)}
    return tuple(Version(entry, entry.id in in_force) for entry in history)
