"""The trained networks of one server: the one that answers, candidates, and the one in training."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from spss.annotation.durable import write_durably

_POINTER = "published.json"
_KEPT_VERSIONS = 3


@dataclass(frozen=True)
class PublishedModel:
    """The network that answers inference requests.

    Attributes:
        version: name of its folder.
        folder: holds ``model.pt`` and ``config.json``.
        record: what is known of its training (images, held-out score, …).
    """

    version: str
    folder: Path
    record: dict[str, Any]


class ModelFolder:
    """Versions of the network; one small pointer file says which one is published.

    A training writes into a version of its own. Publishing replaces the pointer in one step, so a
    kill at any moment leaves the old network or the new one answering, never a half of each.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.training = root / "training"

    def published(self) -> PublishedModel | None:
        """The network in use, or None before the first training."""
        try:
            record = json.loads((self.root / _POINTER).read_bytes())
            folder = self.root / str(record["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not (folder / "model.pt").is_file():
            return None
        return PublishedModel(str(record["version"]), folder, record)

    def keep_version(self, record: dict[str, Any]) -> PublishedModel:
        """Moves a finished training to a version of its own, without publishing it."""
        stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        version = f"{stamp}-{secrets.token_hex(2)}"
        record = {**record, "version": version}
        write_durably(self.training / "record.json", json.dumps(record, indent=1).encode())
        self.training.rename(self.root / version)
        return PublishedModel(version, self.root / version, record)

    def publish(self, model: PublishedModel) -> None:
        """Makes a version the one that answers."""
        record = {**model.record, "version": model.version}
        write_durably(self.root / _POINTER, json.dumps(record, indent=1).encode())
        self._drop_old(keep=model.version)

    def _drop_old(self, keep: str) -> None:
        versions = sorted(p.parent.name for p in self.root.glob("*/record.json"))
        for version in versions[:-_KEPT_VERSIONS]:
            if version != keep:
                shutil.rmtree(self.root / version, ignore_errors=True)
