"""From a history of entries to what holds now: pure functions, no files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from spss.annotation.class_names import rename_classes
from spss.annotation.entry import Entry
from spss.annotation.plane import Plane
from spss.annotation.sparse_label import SparseLabel
from spss.types import UNDECIDED, ClassMap


@dataclass(frozen=True)
class Standing:
    """What holds for one image, without its voxels.

    Attributes:
        planes: planes decided by themselves, sorted.
        dense: True if every voxel was decided at once.
        voxels: True if clicks or scribbles were decided too.
        revision: id of the newest entry; empty if there is none.
    """

    planes: tuple[Plane, ...] = ()
    dense: bool = False
    voxels: bool = False
    revision: str = ""

    @property
    def is_empty(self) -> bool:
        """True if nobody decided anything."""
        return not (self.planes or self.dense or self.voxels)


def entries_in_force(history: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries that make up the current state, oldest first, with restores carried out.

    A restore of an entry that is not in the history (its file was lost) changes nothing.
    """
    current: tuple[Entry, ...] = ()
    after: dict[str, tuple[Entry, ...]] = {"": ()}
    for entry in history:
        if entry.kind == "restore":
            current = after.get(entry.restores, current)
        else:
            current = (*current, entry)
        after[entry.id] = current
    return current


def standing(history: Sequence[Entry]) -> Standing:
    """Which planes stand, read off the entries alone."""
    planes: set[Plane] = set()
    dense = voxels = False
    for entry in entries_in_force(history):
        if entry.kind == "dense":
            planes, dense = set(), True
        elif entry.kind == "planes":
            planes.update(entry.planes)
        else:
            voxels = True
    revision = history[-1].id if history else ""
    return Standing(tuple(sorted(planes)), dense, voxels, revision)


def newest_digests(history: Sequence[Entry]) -> dict[Plane, tuple[str, str]]:
    """For each plane that stands: (entry id, sha256) of the entry that decided it last."""
    digests: dict[Plane, tuple[str, str]] = {}
    for entry in entries_in_force(history):
        if entry.kind == "dense":
            digests = {}
        for plane, digest in zip(entry.planes, entry.plane_sha256, strict=True):
            digests[plane] = (entry.id, digest)
    return digests


def fold(
    entries: Sequence[Entry], load: Callable[[Entry], ClassMap], class_names: Sequence[str]
) -> SparseLabel:
    """Lays the entries' labels over each other, oldest first: the newer decision wins.

    Args:
        entries: those in force, oldest first, at least one, all of one shape.
        load: reads an entry's label, ``(I, J, K)`` uint8 with ``UNDECIDED``.
        class_names: the wanted numbering of the classes.
    """
    result = np.full(entries[-1].shape, UNDECIDED, np.uint8)
    planes: set[Plane] = set()
    for entry in _without_superseded(entries):
        label = rename_classes(load(entry), entry.class_names, class_names)
        if entry.kind == "planes":
            for plane in entry.planes:
                result[plane.slices] = label[plane.slices]
            planes.update(entry.planes)
        else:
            decided = label != UNDECIDED
            result[decided] = label[decided]
            planes = set() if entry.kind == "dense" else planes
    return SparseLabel.from_undecided(result, planes)


def _without_superseded(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Leaves out entries of which no voxel can show any more, so that they need no reading."""
    needed: list[Entry] = []
    covered: set[Plane] = set()
    for entry in reversed(entries):
        if entry.kind != "planes" or not covered.issuperset(entry.planes):
            needed.append(entry)
        covered.update(entry.planes)
        if entry.kind == "dense":
            break
    return tuple(reversed(needed))
