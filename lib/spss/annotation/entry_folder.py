"""The files of one image's folder in the ledger: which are entries, which are not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spss.annotation.entry import Entry
from spss.annotation.image_folder import folder_name
from spss.errors import InputError

LOCK_NAME = ".lock"
LABEL_ENDING = ".nii.gz"


@dataclass(frozen=True)
class Problem:
    """A file in the ledger that could not be used; it is left where it lies."""

    path: Path
    reason: str


def scan_entries(
    folder: Path, known: dict[Path, Entry]
) -> tuple[tuple[Entry, ...], tuple[Problem, ...]]:
    """Reads a folder's entries, oldest first, and names the files that are none.

    Args:
        folder: one image's folder; may not exist.
        known: entries read before (they never change); new ones are added.
    """
    entries, problems = [], []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix != ".json" or path.name.startswith("."):
            if path.name != LOCK_NAME and not _is_label_of_an_entry(path):
                problems.append(Problem(path, "is no committed entry (unfinished or foreign)"))
            continue
        try:
            entry = known.get(path) or _read_entry(path)
        except (InputError, OSError) as error:
            problems.append(Problem(path, str(error)))
            continue
        known[path] = entry
        entries.append(entry)
    entries.sort(key=lambda entry: (entry.sequence, entry.id))
    return tuple(entries), tuple(problems)


def _read_entry(path: Path) -> Entry:
    """A file that was copied or renamed by hand is no entry: its name and folder must fit."""
    entry = Entry.from_json(path.read_bytes())
    if entry.id != path.stem or folder_name(entry.image_id) != path.parent.name:
        msg = "was written for another name or image"
        raise InputError(msg)
    return entry


def _is_label_of_an_entry(path: Path) -> bool:
    """A label that no entry names was left by a write that was cut off."""
    name = path.name
    return (
        name.endswith(LABEL_ENDING)
        and path.with_name(name.removesuffix(LABEL_ENDING) + ".json").exists()
    )
