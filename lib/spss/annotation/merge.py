"""Takes one image's history from another ledger over, without losing or doubling anything."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from spss.annotation.entry import Entry
from spss.annotation.ledger import DamagedLabelError, Ledger


@dataclass
class Merged:
    """What became of the entries of a history.

    Attributes:
        added: entries that were new here, as they are here.
        known: how many were here already.
        damaged: entry id → why its label could not be taken over.
    """

    added: list[Entry] = field(default_factory=list)
    known: int = 0
    damaged: dict[str, str] = field(default_factory=dict)


def merge_history(source: Ledger, target: Ledger, image_id: str) -> Merged:
    """Adds the entries of ``source`` that ``target`` has not, in their order.

    An entry is known if one with the same content (author, time, planes, label, …) is there; the
    n-th repetition of a content there answers to the n-th here. So a merge that was interrupted,
    or is done twice, adds each entry once. Into an empty history everything goes as it is, ids
    too; behind other entries ids change, and restores follow them.
    """
    here: dict[Entry, deque[str]] = {}
    for entry in target.history(image_id):
        here.setdefault(_content(entry, entry.restores), deque()).append(entry.id)
    merged, names = Merged(), {"": ""}
    for entry in source.history(image_id):
        restores = names.get(entry.restores, entry.restores)
        same = here.get(_content(entry, restores))
        if same:
            names[entry.id] = same.popleft()
            merged.known += 1
            continue
        try:
            data = source.label_bytes(entry)
        except DamagedLabelError as damage:
            merged.damaged[entry.id] = str(damage)
            continue
        adopted = target.adopt(replace(entry, restores=restores), data)
        names[entry.id] = adopted.id
        merged.added.append(adopted)
    return merged


def _content(entry: Entry, restores: str) -> Entry:
    """The entry without its names; ``restores`` in the names of the target."""
    return replace(entry, id="", label_file="", restores=restores)
