"""The annotation ledger: everything people decided, never overwritten."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from filelock import FileLock

from spss.annotation.class_names import check_class_names
from spss.annotation.decided import decided_part
from spss.annotation.durable import write_durably
from spss.annotation.entry import Entry, Kind
from spss.annotation.entry_folder import LABEL_ENDING, LOCK_NAME, Problem, scan_entries
from spss.annotation.fold import Standing, entries_in_force, fold, standing
from spss.annotation.image_folder import folder_name
from spss.annotation.label_file import (
    label_from_bytes,
    label_to_bytes,
    plane_digests,
    read_label_file,
)
from spss.annotation.plane import Plane
from spss.annotation.repeats import said_before
from spss.annotation.sparse_label import SparseLabel
from spss.errors import InputError, NotReadyError
from spss.types import Affine, ClassMap

_LOCK_TIMEOUT_SECONDS = 60.0


class DamagedLabelError(InputError):
    """An entry was committed, but its label file is gone or no longer the same."""

    def __init__(self, entry_id: str, reason: str) -> None:
        super().__init__(reason)
        self.entry_id = entry_id


class Ledger:
    """Append-only store of annotations, one folder an image, one entry a submit.

    An entry is a label file and a small JSON file that is written last, under a temporary name,
    flushed to the disk and renamed: it exists from that moment on, completely, or not at all.
    Nothing is ever changed or deleted. What holds now is the fold of the entries in their order;
    a torn or foreign file is skipped and reported by `problems`. Safe for several processes.

    Args:
        root: the ledger's folder; made when the first entry is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._known: dict[Path, Entry] = {}

    def record(
        self,
        image_id: str,
        label: ClassMap,
        what: Iterable[Plane] | Literal["dense", "voxels"],
        *,
        class_names: Sequence[str],
        affine: Affine,
        author: str = "",
        provenance: str = "manual",
    ) -> Entry:
        """Adds a decision; returns its entry, or the earlier one if it says the same again.

        Args:
            image_id: the image it is about.
            label: ``(I, J, K)`` uint8 on the image's grid. Only the planes named in ``what`` are
                kept; for ``"voxels"`` those that are not ``UNDECIDED``; for ``"dense"`` all.
            what: planes (one with nothing on it counts: "the structure does not reach here"),
                ``"voxels"`` (clicks, scribbles) or ``"dense"``.
            class_names: names of the label's values, background first.
            affine: ``(4, 4)`` voxel to RAS mm, written into the label file.
            author: who decided, as far as known.
            provenance: how the label came to be.

        Raises:
            InputError: nothing is decided, a plane lies outside, or a value has no name.
            OSError: the entry could not be written; the ledger is as before.
        """
        names = check_class_names(class_names)
        kind: Kind = what if isinstance(what, str) else "planes"
        planes = () if isinstance(what, str) else tuple(sorted(set(what)))
        decided = decided_part(image_id, label, kind, planes, len(names))
        data = label_to_bytes(decided, affine)
        entry = Entry(
            id="",
            image_id=image_id,
            kind=kind,
            class_names=names,
            author=author,
            shape=label.shape,  # type: ignore[arg-type]
            planes=planes,
            plane_sha256=plane_digests(decided, planes),
            label_sha256=hashlib.sha256(data).hexdigest(),
            provenance=provenance,
        )
        with self._locked(image_id):
            return said_before(entry, self.history(image_id)) or self._commit(entry, data)

    def restore(self, image_id: str, entry_id: str, *, author: str = "") -> Entry:
        """Makes the state after ``entry_id`` the current one, by a new entry; nothing is lost.

        Args:
            image_id: the image.
            entry_id: an entry of its history, or ``""`` for "as before any annotation".
            author: who asked for it.

        Raises:
            InputError: the image has no such entry.
        """
        with self._locked(image_id):
            known = [entry.id for entry in self.history(image_id)]
            if entry_id and entry_id not in known:
                msg = f"Image {image_id!r} has no entry {entry_id!r}: use one of {known}."
                raise InputError(msg)
            entry = Entry("", image_id, "restore", ("background",), author, restores=entry_id)
            return self._commit(entry, b"")

    def adopt(self, entry: Entry, data: bytes = b"") -> Entry:
        """Takes an entry of another ledger over: author, time and label stay as they were.

        Args:
            entry: as the other ledger has it. Its id stays too, if it comes after all of this
                image's here; else it gets the next one.
            data: the bytes of its label file; empty for a restore.

        Raises:
            InputError: the bytes are not the label that the entry speaks of.
        """
        if entry.kind == "restore":
            data = b""
        else:
            label_from_bytes(data, entry.label_file, sha256=entry.label_sha256, shape=entry.shape)
        with self._locked(entry.image_id):
            return self._commit(entry, data)

    def label_bytes(self, entry: Entry) -> bytes:
        """The bytes of an entry's label file, for `adopt`; empty for a restore.

        Raises:
            DamagedLabelError: the file is gone or another one.
        """
        if entry.kind == "restore":
            return b""
        self._load(entry)
        return (self._folder(entry.image_id) / entry.label_file).read_bytes()

    def history(self, image_id: str) -> tuple[Entry, ...]:
        """All readable entries of an image, oldest first."""
        return scan_entries(self._folder(image_id), self._known)[0]

    def standing(self, image_id: str) -> Standing:
        """Which planes stand, without reading any label."""
        return standing(self.history(image_id))

    def sparse_label(self, image_id: str, class_names: Sequence[str]) -> SparseLabel:
        """What holds now, numbered by ``class_names``; damaged labels are passed over.

        Raises:
            NotReadyError: nothing has been annotated on this image.
            InputError: an entry uses a class that is not among ``class_names``.
        """
        entries = entries_in_force(self.history(image_id))
        while entries:
            same_grid = [entry for entry in entries if entry.shape == entries[-1].shape]
            try:
                return fold(same_grid, self._load, class_names)
            except DamagedLabelError as damage:
                entries = tuple(entry for entry in entries if entry.id != damage.entry_id)
        msg = f"Image {image_id!r} has no annotation yet: draw a plane and submit it first."
        raise NotReadyError(msg)

    def image_ids(self) -> tuple[str, ...]:
        """The images with at least one readable entry, sorted."""
        found = (scan_entries(folder, self._known)[0] for folder in self._folders())
        return tuple(sorted(entries[0].image_id for entries in found if entries))

    def problems(self) -> tuple[Problem, ...]:
        """Torn, foreign or damaged files anywhere in the ledger; reads every label."""
        found: list[Problem] = []
        for folder in self._folders():
            entries, problems = scan_entries(folder, self._known)
            found.extend(problems)
            for entry in entries:
                if entry.kind == "restore":
                    continue
                try:
                    self._load(entry)
                except DamagedLabelError as damage:
                    found.append(Problem(folder / f"{entry.id}.json", str(damage)))
        return tuple(found)

    def _folders(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        return sorted(folder for folder in self.root.iterdir() if folder.is_dir())

    def _folder(self, image_id: str) -> Path:
        return self.root / folder_name(image_id)

    def _locked(self, image_id: str) -> AbstractContextManager[object]:
        """Gives writers of one image their turn; the system frees it when a process dies."""
        folder = self._folder(image_id)
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / LOCK_NAME, timeout=_LOCK_TIMEOUT_SECONDS)

    def _commit(self, entry: Entry, data: bytes) -> Entry:
        """The label first, then the entry that names it, so that no entry lacks its label."""
        folder = self._folder(entry.image_id)
        last = max((e.sequence for e in self.history(entry.image_id)), default=0)
        now = datetime.now(timezone.utc)
        name = entry.id
        if not name or entry.sequence <= last:
            # The random part keeps names apart where the file system ignores locks.
            name = f"{last + 1:06d}-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        label_file = f"{name}{LABEL_ENDING}" if data else ""
        time = entry.time or now.isoformat(timespec="seconds")
        committed = replace(entry, id=name, time=time, label_file=label_file)
        if data:
            write_durably(folder / label_file, data)
        try:
            write_durably(folder / f"{name}.json", committed.to_json())
        except OSError:
            if label_file:  # a full disk should not be filled by labels that count for nothing
                (folder / label_file).unlink(missing_ok=True)
            raise
        return committed

    def _load(self, entry: Entry) -> ClassMap:
        """The entry's label map, if it is still what was written."""
        path = self._folder(entry.image_id) / entry.label_file
        try:
            return read_label_file(path, sha256=entry.label_sha256, shape=entry.shape)
        except InputError as error:
            raise DamagedLabelError(entry.id, str(error)) from error
