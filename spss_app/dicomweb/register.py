"""Which segmentations of the PACS have been dealt with, and how; survives restarts and crashes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock

from spss.annotation.durable import write_durably

State = Literal["ours", "imported", "refused", "waiting", "unsure"]
"""``ours``: written by this server. ``imported``: its planes are in the ledger. ``refused``: it
cannot be used, ``detail`` says why. ``waiting``: its images are not (yet) among ours. ``unsure``:
the server must be told first how its slices are ordered."""


@dataclass(frozen=True)
class Known:
    """One segmentation instance that has been seen.

    Attributes:
        state: see ``State``.
        series_uid: the SEG's own series.
        study_uid: the SEG's study.
        image_id: SeriesInstanceUID of the images it refers to; empty if it does not say.
        detail: what was understood, or why it was refused, in words for the annotator; for
            ``ours`` the digest of its content.
    """

    state: State
    series_uid: str
    study_uid: str = ""
    image_id: str = ""
    detail: str = ""


class Register:
    """A small JSON file, read when it is asked and replaced in one step when it changes.

    Args:
        path: the file; made with the first entry. A torn or foreign file counts as empty: the
            SEGs are then looked at again, which the ledger survives because it knows each of them.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(path)

    def known(self) -> dict[str, Known]:
        """All entries by SOPInstanceUID."""
        try:
            records = json.loads(self._path.read_bytes())["segmentations"]
            return {uid: Known(**record) for uid, record in records.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def add(self, entries: Mapping[str, Known]) -> None:
        """Adds or replaces entries; other processes' entries stay."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            merged = {**self.known(), **entries}
            records = {uid: asdict(known) for uid, known in merged.items()}
            text = json.dumps({"segmentations": records}, indent=1, ensure_ascii=False)
            write_durably(self._path, text.encode())

    def _locked(self) -> AbstractContextManager[object]:
        return FileLock(self._path.with_suffix(".lock"), timeout=30)
