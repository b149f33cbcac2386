"""The dense drafts that viewers were given: how a corrected one is told from a new label."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from spss.annotation import folder_name
from spss.errors import InputError
from spss.types import ClassMap
from spss.volumes import read_label, write_label
from spss.volumes.grid import OnGrid

KEPT_DRAFTS = 6
"""Newest drafts kept for each image: an annotator may still correct one served a while ago."""

_FOUND = ".found"
"""Part of the file name of a label that was there, made by another tool."""


class Drafts:
    """A folder of label maps by image and hash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(
        self, image_id: str, classes: ClassMap, *, like: OnGrid, made_here: bool = True
    ) -> Path:
        """Keeps a copy of a draft; returns its file. The oldest ones are dropped.

        Args:
            image_id: the image it is of.
            classes: the draft.
            like: the image's grid.
            made_here: False for another tool's label that a viewer was offered.
        """
        path = self._file(image_id, classes, "" if made_here else _FOUND)
        if path.exists():
            path.touch()
        else:
            write_label(path, classes, like=like)
        for old in self._newest_first(image_id)[KEPT_DRAFTS:]:
            old.unlink(missing_ok=True)
        return path

    def made_here(self, image_id: str, classes: ClassMap) -> bool:
        """Whether this very label map is a kept draft, and not another tool's label."""
        return self._file(image_id, classes).exists()

    def closest(self, image_id: str, label: ClassMap, *, like: OnGrid) -> ClassMap | None:
        """The kept draft that shares most voxels with ``label``; None if there is no draft."""
        best, best_shared = None, -1
        for path in self._newest_first(image_id):
            try:
                draft = read_label(path, like=like)
            except InputError:
                continue  # torn or of an earlier version of the image: not what was served
            shared = int(np.count_nonzero(draft == label))
            if shared > best_shared:
                best, best_shared = draft, shared
        return best

    def _file(self, image_id: str, classes: ClassMap, mark: str = "") -> Path:
        digest = hashlib.sha256(np.ascontiguousarray(classes).tobytes()).hexdigest()[:16]
        return self._folder / folder_name(image_id) / f"{digest}{mark}.nii.gz"

    def _newest_first(self, image_id: str) -> list[Path]:
        folder = self._folder / folder_name(image_id)
        found = [p for p in folder.glob("*.nii.gz") if not p.name.startswith(".")]
        return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)
